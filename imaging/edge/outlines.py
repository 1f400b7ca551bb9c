"""What a segmentation or a structure set must state (PS3.3 A.51, A.19) where its own words may not leave: fixed ones, or nothing."""

from collections.abc import Iterator

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from imaging.edge.rules import OUTLINE_CLASSES

TISSUE = ("85756007", "SCT", "Tissue")
"""The one property that is said of every segment (CID 7150): what it is of is told by its label's code."""
FIXED = {"ContentLabel": "SEGMENTATION", "StructureSetLabel": "OUTLINES", "SegmentAlgorithmName": "OTHER"}
_EMPTY_IN_ITEMS = ("ROIGenerationAlgorithm", "RTROIInterpretedType", "ROIInterpreter")  # type 2


def complete(image: Dataset, source: Dataset) -> None:
    """Add to a filtered outline what its class must have; another object stays as it is."""
    modality = OUTLINE_CLASSES.get(str(source.get("SOPClassUID")))
    if modality is None:
        return
    image.Modality = modality
    if modality == "SEG":
        image.ContentLabel = FIXED["ContentLabel"]
        for segment in image.get("SegmentSequence") or []:
            _segment(segment)
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


def _pairs(image: Dataset, source: Dataset) -> Iterator[tuple[Dataset, Dataset]]:
    for name in ("StructureSetROISequence", "RTROIObservationsSequence"):
        yield from zip(image.get(name) or [], source.get(name) or [], strict=True)
