"""De-identification of one CT or MR image, or of an outline on one, by the allow-list of `rules`, under the center's own key (DI-01…DI-05).

The output is built anew from what is listed; nothing of the input's header, preamble, private or trailing bytes is carried over. The same
input, key and study number always give the same bytes. Patient names, local ids and original UIDs never leave this module.
"""

import warnings
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pydicom import config
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.edge import frames, outlines, part10, values
from imaging.edge.objections import Refused, refusal
from imaging.edge.rules import EMPTY, RULES, RULES_SHA256

CODES_APPLIED = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),
    ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)
_ALWAYS = ("PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName")
_FACTS_TEXT = """
    StudyDate SeriesDate SeriesTime AcquisitionDate AcquisitionTime SeriesNumber SeriesDescription ProtocolName ContrastBolusAgent
    ContrastBolusStartTime FrameOfReferenceUID ImageType BodyPartExamined PatientPosition Manufacturer ManufacturerModelName
    SoftwareVersions ConvolutionKernel KVP SliceThickness SpacingBetweenSlices PixelSpacing Rows Columns MagneticFieldStrength
    RepetitionTime EchoTime FlipAngle DiffusionBValue ScanningSequence SequenceVariant TemporalPositionIdentifier PatientAge
    PatientSex
"""
_FACTS = _FACTS_TEXT.split()


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
        if "PixelData" in source:
            _set_pixels(image, source, syntax)
        outlines.complete(image, source)
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


def _filtered(source: Dataset, key: bytes, *, signed: bool) -> Dataset:
    kept = Dataset()
    for tag in source.keys():  # noqa: SIM118 - iterating a dataset would parse what is going to be removed
        name = keyword_for_tag(tag)
        rule = RULES.get(name, "")
        if rule == "sequence" and isinstance(source[tag].value, Sequence):
            kept.add_new(tag, "SQ", Sequence([_filtered(item, key, signed=signed) for item in source[tag].value]))
        elif rule == "number":
            _keep(kept, tag, *values.numbers(source.get_item(tag), name, signed=signed))
        elif rule not in ("", "pixels", "sequence"):
            _keep(kept, tag, dictionary_VR(tag), values.text(values.raw_of(source.get_item(tag)), rule, key))
    return kept


def _keep(kept: Dataset, tag: BaseTag, vr: str, value: Any) -> None:
    if value is not None:
        kept[tag] = DataElement(tag, vr, value, validation_mode=config.IGNORE)


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
        age = values.age_between(str(source.get("PatientBirthDate") or ""), str(image.get("StudyDate") or ""))
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
    image.DeidentificationMethodCodeSequence = Sequence([outlines.code(value, "DCM", meaning) for value, meaning in CODES_APPLIED])


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
