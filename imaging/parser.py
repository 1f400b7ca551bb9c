"""The program that reads DICOM for the worker, in a process of its own with little memory and time (NW-06). Imports no Django.

`python -m imaging.parser headers|draw` takes one JSON request on standard input and writes one JSON answer on standard output.
Exit status: 0 answered, 3 an object cannot be read (the answer says why). `imaging.parsing` is its only caller.
"""

import hashlib
import json
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.multival import MultiValue

from imaging import clock, drawing, identity
from imaging.edge.rules import OUTLINE_CLASSES
from imaging.malformed import MALFORMED
from imaging.syntaxes import TRANSFER_SYNTAXES

EXIT_UNREADABLE = 3
_DEFER = 2**16  # longer values than this stay on disk until asked for

SOP_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    **OUTLINE_CLASSES,
}
"""CT, Enhanced CT, MR and Enhanced MR Image Storage, segmentations and structure sets, and the modality each must state."""
MOST_REFERENCES = 500
"""Images that an outline is remembered to name; one would do to find its series."""

FACTS = (
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "ConvolutionKernel", "KVP", "XRayTubeCurrent", "MagneticFieldStrength",
    "ScanningSequence", "RepetitionTime", "EchoTime", "PatientPosition", "ImageType", "SeriesNumber", "ContrastBolusStartTime",
    "ContrastBolusAgent", "GantryDetectorTilt", "SeriesDescription", "ProtocolName",
)  # fmt: skip
"""Attributes of a series that are kept beside it, under their DICOM keywords."""


class Unreadable(Exception):
    """An object cannot be read; the argument is a code."""


def main(verb: str) -> int:
    """Do what the request on standard input asks, within its limits; see the module's docstring."""
    request = json.load(sys.stdin)
    limit(request)
    work = {"headers": _headers, "draw": _draw}[verb]
    try:
        answer = {"objects": [work(asked) for asked in request["objects"]]}
    except Unreadable as error:
        json.dump({"unreadable": str(error)}, sys.stdout)
        return EXIT_UNREADABLE
    except (identity.Malformed, RecursionError, MemoryError):
        json.dump({"unreadable": "bomb"}, sys.stdout)
        return EXIT_UNREADABLE
    json.dump(answer, sys.stdout)
    return 0


def limit(request: dict[str, Any]) -> None:
    """Bound this process to the request's bytes of memory and seconds of computing, to few files and no core dump."""
    resource.setrlimit(resource.RLIMIT_AS, (request["memory"], request["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (request["seconds"], request["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _draw(asked: dict[str, Any]) -> dict[str, Any]:
    try:
        return drawing.draw(Path(asked["path"]), asked["frame"], Path(asked["out"]), whole=asked["whole"])
    except drawing.NotDrawable as error:
        raise Unreadable(str(error)) from None


def _headers(asked: dict[str, Any]) -> dict[str, Any]:
    """One object's UIDs, geometry, scanner facts and what it still says about a person."""
    dataset = _read(Path(asked["path"]))
    sop_class = str(dataset.get("SOPClassUID", ""))
    if SOP_CLASSES.get(sop_class, "") != dataset.get("Modality", "-"):
        raise Unreadable("sop_class")
    try:
        return {
            "identity": identity.leftovers(dataset, asked["study_number"]),
            "sop_class": sop_class,
            "transfer_syntax": str(dataset.file_meta.TransferSyntaxUID),
            "lossy": _lossy(dataset),
            "study_instance_uid": str(dataset.StudyInstanceUID),
            "series_instance_uid": str(dataset.SeriesInstanceUID),
            "sop_instance_uid": str(dataset.SOPInstanceUID),
            "modality": str(dataset.Modality),
            "study_date": _text(dataset.get("StudyDate")),
            "acquired": _text(dataset.get("AcquisitionTime") or str(dataset.get("AcquisitionDateTime", ""))[8:]),
            "instance_number": _integer(dataset.get("InstanceNumber")),
            "facts": {keyword: _plain(dataset.get(keyword)) for keyword in FACTS if dataset.get(keyword) not in (None, "")},
            "frames": [] if sop_class in OUTLINE_CLASSES else list(_frames(dataset)),
            "references": _references(dataset) if sop_class in OUTLINE_CLASSES else {},
        }
    except MALFORMED:
        raise Unreadable("malformed") from None


def _references(dataset: Dataset) -> dict[str, list[str]]:
    """The UIDs of the series and images that an outline names, wherever it does."""
    found: dict[str, dict[str, None]] = {"series": {}, "images": {}}
    todo = [dataset]
    while todo:
        level = todo.pop()
        for element in level:
            if element.VR == "SQ":
                todo.extend(element.value)
            elif element.keyword == "SeriesInstanceUID" and level is not dataset:
                found["series"][str(element.value)] = None
            elif element.keyword == "ReferencedSOPInstanceUID" and len(found["images"]) < MOST_REFERENCES:
                found["images"][str(element.value)] = None
    return {name: list(uids) for name, uids in found.items()}


def _read(path: Path) -> FileDataset:
    try:
        meta = pydicom.filereader.read_file_meta_info(path)
        if str(meta.get("TransferSyntaxUID", "")) not in TRANSFER_SYNTAXES:
            raise Unreadable("transfer_syntax")
        return pydicom.dcmread(path, defer_size=_DEFER)
    except (*MALFORMED, pydicom.errors.InvalidDicomError, EOFError, OSError):
        raise Unreadable("malformed") from None


def _lossy(dataset: FileDataset) -> bool:
    return TRANSFER_SYNTAXES[str(dataset.file_meta.TransferSyntaxUID)] or dataset.get("LossyImageCompression", "00") == "01"


def _frames(dataset: Dataset) -> Iterator[dict[str, Any]]:
    """The slices of one object: one for a classic image, one per frame for an enhanced one (PS3.3 C.7.6.16)."""
    if "PerFrameFunctionalGroupsSequence" not in dataset:
        yield _frame(dataset, [dataset], 0)
        return
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    for place, group in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        parts = [item for level in (group, shared[0]) for element in level if element.VR == "SQ" for item in element.value[:1]]
        yield _frame(dataset, parts, place)


def _frame(dataset: Dataset, parts: list[Dataset], place: int) -> dict[str, Any]:
    """What one slice says of itself, under the names of `geometry.Slice`: in its functional groups, or in the object itself."""
    thickness = _numbers(_first(parts, "SliceThickness"))
    return {
        "orientation": _numbers(_first(parts, "ImageOrientationPatient")),
        "position": _numbers(_first(parts, "ImagePositionPatient")),
        "pixel_spacing": _numbers(_first(parts, "PixelSpacing")),
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "thickness": thickness[0] if thickness else None,
        "acquisition": _text(_first(parts, "AcquisitionNumber") or _first(parts, "FrameAcquisitionNumber")),
        "localizer": "LOCALIZER" in list(dataset.get("ImageType") or []),
        "temporal": _text(_first(parts, "TemporalPositionIdentifier") or _first(parts, "TemporalPositionIndex")),
        "trigger": next(iter(_numbers(_first(parts, "TriggerTime")) or []), None),
        "acquired": clock.seconds(_text(_first(parts, "AcquisitionTime")) or _text(_first(parts, "FrameAcquisitionDateTime"))[8:]),
        "reference": _text(dataset.get("FrameOfReferenceUID")),
        "pixels": _picture(dataset, place),
    }


def _picture(dataset: Dataset, place: int) -> str:
    """A digest of one frame's stored values and what they mean; empty where frames of a compressed object cannot be told apart."""
    data = dataset.get("PixelData") or b""
    count = int(dataset.get("NumberOfFrames") or 1)
    if count > 1:
        if dataset.file_meta.TransferSyntaxUID.is_compressed:
            return ""
        size = len(data) // count
        data = memoryview(data)[place * size : (place + 1) * size]
    meaning = repr((_plain(dataset.get("RescaleSlope")), _plain(dataset.get("RescaleIntercept"))))
    return hashlib.blake2b(data, digest_size=8, key=meaning.encode()[:64]).hexdigest()


def _first(parts: list[Dataset], keyword: str) -> Any:
    return next((part.get(keyword) for part in parts if keyword in part), None)


def _numbers(value: Any) -> list[float] | None:
    if value in (None, ""):
        return None
    return [float(number) for number in (value if isinstance(value, MultiValue | list) else [value])]


def _integer(value: Any) -> int | None:
    return None if value in (None, "") else int(value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:64]


def _plain(value: Any) -> str:
    if isinstance(value, MultiValue | list):
        return "\\".join(_text(part) for part in value)[:200]
    return _text(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
