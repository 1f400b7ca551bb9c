"""How closely a group of participants is looked after: checks of the disease a year, beside those that the protocol plans. Pure.

Source: EP-08. Who is looked at more often is found out earlier: a difference between centers or groups moves recurrence-free survival.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from followup.history import History
from studies.protocol import Visit

DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class Intensity:
    """Adequate checks made and planned visits begun within so many days under observation."""

    checks: int
    planned: int
    days: int

    @property
    def a_year(self) -> float:
        """Checks made for each person and year; NaN where nobody was observed."""
        return _rate(self.checks, self.days)

    @property
    def planned_a_year(self) -> float:
        return _rate(self.planned, self.days)


def intensity(observed: Iterable[tuple[History, int]], visits: Sequence[Visit]) -> Intensity:
    """Of histories with the days of recurrence-free observation of each: up to recurrence, death or the last adequate check.

    The check that found a recurrence counts, what came after it does not; a planned visit counts from the day its window opens.
    """
    checks = planned = days = 0
    for history, time in observed:
        checks += len(checked_days(history, time))
        planned += sum(visit.first_day <= time for visit in visits)
        days += time
    return Intensity(checks, planned, days)


def checked_days(history: History, until: int) -> tuple[int, ...]:
    """The days after surgery, up to `until`, on which the disease was adequately looked for; two examinations of one day are one check."""
    days = {(each.on - history.surgery).days for each in history.assessments if each.adequate}
    return tuple(sorted(day for day in days if 0 < day <= until))


def _rate(count: int, days: int) -> float:
    return count * DAYS_PER_YEAR / days if days else float("nan")
