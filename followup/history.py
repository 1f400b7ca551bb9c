"""What is known of one participant after surgery, as dated facts, and which of them cannot be true together.

Source: EP-02, EP-03, EP-09, EP-10. All dates are local calendar dates of the center (EP-01); the order of rows means nothing.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from followup.partial_date import PartialDate


class Finding(StrEnum):
    """What an assessment of the disease found."""

    FREE = "free"
    SUSPECTED = "suspected"
    RECURRENCE = "recurrence"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True)
class Assessment:
    """Imaging or biopsy on a day; `adequate` where it was done as the schedule demands (EP-03)."""

    on: date
    adequate: bool
    finding: Finding

    @property
    def disease_free(self) -> bool:
        return self.adequate and self.finding == Finding.FREE


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrence: the first imaging or biopsy that showed it, and the day it was confirmed (None: not confirmed) (EP-02)."""

    first_seen: PartialDate
    confirmed_on: date | None = None


@dataclass(frozen=True, slots=True)
class History:
    """The dated facts of one participant.

    `contacts` are days on which the participant was known alive without an assessment; `therapies` the first days of later
    anti-cancer therapies; `stopped_on` the day after which no data may be used (EN-04 b).
    """

    surgery: date
    assessments: tuple[Assessment, ...] = ()
    recurrences: tuple[Recurrence, ...] = ()
    death: PartialDate | None = None
    contacts: tuple[date, ...] = ()
    therapies: tuple[date, ...] = ()
    stopped_on: date | None = None

    def until(self, end: date) -> "History":
        """The history as far as facts known to the day go: those later than `end` are left out.

        A partial date stays; whether it counts is decided where it is placed.
        """
        return History(
            self.surgery,
            tuple(each for each in self.assessments if each.on <= end),
            tuple(each for each in self.recurrences if each.confirmed_on and each.confirmed_on <= end),
            self.death,
            tuple(on for on in self.contacts if on <= end),
            tuple(on for on in self.therapies if on <= end),
            self.stopped_on,
        )


class Contradiction(StrEnum):
    """Why a history cannot be true; each raises a query (EP-10)."""

    BEFORE_SURGERY = "BEFORE_SURGERY"
    IN_THE_FUTURE = "IN_THE_FUTURE"
    AFTER_DEATH = "AFTER_DEATH"
    CONFIRMED_BEFORE_SEEN = "CONFIRMED_BEFORE_SEEN"
    FREE_BEFORE_CONFIRMED = "FREE_BEFORE_CONFIRMED"
    DEATH_WITHOUT_MONTH = "DEATH_WITHOUT_MONTH"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A contradiction and the day of the fact that shows it."""

    contradiction: Contradiction
    on: date


def faults(history: History, *, on: date) -> tuple[Fault, ...]:
    """Every contradiction in a history as it is known on the day `on` (the center's calendar), sorted; empty when there is none."""
    found = [*_out_of_range(history, on), *_after_death(history), *_recurrence_faults(history)]
    if history.death and history.death.month is None:
        found.append(Fault(Contradiction.DEATH_WITHOUT_MONTH, history.death.earliest))
    return tuple(sorted(set(found)))


def _days(history: History) -> list[tuple[date, date]]:
    """The earliest and the latest possible day of every fact."""
    exact = [each.on for each in history.assessments] + [*history.contacts, *history.therapies]
    exact += [each.confirmed_on for each in history.recurrences if each.confirmed_on]
    partial = [each.first_seen for each in history.recurrences] + ([history.death] if history.death else [])
    return [(day, day) for day in exact] + [(each.earliest, each.latest) for each in partial]


def _out_of_range(history: History, on: date) -> list[Fault]:
    early = [Fault(Contradiction.BEFORE_SURGERY, last) for _, last in _days(history) if last < history.surgery]
    return early + [Fault(Contradiction.IN_THE_FUTURE, first) for first, _ in _days(history) if first > on]


def _after_death(history: History) -> list[Fault]:
    if not history.death:
        return []
    seen_alive = [each.on for each in history.assessments] + [*history.contacts, *history.therapies]
    seen_alive += [each.first_seen.earliest for each in history.recurrences]
    return [Fault(Contradiction.AFTER_DEATH, day) for day in seen_alive if day > history.death.latest]


def _recurrence_faults(history: History) -> list[Fault]:
    found = []
    for each in history.recurrences:
        if not each.confirmed_on:
            continue
        if each.confirmed_on < each.first_seen.earliest:
            found.append(Fault(Contradiction.CONFIRMED_BEFORE_SEEN, each.confirmed_on))
        free = [one.on for one in history.assessments if one.disease_free]
        found += [Fault(Contradiction.FREE_BEFORE_CONFIRMED, day) for day in free if each.first_seen.latest < day < each.confirmed_on]
    return found
