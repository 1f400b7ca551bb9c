"""The program that reads readers' masks and measures regions for the worker, in a process of its own (NW-06). Imports no Django.

`python -m imaging.measurer check|measure` answers like `imaging.parser`: one JSON request on standard input, one JSON answer on
standard output. What a reader's file or a series is refused for are sentences in the answer. `imaging.parsing` is its only caller.
"""

import ctypes
import json
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from accounts.canonical import number
from imaging import nifti, outline, parser, radiomics, radiomics_profile, volumes
from imaging.radiomics_refusal import Refused, Sentence

LABEL = 1
PLACES = 3  # slices through the region that are shown besides its largest
_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_NOT_NIFTI = Sentence("not_nifti", "The file is damaged or is not a NIfTI image (.nii, .nii.gz).")


def main(verb: str) -> int:
    """Do what the request on standard input asks, within its limits, for as long as the asking worker lives."""
    ctypes.CDLL(None).prctl(_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)
    request = json.load(sys.stdin)
    parser.limit(request)
    work = {"check": _check, "measure": _measure}[verb]
    try:
        answer = [work(asked) for asked in request["objects"]]
    except MemoryError:
        json.dump({"unreadable": "bomb"}, sys.stdout)
        return parser.EXIT_UNREADABLE
    json.dump({"objects": answer}, sys.stdout, default=float)
    return 0


def _check(asked: dict[str, Any]) -> dict[str, Any]:
    """Hold a reader's file against a series: {"kept", "findings", "apart_mm", "voxels", "outlines"}.

    The cleared file is left under `out` whenever it is a NIfTI file at all, so that a refused mask is kept as well.
    """
    said: dict[str, Any] = {"kept": False, "findings": [], "apart_mm": None, "voxels": None, "outlines": []}
    try:
        Path(asked["out"]).write_bytes(nifti.blanked(Path(asked["mask"]).read_bytes()))
    except nifti.NotNifti:
        return {**said, "findings": [_data(_NOT_NIFTI)]}
    said["kept"] = True
    try:
        held, image = _held(asked)
        if held.mask is None:
            return {**said, "findings": [_data(finding) for finding in held.findings], "apart_mm": held.apart_mm}
        marked = radiomics.marked_voxels(held.mask, LABEL)
    except Refused as refused:
        return {**said, "findings": [_data(sentence) for sentence in refused.sentences]}
    voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(marked)))
    return {**said, "apart_mm": held.apart_mm, "voxels": voxels, "outlines": _outlines(marked, image)}


def _held(asked: dict[str, Any]) -> tuple[volumes.Alignment, sitk.Image]:
    mask = volumes.read_mask(Path(asked["out"]))
    image = volumes.read_series([Path(path) for path in asked["images"]]).image
    return volumes.alignment(mask, image), image


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
