"""The program that reads readers' masks and measures regions for the worker, in a process of its own (NW-06). Imports no Django.

`python -m imaging.measurer check|draft|measure` answers like `imaging.parser`: one JSON request on standard input, one JSON answer on
standard output. What a reader's file or a series is refused for are sentences in the answer. `imaging.parsing` is its only caller.
"""

import ctypes
import json
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk

from accounts.canonical import number
from imaging import (
    drafting,
    nifti,
    outline,
    parser,
    radiomics,
    radiomics_profile,
    region_files,
    region_reading,
    segmentation_writing,
    volumes,
)
from imaging.radiomics_refusal import Refused, Sentence
from imaging.region_files import Kind
from imaging.region_reading import LABEL

PLACES = 3  # slices through the region that are shown besides its largest
_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NOT_NIFTI = Sentence("not_nifti", "The file is damaged or is not a NIfTI image (.nii, .nii.gz).")
_UNKNOWN = Sentence("unknown_kind", "The file is no NIfTI, NRRD or DICOM file.")


def main(verb: str) -> int:
    """Do what the request on standard input asks, within its limits, for as long as the asking worker lives."""
    ctypes.CDLL(None).prctl(_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    request = json.load(sys.stdin)
    parser.limit(request)
    work = {"check": _check, "draft": _draft, "measure": _measure}[verb]
    try:
        answer = [work(asked) for asked in request["objects"]]
    except MemoryError:
        json.dump({"unreadable": "bomb"}, sys.stdout)
        return parser.EXIT_UNREADABLE
    json.dump({"objects": answer}, sys.stdout, default=float)
    return 0


def _check(asked: dict[str, Any]) -> dict[str, Any]:
    """Hold a reader's file against a series: {"kept", "kind", "findings", "apart_mm", "voxels", "sources", "outlines"}.

    What is left under `out` is a NIfTI mask without a word of text: the reader's own voxels, or those that a segmentation, structure set
    or chosen label comes to; beside it stands the same as a DICOM segmentation. A NIfTI file is left there also when it is refused.
    """
    said = {"kept": False, "kind": "", "findings": [], "apart_mm": None, "voxels": None, "sources": [], "outlines": []}
    given, out = Path(asked["mask"]), Path(asked["out"])
    with given.open("rb") as file:
        kind = region_files.kind_of(file.read(region_files.HEAD))
    if kind is None:
        return {**said, "findings": [_data(_UNKNOWN)]}
    said["kind"] = kind
    try:
        read_from = _cleared(given, kind, out)
        said["kept"] = kind is Kind.NIFTI
        volume = volumes.read_series([Path(path) for path in asked["images"]])
        reading = region_reading.read(read_from, kind, volume, asked["segment"])
        said["sources"], said["apart_mm"] = list(reading.sources), reading.held.apart_mm
        if reading.held.mask is None:
            return {**said, "findings": [_data(finding) for finding in reading.held.findings]}
        marked = radiomics.marked_voxels(reading.held.mask, LABEL)
    except nifti.NotNifti:
        return {**said, "findings": [_data(_NOT_NIFTI)]}
    except Refused as refused:
        return {**said, "findings": [_data(sentence) for sentence in refused.sentences]}
    if kind is not Kind.NIFTI or asked["segment"] not in (None, LABEL):
        _write_mask(marked, out)
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(marked)))
    first = pydicom.dcmread(asked["images"][0], stop_before_pixels=True)
    made = segmentation_writing.write(marked, volume, first, segmentation_writing.Said(**asked["said"]))
    out.with_name(asked["dicom"]).write_bytes(made)
    return {**said, "kept": True, "voxels": voxels, "outlines": _outlines(marked, volume.image)}


def _cleared(given: Path, kind: Kind, out: Path) -> Path:
    """Where to read the reader's file from: a NIfTI file is cleared of its text fields into `out`, NRRD needs its name to be read."""
    if kind is Kind.NIFTI:
        out.write_bytes(nifti.blanked(given.read_bytes()))
        return out
    if kind is Kind.NRRD:
        return Path(shutil.copyfile(given, out.with_name("given.nrrd")))
    return given


def _write_mask(marked: sitk.Image, out: Path) -> None:
    sitk.WriteImage(sitk.Cast(marked, sitk.sitkUInt8), str(out))
    out.write_bytes(nifti.blanked(out.read_bytes()))


def _outlines(marked: sitk.Image, image: sitk.Image) -> list[dict[str, Any]]:
    """What is marked on each slice that has any: place from 1, polygons in the frame of the slice's picture; the largest first.

    `shown` marks the slices that a page shows: the largest and the middles of equal parts of the region.
    """
    voxels = sitk.GetArrayViewFromImage(marked)
    pixels = np.count_nonzero(voxels, axis=(1, 2))
    places = np.flatnonzero(pixels)
    parts = {int(places[(2 * i + 1) * len(places) // (2 * PLACES)]) for i in range(PLACES)} | {int(pixels.argmax())}
    width, height = image.GetSize()[0], image.GetSize()[1]
    aspect = image.GetSpacing()[1] / image.GetSpacing()[0]
    return [
        {
            "place": int(k) + 1, "pixels": int(pixels[k]), "shown": int(k) in parts, "width": width, "height": height * aspect,
            "polygons": [[[x, y * aspect] for x, y in way] for way in outline.on_slice(marked, int(k))],
        }
        for k in sorted(places, key=lambda k: (-pixels[k], k))
    ]  # fmt: skip


def _draft(asked: dict[str, Any]) -> dict[str, Any]:
    """Have a segmenter mark what a box is around: {"findings"} of a refusal, or {"findings", "segmenter", "voxels", "outlines"}.

    What it marks is left under `out` as a NIfTI mask without a word of text.
    """
    try:
        image = volumes.read_series([Path(path) for path in asked["images"]]).image
        segmenter = drafting.named(asked["segmenter"])
        across, down, between = image.GetSpacing()
        box = drafting.Box(tuple(asked["box"][:3]), tuple(asked["box"][3:]))
        voxels = sitk.GetArrayFromImage(image).astype(np.float64)
        marked = sitk.GetImageFromArray(drafting.draft(voxels, box, (between, down, across), segmenter).astype(np.uint8))
    except Refused as refused:
        return {"findings": [_data(sentence) for sentence in refused.sentences]}
    marked.CopyInformation(image)
    _write_mask(marked, Path(asked["out"]))
    count = int(np.count_nonzero(sitk.GetArrayViewFromImage(marked)))
    return {"findings": [], "segmenter": segmenter.name, "voxels": count, "outlines": _outlines(marked, image)}


def _measure(asked: dict[str, Any]) -> dict[str, Any]:
    """Measure a kept mask on its series: {"findings"} of a refusal, or the Measurement as data."""
    try:
        image = volumes.read_series([Path(path) for path in asked["images"]]).image
        measured = radiomics.measure(image, volumes.read_mask(Path(asked["mask"])), radiomics_profile.named(asked["profile"]))
    except Refused as refused:
        return {"findings": [_data(sentence) for sentence in refused.sentences]}
    return {
        "findings": [],
        "values": [[name, number(value)] for name, value in measured.values.items()],
        "image_sha256": measured.image_sha256,
        "mask_sha256": measured.mask_sha256,
        "profile_sha256": measured.profile_sha256,
        "software": dict(measured.software),
        "warnings": [_data(sentence) for sentence in measured.warnings],
        "sha256": measured.sha256,
    }


def _data(sentence: Sentence) -> dict[str, Any]:
    return {"code": sentence.code, "message": sentence.message, "params": dict(sentence.params)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
