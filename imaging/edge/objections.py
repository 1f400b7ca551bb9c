"""Why an image may not leave as it is: text may be burned into it (DI-03), or a rule of the table cannot hold for it."""

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from imaging.edge.rules import STRUCTURE_SET

LOOKED_AT = frozenset({"burned-in", "derived-secondary"})
"""Reasons that a person may set aside after looking at the image; the others are facts that looking does not change."""


class Refused(Exception):
    """An image may not leave; the argument is a reason code of the quarantine."""


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
    if "PixelData" not in source and str(source.get("SOPClassUID")) != STRUCTURE_SET:
        yield "no-pixels"


def _values(source: Dataset, name: str) -> list[Any]:
    value = source.get(name)
    return [] if value is None else [value] if isinstance(value, str) else list(value)
