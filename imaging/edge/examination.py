"""Reading a received file within limits, once: is it an instance, who is it of, and what is it the same as (NW-06).

Runs in the sandbox process, never in the listener. What it returns names a fault by a code, never by words of a sender.
"""

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.edge import frames, objections
from imaging.edge.dicom.commands import UID
from imaging.edge.dicom.negotiation import TRANSFER_SYNTAXES
from imaging.edge.links import local
from imaging.edge.manifest import MAX_OBJECT_BYTES
from imaging.edge.rules import CT_MR_CLASSES, KEPT_CLASSES, OUTLINE_CLASSES, STRUCTURE_SET

MAX_DEPTH, MAX_ELEMENTS = 32, 100_000
FIRST_CJK = 0x2E80
_ROUTE = frozenset({0x00080054, 0x00080056, 0x00880130, 0x00880140})  # where a copy was fetched from: no part of its content


@dataclass(frozen=True)
class Examined:
    """What a received file is. `verdict` is instance, discard or quarantine; `reason` a code for the last two."""

    verdict: str
    reason: str = ""
    sop_uid: str = ""
    series_uid: str = ""
    study_uid: str = ""
    modality: str = ""
    content: str = ""
    ids: list[tuple[str, str]] = field(default_factory=list)  # (issuer or "", local id), the main one first
    person: str = ""
    study_date: str = ""
    description: str = ""


class OverLimit(Exception):
    """More sequences inside one another, or more elements, than any image of the study has."""


def examine(path: Path) -> Examined:
    """Judge one file of the spool."""
    if path.stat().st_size > MAX_OBJECT_BYTES:
        return Examined("quarantine", "too-large")
    try:
        dataset = dcmread(path)
        content = content_of(dataset)
        affected = dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID
    except (OverLimit, RecursionError, MemoryError):
        return Examined("quarantine", "limits")
    except Exception:  # whatever a parser can stumble over in bytes from outside
        return Examined("quarantine", "unparseable")
    found = Examined(
        "instance",
        sop_uid=_text(dataset, "SOPInstanceUID"),
        series_uid=_text(dataset, "SeriesInstanceUID"),
        study_uid=_text(dataset, "StudyInstanceUID"),
        modality=_text(dataset, "Modality")[:16],
        content=content,
        ids=local_ids(dataset),
        person=person_name(_text(dataset, "PatientName")),
        study_date=_text(dataset, "StudyDate")[:8],
        description=_text(dataset, "StudyDescription")[:64],
    )
    verdict, reason = _judge(dataset, found, affected)
    return Examined(**{**vars(found), "verdict": verdict, "reason": reason})


def _judge(dataset: Dataset, found: Examined, affected: tuple[str, str]) -> tuple[str, str]:
    sop_class = _text(dataset, "SOPClassUID")
    if (sop_class, found.sop_uid) != affected:
        return "quarantine", "sop-mismatch"
    if sop_class not in CT_MR_CLASSES and sop_class not in OUTLINE_CLASSES:
        return ("quarantine", "class-not-handled") if sop_class in KEPT_CLASSES else ("discard", "class-not-used")
    try:
        reason = _fault(dataset, found)
    except Exception:  # a value that cannot be read as what it should be
        reason = "unparseable"
    return ("quarantine", reason) if reason else ("instance", "")


def _fault(dataset: Dataset, found: Examined) -> str | None:
    if not all(UID.fullmatch(uid) for uid in (found.sop_uid, found.series_uid, found.study_uid)):
        return "missing-uid"
    if not found.ids:
        return "no-patient-id"
    return objections.refusal(dataset) or _pixels(dataset)


def _pixels(dataset: Dataset) -> str | None:
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in TRANSFER_SYNTAXES:
        return "transfer-syntax"
    if _text(dataset, "SOPClassUID") == STRUCTURE_SET:
        return None
    short = not syntax.is_encapsulated and len(dataset.get_item("PixelData").value) < frames.expected_length(dataset)
    return "pixel-length" if short else None


def content_of(dataset: Dataset) -> str:
    """SHA-256 over tag, depth and value bytes of every standard element: the same for one instance sent in implicit or explicit VR."""
    hashed = hashlib.sha256()
    for count, (depth, element) in enumerate(walk(dataset)):
        if depth > MAX_DEPTH or count >= MAX_ELEMENTS:
            raise OverLimit
        if not (element.tag.is_private or element.tag.element == 0 or element.tag in _ROUTE):
            hashed.update(b"%d %d " % (depth, element.tag))
            if not isinstance(element.value, Sequence):
                value = _bytes(element)
                hashed.update(b"%d " % len(value) + value)
    return hashed.hexdigest()


def walk(dataset: Dataset) -> Iterator[tuple[int, DataElement | RawDataElement]]:
    """Every element with its depth (1 at the top), sequences opened, values left raw; deeper than MAX_DEPTH is not opened."""
    todo = [(1, dataset)]
    while todo:
        depth, level = todo.pop()
        for tag in sorted(level.keys()):
            element = level.get_item(tag)
            if element is None:
                continue
            if element.VR == "SQ" or (element.VR in (None, "UN") and not tag.is_private and level[tag].VR == "SQ"):
                element = level[tag]
                if depth <= MAX_DEPTH:
                    todo.extend((depth + 1, item) for item in element.value or [])
            yield depth, element


def local_ids(dataset: Dataset) -> list[tuple[str, str]]:
    """(issuer, id) of PatientID, OtherPatientIDs and OtherPatientIDsSequence as links are written; the issuer may be empty."""
    holders = [dataset, *(dataset.get("OtherPatientIDsSequence") or [])]
    ids = [(_text(holder, "IssuerOfPatientID"), _text(holder, "PatientID")) for holder in holders]
    others = _text(dataset, "OtherPatientIDs").split("\\")
    found = [(local(issuer), local(one)) for issuer, one in [*ids, *(("", other) for other in others)]]
    return list(dict.fromkeys(pair for pair in found if pair[1])) if found[0][1] else []


def person_name(text: str) -> str:
    """A person's name as people write it: the ideographic group when there is one, family name first, half-width (PS3.5 §6.2.1)."""
    groups = [" ".join(group.replace("^", " ").split()) for group in text.split("=")]
    ideographic = groups[1].replace(" ", "") if len(groups) > 1 else ""
    return unicodedata.normalize("NFKC", ideographic or groups[0])[:64]


def _text(dataset: Dataset, name: str) -> str:
    element, charset = dataset.get_item(name), dataset.get_item("SpecificCharacterSet")
    raw = b"" if element is None else _bytes(element)
    return decoded(raw, b"" if charset is None else _bytes(charset)).strip("\0 ")


def decoded(raw: bytes, charset: bytes) -> str:
    """A text in the charset it is labelled with when that is Unicode or GB; else UTF-8 if that reads as Chinese, else GB18030.

    Hospitals label GBK as Latin-1 or not at all, and many a GBK word is also valid UTF-8 of another script.
    """
    labelled = {b"ISO_IR 192": "utf-8", b"GB18030": "gb18030", b"GBK": "gb18030"}.get(charset.strip(b" \0"))
    for encoding in (labelled,) if labelled else ("utf-8", "gb18030"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if labelled or encoding == "gb18030" or all(letter.isascii() or ord(letter) >= FIRST_CJK for letter in text):
            return text
    return raw.decode("latin-1")


def _bytes(element: DataElement | RawDataElement) -> bytes:
    value = element.value
    if isinstance(value, bytes):
        return value
    if value is None:
        return b""
    return value.encode() if isinstance(value, str) else "\\".join(map(str, value if hasattr(value, "append") else [value])).encode()
