"""From dated facts to endpoints: recurrence-free survival, overall survival, time to recurrence, each with its reason.

Source: EP-01 to EP-06, EP-09, EP-13. One function serves the prospective cut and the retrospective training table (MD-01).
Times are whole days from surgery (day 0) in the center's calendar.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from followup.history import Fault, History, Recurrence, faults
from followup.partial_date import Imputation, Placed, place
from followup.schedule import Window

DAYS_PER_MONTH = 30.4375
EARLY_DAYS = 60  # EP-13: an earlier recurrence may be residual disease
DAY = timedelta(days=1)

_MISSED = 2


class Reason(StrEnum):
    """Why a time ends where it ends."""

    RECURRENCE = "RECURRENCE"
    DEATH = "DEATH"
    LAST_ADEQUATE_ASSESSMENT = "LAST_ADEQUATE_ASSESSMENT"
    NO_ASSESSMENT = "NO_ASSESSMENT"
    LAST_KNOWN_ALIVE = "LAST_KNOWN_ALIVE"
    MISSED_ASSESSMENTS = "MISSED_ASSESSMENTS"
    NEW_THERAPY = "NEW_THERAPY"


EVENTS = frozenset({Reason.RECURRENCE, Reason.DEATH})


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A time in days with the reason it ends, the day it ends on, and the first and last day that may have been (EP-09)."""

    time: int
    reason: Reason
    on: date
    first: date
    last: date

    @property
    def event(self) -> bool:
        return self.reason in EVENTS

    @property
    def imputed(self) -> bool:
        return self.first != self.last

    def straddles(self, day: date) -> bool:
        """True where an imputed date may lie on either side of `day`, a landmark for instance."""
        return self.first <= day < self.last


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The endpoints of one participant at one cutoff. The reason of `rfs` is the cause of the competing-risks analysis too (EP-05)."""

    rfs: Endpoint
    os: Endpoint

    @property
    def possible_residual_disease(self) -> bool:
        """EP-13: stays an event, asks for a second look at R0."""
        return self.rfs.reason == Reason.RECURRENCE and self.rfs.time < EARLY_DAYS


class ImpossibleHistory(ValueError):
    """A history that contradicts itself has no endpoints; `faults` says where (EP-10)."""

    def __init__(self, found: tuple[Fault, ...]) -> None:
        super().__init__("; ".join(f"{fault.contradiction} ({fault.on})" for fault in found))
        self.faults = found


def derive(history: History, *, cutoff: date, imputation: Imputation = Imputation.CENTRAL) -> Outcomes:
    """The endpoints at `cutoff`, from facts dated up to it and up to the day the participant stopped giving data.

    A recurrence counts once confirmed, from the day it was first seen (EP-02). Raises ImpossibleHistory, and ValueError for a
    cutoff before surgery.
    """
    if cutoff < history.surgery:
        raise ValueError("the cutoff is before surgery")
    end = min(cutoff, history.stopped_on or cutoff)
    known = history.until(end)
    if found := faults(known, on=date.max):
        raise ImpossibleHistory(found)
    recurrence = _first_recurrence(known, imputation)
    alive = _last_known_alive(known, recurrence)
    death = _death(known, alive, end, imputation)
    overall = _event(known, Reason.DEATH, death) if death else _censored(known, Reason.LAST_KNOWN_ALIVE, alive)
    if recurrence:
        return Outcomes(_event(known, Reason.RECURRENCE, recurrence), overall)
    return Outcomes(overall if death else _censored_free(known, end), overall)


def censor_after_missed(outcomes: Outcomes, history: History, planned: Sequence[Window]) -> Endpoint:
    """RFS where an event after two or more missed scheduled assessments in a row is censored before the gap (EP-04)."""
    rfs = outcomes.rfs
    if not rfs.event:
        return rfs
    seen = _last_free(history, rfs.on - DAY) or history.surgery
    missed = [window for window in planned if window.opens > seen and window.closes < rfs.on]
    return rfs if len(missed) < _MISSED else replace(_censored_free(history, seen), reason=Reason.MISSED_ASSESSMENTS)


def censor_at_therapy(outcomes: Outcomes, history: History) -> Endpoint:
    """RFS censored at the last adequate assessment before a new anti-cancer therapy that came before its end (EP-04)."""
    earlier = [on for on in history.therapies if on < outcomes.rfs.on]
    return replace(_censored_free(history, min(earlier)), reason=Reason.NEW_THERAPY) if earlier else outcomes.rfs


def free_until(outcomes: Outcomes, history: History) -> int:
    """The last day known free of disease before the end of RFS, in days: what a recurrence seen at a check is known to lie behind (EP-07).

    A death is known to the day; a censored time ends where it ends.
    """
    rfs = outcomes.rfs
    if rfs.reason != Reason.RECURRENCE:
        return rfs.time
    seen = _last_free(history, rfs.on - DAY)
    return (seen - history.surgery).days if seen else 0


def months(days: int) -> float:
    """Days in months of 30.4375 days (EP-01)."""
    return days / DAYS_PER_MONTH


def _last_free(history: History, end: date) -> date | None:
    """The day of the last adequate disease-free assessment after surgery up to `end` (EP-03)."""
    days = (each.on for each in history.assessments if each.disease_free and history.surgery < each.on <= end)
    return max(days, default=None)


def _first_recurrence(known: History, imputation: Imputation) -> Placed | None:
    placed = [_place_recurrence(known, each, imputation) for each in known.recurrences]
    return min(placed, key=lambda each: (each.on, each.last, each.first), default=None)


def _place_recurrence(known: History, recurrence: Recurrence, imputation: Imputation) -> Placed:
    last = min(recurrence.first_seen.latest, recurrence.confirmed_on or date.max, known.death.latest if known.death else date.max)
    free = _last_free(known, last - DAY)
    return place(recurrence.first_seen, after=free + DAY if free else known.surgery, before=last, imputation=imputation)


def _last_known_alive(known: History, recurrence: Placed | None) -> date:
    """EP-06: here a contact counts. A confirmation does not: it may be read after death."""
    days = [each.on for each in known.assessments] + [*known.contacts, *known.therapies]
    return max([known.surgery, *days, *([recurrence.on] if recurrence else [])])


def _death(known: History, alive: date, end: date, imputation: Imputation) -> Placed | None:
    if known.death is None:
        return None
    placed = place(known.death, after=alive, before=known.death.latest, imputation=imputation)
    return placed if placed.on <= end else None


def _event(known: History, reason: Reason, placed: Placed) -> Endpoint:
    return Endpoint((placed.on - known.surgery).days, reason, placed.on, placed.first, placed.last)


def _censored(known: History, reason: Reason, on: date) -> Endpoint:
    return Endpoint((on - known.surgery).days, reason, on, on, on)


def _censored_free(known: History, end: date) -> Endpoint:
    """Censored at the last adequate disease-free assessment up to `end`, or at day 0 where there is none (EP-03)."""
    free = _last_free(known, end)
    return _censored(known, Reason.LAST_ADEQUATE_ASSESSMENT, free) if free else _censored(known, Reason.NO_ASSESSMENT, known.surgery)
