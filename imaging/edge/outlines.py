"""What a segmentation or a structure set must state (PS3.3 A.51, A.19) where its own words may not leave: fixed ones, or nothing."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.edge.rules import OUTLINE_CLASSES

TISSUE = ("85756007", "SCT", "Tissue")
"""The one property that is said of every segment (CID 7150): what it is of is told by its label's code."""
DERIVED, SOURCE = ("113076", "DCM", "Segmentation"), ("121322", "DCM", "Source image for image processing operation")
"""How every segmentation came from the images that it names, and what those were to it (CID 7203, CID 7202)."""
NONE = "0"
FIXED = {"ContentLabel": "SEGMENTATION", "StructureSetLabel": "OUTLINES", "SegmentAlgorithmName": "OTHER", "DeviceSerialNumber": NONE}
_EQUIPMENT = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")  # type 1 (PS3.3 C.7.5.2)
_EMPTY_IN_ITEMS = ("ROIGenerationAlgorithm", "RTROIInterpretedType", "ROIInterpreter")  # type 2


def complete(image: Dataset, source: Dataset) -> None:
    """Add to a filtered outline what its class must have; another object stays as it is."""
    modality = OUTLINE_CLASSES.get(str(source.get("SOPClassUID")))
    if modality is None:
        return
    image.Modality = modality
    if modality == "SEG":
        image.ContentLabel = FIXED["ContentLabel"]
        for name in _EQUIPMENT:
            if not image.get(name):
                setattr(image, name, "OTHER" if name == "Manufacturer" else NONE)
        for segment in image.get("SegmentSequence") or []:
            _segment(segment)
        for item in _derivations(image):
            _derivation(item)
    else:
        image.StructureSetLabel = FIXED["StructureSetLabel"]
        for item, original in _pairs(image, source):
            for name in _EMPTY_IN_ITEMS:
                if name in original and name not in item:
                    setattr(item, name, None)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """One item of a code sequence (PS3.3 §8)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _segment(segment: Dataset) -> None:
    segment.SegmentedPropertyCategoryCodeSequence = Sequence([code(*TISSUE)])
    segment.SegmentedPropertyTypeCodeSequence = Sequence([code(*TISSUE)])
    if segment.get("SegmentAlgorithmType") in ("AUTOMATIC", "SEMIAUTOMATIC"):
        segment.SegmentAlgorithmName = FIXED["SegmentAlgorithmName"]


def _derivations(image: Dataset) -> Iterator[Dataset]:
    shared, frames = image.get("SharedFunctionalGroupsSequence") or [], image.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*shared, *frames):
        yield from group.get("DerivationImageSequence") or []


def _derivation(item: Dataset) -> None:
    item.DerivationCodeSequence = Sequence([code(*DERIVED)])
    for source in item.get("SourceImageSequence") or []:
        source.PurposeOfReferenceCodeSequence = Sequence([code(*SOURCE)])


def _pairs(image: Dataset, source: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    for name in ("StructureSetROISequence", "RTROIObservationsSequence"):
        yield from zip(image.get(name) or [], source.get(name) or [], strict=True)
