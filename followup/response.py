"""Response of a tumour under treatment from two measurements, by the rule of RECIST 1.1 and mRECIST, for several readers.

mRECIST (Lencioni and Llovet 2010) measures the viable part, RECIST 1.1 the whole lesion; from the sums of diameters the rule is the same:
nothing left is complete response, −30 % or less partial response, +20 % or more progression, else stable disease. New lesions are
progression whatever was measured. Used after recurrence and for retrospective cohorts; recurrence itself has a table of its own. Several
scans with their targets, the nadir and what cannot be assessed are in `followup.targets`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

_PARTIAL, _PROGRESSION = -0.30, 0.20


class Response(StrEnum):
    COMPLETE = "CR"
    PARTIAL = "PR"
    STABLE = "SD"
    PROGRESSION = "PD"
    NOT_EVALUABLE = "NE"
    """Of a whole scan (`followup.targets`); two sums alone give a reason of `NotUsed` in its place."""


class NotUsed(StrEnum):
    """Why a measurement gives no response."""

    BEFORE_BASELINE = "BEFORE_BASELINE"
    NOT_MEASURED = "NOT_MEASURED"
    NO_LESION_AT_BASELINE = "NO_LESION_AT_BASELINE"


@dataclass(frozen=True, slots=True)
class Measured:
    """Sums of diameters in mm that one reader measured at baseline and at follow-up; None where he did not."""

    baseline: float | None
    follow_up: float | None
    new_lesion: bool = False


def response(measured: Measured, *, days_after: float) -> Response | NotUsed:
    """The category of one reader, or why there is none; a scan from before baseline is never used (EP-10).

    Raises ValueError for a negative size.
    """
    if days_after < 0:
        return NotUsed.BEFORE_BASELINE
    if measured.baseline is None or measured.follow_up is None:
        return NotUsed.NOT_MEASURED
    if min(measured.baseline, measured.follow_up) < 0:
        raise ValueError("a size is not negative")
    if measured.new_lesion:
        return Response.PROGRESSION
    if measured.baseline == 0:
        return NotUsed.NO_LESION_AT_BASELINE
    return _by_change((measured.follow_up - measured.baseline) / measured.baseline)


def _by_change(change: float) -> Response:
    """By the share gained or lost; −1 is that nothing is left."""
    if change <= -1:
        return Response.COMPLETE
    if change <= _PARTIAL:
        return Response.PARTIAL
    return Response.PROGRESSION if change >= _PROGRESSION else Response.STABLE


def agreed(by_reader: Mapping[str, Response | NotUsed]) -> Response | None:
    """What all readers who measured say; None where they differ (a third reader decides) or nobody measured."""
    said = {each for each in by_reader.values() if isinstance(each, Response)}
    return said.pop() if len(said) == 1 else None
