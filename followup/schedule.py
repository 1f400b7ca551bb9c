"""When a participant is to be seen: the windows of the protocol's visits, and what is due or overdue on a day.

Source: EP-07. Windows come from the protocol; a visit outside its window stays valid for every endpoint and is told as such.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from studies.protocol import Visit


class Standing(StrEnum):
    """How one planned visit stands on a day."""

    NOT_YET = "not_yet"
    DUE = "due"
    DONE = "done"
    DONE_OUTSIDE = "done_outside"
    OVERDUE = "overdue"
    NOT_EXPECTED = "not_expected"


@dataclass(frozen=True, slots=True)
class Window:
    """The dates of one planned visit; `opens` and `closes` belong to it."""

    code: str
    month: int
    target: date
    opens: date
    closes: date

    def holds(self, on: date) -> bool:
        return self.opens <= on <= self.closes


@dataclass(frozen=True, slots=True)
class Planned:
    """A planned visit on a given day: its window, how it stands, and the visit made for it, if any."""

    window: Window
    standing: Standing
    made_on: date | None


def windows(surgery: date, visits: Iterable[Visit]) -> tuple[Window, ...]:
    """The windows of a participant operated on `surgery` (day 0), in order of time."""
    planned = (
        Window(visit.code, visit.month, *(surgery + timedelta(days) for days in (visit.day, visit.first_day, visit.last_day)))
        for visit in visits
    )
    return tuple(sorted(planned, key=lambda window: window.target))


def nearest(planned: Sequence[Window], on: date) -> Window:
    """The planned visit that a visit on this day was made for: the one whose target is nearest, the earlier of two."""
    return min(planned, key=lambda window: (abs(window.target - on), window.target))


def standings(planned: Sequence[Window], made: Iterable[date], *, on: date, ended: date | None = None) -> tuple[Planned, ...]:
    """How every planned visit stands on the day `on`.

    `made` are the visits' dates (later ones than `on` are not known yet). `ended` is the day of death, withdrawal or the end
    of the study for this participant: a visit whose window opens later is not expected.
    """
    visits: dict[Window, list[date]] = {window: [] for window in planned}
    for day in sorted(made):
        if day <= on:
            visits[nearest(planned, day)].append(day)
    return tuple(_stand(window, visits[window], on, ended) for window in planned)


def overdue(planned: Iterable[Planned]) -> tuple[Window, ...]:
    """The windows that closed without a visit."""
    return tuple(each.window for each in planned if each.standing == Standing.OVERDUE)


def _stand(window: Window, made: list[date], on: date, ended: date | None) -> Planned:
    inside = next((day for day in made if window.holds(day)), None)
    if inside:
        return Planned(window, Standing.DONE, inside)
    if made:
        return Planned(window, Standing.DONE_OUTSIDE, min(made, key=lambda day: abs(day - window.target)))
    if ended is not None and ended <= window.closes:
        return Planned(window, Standing.NOT_EXPECTED, None)
    if on > window.closes:
        return Planned(window, Standing.OVERDUE, None)
    return Planned(window, Standing.DUE if window.holds(on) else Standing.NOT_YET, None)
