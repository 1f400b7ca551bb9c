"""De-identification of one CT or MR image by the allow-list of `rules`, under the center's own key (DI-01…DI-05).

The output is built anew from what is listed; nothing of the input's header, preamble, private or trailing bytes is carried over. The same
input, key and study number always give the same bytes. Patient names, local ids and original UIDs never leave this module.
"""

import hashlib
import hmac
import re
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom import config
from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.edge import frames, part10, vocabulary
from imaging.edge.rules import EMPTY, RULES, RULES_SHA256

CODES_APPLIED = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
OLDEST = 89
_ALWAYS = ("PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName")
_GRAMMAR = {
    "DS": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII),
    "IS": re.compile(r"[+-]?\d{1,12}", re.ASCII),
    "date": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII),
    "time": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", re.ASCII),
    "datetime": re.compile(
        r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d(\.\d{1,6})?([+-]\d{4})?", re.ASCII
    ),
    "offset": re.compile(r"[+-](0\d|1[0-4])[0-5]\d", re.ASCII),
}
_STRUCT = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "AT": "HH"}
_LARGEST, _DIGITS = 1e9, 16  # of a number in text: a telephone or identity card number has more digits
_LONGS, _SHORTS = 2**24, 2**13 - 1  # of whole numbers; of several 16-bit ones
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_DAYS_PER = {"D": 1, "W": 7, "M": 30.4375}
_FACTS_TEXT = """
    StudyDate SeriesDate SeriesTime AcquisitionDate AcquisitionTime SeriesNumber SeriesDescription ProtocolName ContrastBolusAgent
    ContrastBolusStartTime FrameOfReferenceUID ImageType BodyPartExamined PatientPosition Manufacturer ManufacturerModelName
    SoftwareVersions ConvolutionKernel KVP SliceThickness SpacingBetweenSlices PixelSpacing Rows Columns MagneticFieldStrength
    RepetitionTime EchoTime FlipAngle DiffusionBValue ScanningSequence SequenceVariant TemporalPositionIdentifier PatientAge
    PatientSex
"""
_FACTS = _FACTS_TEXT.split()


LOOKED_AT = frozenset({"burned-in", "derived-secondary"})
"""Reasons that a person may set aside after looking at the image; the others are facts that looking does not change."""


class Refused(Exception):
    """An image may not leave; the argument is a reason code of the quarantine."""


@dataclass(frozen=True)
class Cleaned:
    """One de-identified image: the whole file's bytes, its pseudonymous UIDs, and the phase and scanner facts of its series."""

    data: bytes
    sop_class: str
    sop_uid: str
    series_uid: str
    study_uid: str
    modality: str
    lossy: bool
    facts: dict[str, str] = field(default_factory=dict)


def keyed_uid(key: bytes, uid: str) -> str:
    """`2.25.` and the first 128 bits of HMAC-SHA-256(center key, UID) as a decimal integer (DI-05); at most 44 characters."""
    return f"2.25.{int.from_bytes(hmac.digest(key, uid.encode(), 'sha256')[:16], 'big')}"


def keyed_subject(key: bytes, center: str, local_id: str) -> str:
    """A stable subject code for images without a study number: the center and 12 digits of HMAC-SHA-256(center key, local id)."""
    return f"{center}-{hmac.digest(key, b'subject' + bytes(1) + local_id.encode(), hashlib.sha256).hex()[:12]}"


def refusal(source: Dataset, accepted: frozenset[str] = frozenset()) -> str | None:
    """The reason code for which an image may not leave as it is, or None: text may be burned into it (DI-03), or a rule cannot hold.

    `accepted` are the codes of LOOKED_AT for which a person looked at the image and saw that it names nobody.
    """
    return next((reason for reason in _refusals(source) if reason not in accepted & LOOKED_AT), None)


def _refusals(source: Dataset) -> Iterator[str]:
    kinds = [str(value).strip().upper() for value in _values(source, "ImageType")]
    if str(source.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        yield "burned-in"
    if kinds[:2] == ["DERIVED", "SECONDARY"]:
        yield "derived-secondary"
    if any(tag.group & 0xFF00 == 0x6000 and tag.element == 0x0100 and source[tag].value != 1 for tag in source.keys()):  # noqa: SIM118
        yield "overlay-in-pixels"
    if "ModalityLUTSequence" in source:
        yield "modality-lut"
    if "PixelData" not in source:
        yield "no-pixels"


def deidentify(source: Dataset, *, key: bytes, subject: str, software: str, accepted: frozenset[str] = frozenset()) -> Cleaned:
    """Build the image that may leave from a parsed one. `subject` becomes PatientID and PatientName, `accepted` as in `refusal`.

    Raises Refused with a reason code for what a rule cannot make safe.
    """
    syntax = source.file_meta.TransferSyntaxUID
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if reason := refusal(source, accepted):
            raise Refused(reason)
        image = _filtered(source, key, signed=source.get("PixelRepresentation") == 1)
        _set_pixels(image, source, syntax)
        facts = {name: _fact(image[name].value) for name in _FACTS if name in image}
        _stamp(image, source, subject, software)
        data = _file_bytes(image, ExplicitVRLittleEndian if syntax == ImplicitVRLittleEndian else syntax)
    return Cleaned(
        data=data,
        sop_class=str(image.SOPClassUID),
        sop_uid=str(image.SOPInstanceUID),
        series_uid=str(image.SeriesInstanceUID),
        study_uid=str(image.StudyInstanceUID),
        modality=str(image.get("Modality", "OT")),
        lossy=image.get("LossyImageCompression") == "01" or syntax in frames.LOSSY,
        facts=facts,
    )


def _values(source: Dataset, name: str) -> list[Any]:
    value = source.get(name)
    return [] if value is None else [value] if isinstance(value, str) else list(value)


def _filtered(source: Dataset, key: bytes, *, signed: bool) -> Dataset:
    kept = Dataset()
    for tag in source.keys():  # noqa: SIM118 - iterating a dataset would parse what is going to be removed
        name = keyword_for_tag(tag)
        rule = RULES.get(name, "")
        if rule == "sequence" and isinstance(source[tag].value, Sequence):
            kept.add_new(tag, "SQ", Sequence([_filtered(item, key, signed=signed) for item in source[tag].value]))
        elif rule == "number":
            _keep(kept, tag, *_numbers(source.get_item(tag), name, signed=signed))
        elif rule not in ("", "pixels", "sequence"):
            _keep(kept, tag, dictionary_VR(tag), _text(_raw(source.get_item(tag)), rule, key))
    return kept


def _keep(kept: Dataset, tag: BaseTag, vr: str, value: Any) -> None:
    if value is not None:
        kept[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)


def _text(raw: bytes, rule: str, key: bytes) -> str | list[str] | None:
    """What may leave of a text, or None. It is judged as bytes: never decoded by a charset that the sender claims."""
    if rule in _BYTES_RULES:
        return _BYTES_RULES[rule](raw)
    parts = [part.decode("ascii", errors="replace").strip(" \0") for part in raw.split(b"\\")]
    if rule == "uid":
        return keyed_uid(key, parts[0]) if parts[0] else None
    return _PARTS_RULES[rule](parts)


def _codes(parts: list[str]) -> list[str] | None:
    return [part if part in vocabulary.CODES else "OTHER" for part in parts] if parts[0] in vocabulary.CODES else None


def _grammatical(rule: str) -> Callable[[list[str]], str | None]:
    return lambda parts: parts[0] if _GRAMMAR[rule].fullmatch(parts[0]) else None


def _within(codes: list[str], room: int = 64) -> str | None:
    """Codes joined by spaces, as many as an LO has room for."""
    while len(" ".join(codes)) > room:
        codes = codes[:-1]
    return " ".join(codes) or None


def _numbers(element: DataElement | RawDataElement | None, name: str, *, signed: bool) -> tuple[str, Any]:
    """The VR and numbers of an element whose declared VR, count and digits are those that DICOM gives it; else None."""
    tag = tag_for_keyword(name) or 0
    vr = dictionary_VR(tag).replace("US or SS", "SS" if signed else "US")
    declared = None if element is None else element.VR
    if declared not in (None, "UN", vr, *(("US", "SS", "US or SS") if dictionary_VR(tag) == "US or SS" else ())):
        return vr, None
    values = _digits(_raw(element), vr) if vr in ("DS", "IS") else _binary(element, vr)
    multiplicity = dictionary_VM(tag)
    if not values or (multiplicity.isdigit() and len(values) != int(multiplicity)) or (vr in _STRUCT and not _plausible(values, vr)):
        return vr, None
    return vr, values if len(values) > 1 else values[0]


def _digits(raw: bytes, vr: str) -> list[str] | None:
    parts = [part.decode("ascii", errors="replace").strip(" \0") for part in raw.split(b"\\")]
    if not all(_GRAMMAR[vr].fullmatch(part) and abs(float(part)) < _LARGEST for part in parts):
        return None
    return [part if len(part) <= _DIGITS else f"{float(part):.9g}" for part in parts]


def _binary(element: DataElement | RawDataElement | None, vr: str) -> list[Any] | None:
    value = None if element is None else element.value
    if not isinstance(value, bytes):
        return None if value is None else list(value) if isinstance(value, (list, tuple, MultiValue)) else [value]
    code = _STRUCT[vr]
    size = struct.calcsize(f"<{code}")
    if len(value) % size or not value:
        return None
    pairs = list(struct.unpack(f"<{len(value) // size}{code[0]}" if len(code) == 1 else f"<{len(value) // 2}H", value))
    return pairs if vr != "AT" else [(group << 16) + item for group, item in zip(pairs[::2], pairs[1::2], strict=True)]


def _plausible(values: list[Any], vr: str) -> bool:
    """Whether binary numbers are of a size that an image has: eight letters read as one number are not."""
    if vr == "AT":
        return all(keyword_for_tag(int(value)) for value in values)
    if vr in ("FL", "FD"):
        return all(value == 0 or 1 / _LARGEST < abs(value) < _LARGEST for value in values)
    most = _SHORTS if vr in ("US", "SS") and len(values) > 1 else _LONGS
    return all(abs(int(value)) <= most for value in values)


def _raw(element: DataElement | RawDataElement | None) -> bytes:
    value = None if element is None else element.value
    if isinstance(value, bytes):
        return value
    if isinstance(value, (list, tuple, MultiValue)):
        return "\\".join(str(part) for part in value).encode()
    return b"" if value is None else str(value).encode()


def _age(text: str) -> str | None:
    found = _AGE.fullmatch(text)
    if found is None:
        return None
    count, unit = int(found[1]), found[2]
    years = count if unit == "Y" else int(count * _DAYS_PER[unit] / 365.25)
    return f"{min(years, OLDEST):03d}Y"


def _age_between(born: str, on: str) -> str | None:
    if not (_GRAMMAR["date"].fullmatch(born) and _GRAMMAR["date"].fullmatch(on)) or born > on:
        return None
    years = int(on[:4]) - int(born[:4]) - (on[4:] < born[4:])
    return f"{min(years, OLDEST):03d}Y"


_BYTES_RULES: dict[str, Callable[[bytes], str | None]] = {
    "words": lambda raw: _within(vocabulary.phase_words(raw)),
    "agent": lambda raw: _within(vocabulary.codes_in(raw, vocabulary.AGENTS)[:1]),
    "maker": lambda raw: (vocabulary.codes_in(raw, vocabulary.MAKERS) or ["OTHER"])[0],
    "device": lambda raw: vocabulary.device_words(raw) or None,
}
_PARTS_RULES: dict[str, Callable[[list[str]], str | list[str] | None]] = {
    **{rule: _grammatical(rule) for rule in ("date", "time", "datetime", "offset")},
    "class": lambda parts: parts[0] if parts[0] in UID_dictionary else None,
    "code": _codes,
    "sex": lambda parts: parts[0] if parts[0] in ("M", "F", "O") else None,
    "age": lambda parts: _age(parts[0]),
}


def _set_pixels(image: Dataset, source: Dataset, syntax: UID) -> None:
    element = source.get_item("PixelData")
    data = element.value if element is not None else b""
    try:
        if syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian):
            image.add_new("PixelData", "OW" if image.BitsAllocated > 8 else "OB", frames.native(image, data))
            return
        image.add_new("PixelData", "OB", frames.encapsulated(image, data, syntax))
        image["PixelData"].is_undefined_length = True
    except frames.FramesRefused as reason:
        raise Refused(str(reason)) from None
    except (AttributeError, TypeError, ValueError):
        raise Refused("pixel-length") from None


def _stamp(image: Dataset, source: Dataset, subject: str, software: str) -> None:
    """Who it is for the study, and what was done (PS3.15 E.3, PS3.3 C.12.1 and C.7.1.1)."""
    if "PatientAge" not in image:
        age = _age_between(str(source.get("PatientBirthDate") or ""), str(image.get("StudyDate") or ""))
        if age is not None:
            image.PatientAge = age
    image.PatientID = image.PatientName = subject
    for name in EMPTY:
        if name not in image and (
            name in source or name in _ALWAYS or (name == "PositionReferenceIndicator" and "FrameOfReferenceUID" in image)
        ):
            setattr(image, name, None)
    image.PatientIdentityRemoved = "YES"
    image.LongitudinalTemporalInformationModified = "UNMODIFIED"
    image.DeidentificationMethod = f"{software} rules {RULES_SHA256[:12]}"[:64]
    image.DeidentificationMethodCodeSequence = Sequence([_code(value, meaning) for value, meaning in CODES_APPLIED])


def _code(value: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return item


def _file_bytes(image: Dataset, syntax: UID) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID, meta.ImplementationVersionName = UID(part10.IMPLEMENTATION_UID), part10.IMPLEMENTATION_VERSION
    image.file_meta, image.preamble = meta, bytes(128)
    out = BytesIO()
    dcmwrite(out, image, enforce_file_format=True)
    return out.getvalue()


def _fact(value: Any) -> str:
    return "\\".join(str(part) for part in value) if isinstance(value, MultiValue) else str(value)
