"""Is anything of a person left in a DICOM object that claims to be de-identified? Asked again by the platform for every object.

The hospital's edge has removed what identifies; this is the second look, at what is there rather than at what was done (DI-01, DI-02,
DI-05): only listed attributes, only known words, only keyed UIDs. A finding is a code and the keyword of the element, never its value.
"""

from collections.abc import Iterator

from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from imaging.edge import deidentify, outlines, vocabulary
from imaging.edge.rules import RULES

KEYED_ROOT, STANDARD_ROOT = "2.25.", "1.2.840.10008."
DEEPEST, MOST_ELEMENTS = 32, 100_000

# What the edge adds to say that, and how, an object was de-identified (PS3.15 E.1.1); everything else must be in its table of rules.
STAMPS = frozenset(
    {
        "PatientName", "PatientID", "ClinicalTrialSubjectID", "PatientIdentityRemoved", "DeidentificationMethod",
        "DeidentificationMethodCodeSequence", "CodeValue",
        "CodingSchemeDesignator", "CodeMeaning", "LongitudinalTemporalInformationModified", "RecognizableVisualFeatures",
        "SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence",
        "DerivationCodeSequence", "PurposeOfReferenceCodeSequence", *outlines.FIXED,
    }
)  # fmt: skip
_PHASE_WORDS = frozenset(code for code, _ in vocabulary.WORDS)
_AGENT_WORDS = frozenset(code for code, _ in vocabulary.AGENTS)
_MAKER_WORDS = frozenset(code for code, _ in vocabulary.MAKERS)
_OVERLAYS = frozenset((*range(0x5000, 0x5100), *range(0x6000, 0x6100)))  # curves and overlays
_OTHER = frozenset({"OTHER"})
_REGION_WORDS = frozenset(code for code, _ in vocabulary.REGIONS) | {vocabulary.ANY_REGION}
_MEANINGS = {meaning for _, meaning in deidentify.CODES_APPLIED} | {outlines.TISSUE[2], outlines.DERIVED[2], outlines.SOURCE[2]}
_FIXED = {"CodeMeaning": _MEANINGS, **{keyword: {value} for keyword, value in outlines.FIXED.items()}}
"""What the edge itself writes, word for word."""
_WORDS = {
    "words": _PHASE_WORDS,
    "agent": _AGENT_WORDS,
    "maker": _MAKER_WORDS | _OTHER,
    "code": vocabulary.CODES | _OTHER | {"CT", "MR"},
    "region": _REGION_WORDS,
}


class Malformed(Exception):
    """The object is nested deeper, or holds more elements, than any image needs (NW-06)."""


def leftovers(dataset: FileDataset, study_number: str) -> list[str]:
    """What an object still says about a person, as sorted codes `code:Keyword`; an empty list means it may be archived.

    `study_number` is the only name and number it may carry. Raises Malformed for a bomb.
    """
    found = set(_declarations(dataset, study_number))
    if (dataset.preamble or b"").strip(b"\0"):
        found.add("preamble:FilePreamble")
    for count, (depth, element) in enumerate(_walk(dataset, 0), start=1):
        if depth > DEEPEST or count > MOST_ELEMENTS:
            raise Malformed("too deep" if depth > DEEPEST else "too many elements")
        if code := _fault(element, study_number):
            found.add(f"{code}:{keyword_for_tag(element.tag) or 'unnamed'}")
    return sorted(found)


def _declarations(dataset: FileDataset, study_number: str) -> Iterator[str]:
    for keyword in ("PatientID", "PatientName", "ClinicalTrialSubjectID"):
        if str(dataset.get(keyword, "" if keyword.startswith("Patient") else study_number)) != study_number:
            yield f"not_study_number:{keyword}"
    if dataset.get("PatientIdentityRemoved", "") != "YES":
        yield "not_declared:PatientIdentityRemoved"
    if dataset.file_meta.get("MediaStorageSOPInstanceUID") != dataset.get("SOPInstanceUID"):
        yield "uid_mismatch:MediaStorageSOPInstanceUID"
    for element in dataset.file_meta:
        if element.tag.is_private or element.keyword in {"PrivateInformation", "SourceApplicationEntityTitle"}:
            yield f"file_meta:{element.keyword or 'unnamed'}"


def _walk(dataset: Dataset, depth: int) -> Iterator[tuple[int, DataElement]]:
    for tag in sorted(dataset.keys()):
        if tag.group == 0x7FE0:  # the pixels; everything before and after them is read
            continue
        element = dataset[tag]
        yield depth, element
        if element.VR == "SQ" and depth <= DEEPEST:
            for item in element.value:
                yield from _walk(item, depth + 1)


def _fault(element: DataElement, study_number: str) -> str:
    """What is wrong with an element that may be there: private and overlay groups may not even be empty."""
    if element.tag.is_private:
        return "private"
    if element.tag.group in _OVERLAYS:
        return "overlay"
    return "" if element.is_empty else _value_fault(element, study_number)


def _value_fault(element: DataElement, study_number: str) -> str:
    if element.keyword not in RULES and element.keyword not in STAMPS:
        return "not_listed"
    if not _in_words(element):
        return "free_text"
    if element.VR == "PN" and str(element.value) != study_number:
        return "person_name"
    if element.VR == "UI" and not all(_is_known(uid) for uid in _values(element)):
        return "foreign_uid"
    return ""


def _in_words(element: DataElement) -> bool:
    """Whether an element that may hold words holds known ones only."""
    rule = RULES.get(element.keyword, "")
    if element.keyword in _FIXED:
        return all(value in _FIXED[element.keyword] for value in _values(element))
    if rule == "device":
        text = "\\".join(_values(element))
        return vocabulary.device_words(text) == text
    words = _WORDS.get(rule)
    return words is None or all(word in words for value in _values(element) for word in value.split())


def _values(element: DataElement) -> list[str]:
    return [str(value) for value in (element.value if element.VM > 1 else [element.value])]


def _is_known(uid: str) -> bool:
    return not uid or (UID(uid).is_valid and uid.startswith((KEYED_ROOT, STANDARD_ROOT)))
