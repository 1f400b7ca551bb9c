"""How many patients will have been sealed before their treatment was known, from the lags that were seen so far. Blinded and pure.

Only dates enter: surgery, batch of the seal, first day on which the treatment was known. So nobody learns a prediction from it (SL-07).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from statistics import quantiles

ENOUGH = 10  # patients from whom a share or a percentile is read; with fewer those of all centers are
DAYS_BEFORE = 7  # a seal is late soon when the earliest treatments are this near
USUALLY = 28  # days after surgery from which treatment is expected while too few have been treated


class Order(StrEnum):
    """Where a patient stands; the first three are final."""

    BEFORE = "before"
    SAME_DAY = "same_day"
    LATE = "late"
    UNSEALED = "unsealed"
    WAITS_FOR_TREATMENT = "waits_for_treatment"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Person:
    """One enrolled patient: center, day of surgery, day of the first seal, first day on which the treatment was known."""

    center: str
    surgery: date
    sealed: date | None
    known: date | None

    @property
    def order(self) -> Order:
        """Seal against treatment, by calendar days."""
        if self.known is None:
            return Order.OPEN if self.sealed is None else Order.WAITS_FOR_TREATMENT
        if self.sealed is None:
            return Order.UNSEALED
        return Order.BEFORE if self.sealed < self.known else Order.SAME_DAY if self.sealed == self.known else Order.LATE


@dataclass(frozen=True, slots=True)
class Line:
    """One center (or all, center ""): counts by order, and the number expected to be evaluable in the end; None with nobody treated yet."""

    center: str
    counts: dict[Order, int]
    enrolled: int
    expected: float | None


def lines(people: Sequence[Person], today: date) -> list[Line]:
    """One line for each center and one for all, last."""
    by_center: dict[str, list[Person]] = {center: [] for center in sorted({one.center for one in people})}
    for one in people:
        by_center[one.center].append(one)
    everybody = Chances(people)
    return [*(_line(center, own, everybody, today) for center, own in by_center.items()), _line("", people, everybody, today)]


class Chances:
    """Of those who, at an age after surgery, were neither sealed nor treated: the share that was sealed in order in the end.

    Who was treated stands in the risk set until the earlier of seal and treatment; so two sorted lists answer for every age.
    """

    def __init__(self, people: Iterable[Person]) -> None:
        treated = [(_left(one), one.order == Order.BEFORE) for one in people if one.known]
        self._all = sorted(left for left, _in_order in treated)
        self._in_order = sorted(left for left, in_order in treated if in_order)

    def __len__(self) -> int:
        return len(self._all)

    def at(self, age: int) -> float | None:
        """The share `age` days after surgery; None where nobody was still waiting then."""
        waiting = len(self._all) - bisect_right(self._all, age)
        return (len(self._in_order) - bisect_right(self._in_order, age)) / waiting if waiting else None


def risky_from(people: Sequence[Person]) -> int:
    """Days after surgery from which an unsealed patient is at risk: a week before the earliest tenth of treatments."""
    lags = [_lag(one.surgery, one.known) for one in people if one.known]
    earliest = quantiles(lags, n=10)[0] if len(lags) >= ENOUGH else USUALLY
    return max(0, int(earliest) - DAYS_BEFORE)


def _line(center: str, people: Sequence[Person], everybody: Chances, today: date) -> Line:
    counts = dict.fromkeys(Order, 0)
    for one in people:
        counts[one.order] += 1
    own = Chances(people)
    certain = counts[Order.BEFORE] + counts[Order.WAITS_FOR_TREATMENT]
    expected: float | None = float(certain)
    for one in people:
        if one.order == Order.OPEN and expected is not None:
            share = _chance(own, everybody, _lag(one.surgery, today))
            expected = None if share is None else expected + share
    return Line(center, counts, len(people), expected)


def _chance(own: Chances, everybody: Chances, age: int) -> float | None:
    share = own.at(age) if len(own) >= ENOUGH else None
    if share is None:
        share = everybody.at(age)
    return everybody.at(0) if share is None else share


def _left(one: Person) -> int:
    """Days after surgery on which a treated patient stopped waiting."""
    days = [day for day in (one.sealed, one.known) if day]
    return _lag(one.surgery, min(days))


def _lag(since: date, day: date) -> int:
    return (day - since).days
