"""How consecutive a center's screening is: gaps, order, lag, and its log against its own count of resections (EN-01). Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median


@dataclass(frozen=True)
class Line:
    """What the report reads of a line of the screening log."""

    number: int
    surgery_date: date
    screened_on: date
    status: str
    age: int | None = None
    sex: str = "U"
    from_edge: bool = False


@dataclass(frozen=True)
class Month:
    """One month of surgery; `resections` is what the center reported, None when it has not."""

    first: date
    resections: int | None
    screened: int
    enrolled: int

    @property
    def not_screened(self) -> int:
        """Resections that stand in no line of the log."""
        return max((self.resections or 0) - self.screened, 0)

    @property
    def too_many(self) -> int:
        """Lines beyond the reported count: the count must be wrong."""
        return max(self.screened - self.resections, 0) if self.resections is not None else 0


@dataclass(frozen=True)
class Lags:
    """Days from surgery to screening."""

    median: float
    longest: int
    over_30: int


@dataclass(frozen=True)
class Report:
    """The report of one center. `gaps` are numbers that no line has, `behind` lines entered after a later surgery (number → days),
    `twins` pairs of a typed line and one of the operating list that agree in date, age and sex."""

    screened: int
    enrolled: int
    months: tuple[Month, ...]
    gaps: tuple[int, ...]
    behind: tuple[tuple[int, int], ...]
    lags: Lags | None
    twins: tuple[tuple[int, int], ...]

    @property
    def resections(self) -> int:
        """All that was reported."""
        return sum(month.resections or 0 for month in self.months)

    @property
    def not_screened(self) -> int:
        """Resections of all months that stand in no line."""
        return sum(month.not_screened for month in self.months)

    @property
    def unreported(self) -> tuple[date, ...]:
        """Months without a count; the last one is still running."""
        return tuple(month.first for month in self.months[:-1] if month.resections is None)

    @property
    def in_order(self) -> int:
        """Lines that were entered in the order of surgery."""
        return self.screened - len(self.behind)


def report(lines: Iterable[Line], counts: Mapping[date, int], first: date, today: date) -> Report:
    """The report over a center's whole log; `counts` by the first day of the month, months run from `first` to `today`."""
    log = sorted(lines, key=lambda line: line.number)
    return Report(
        screened=len(log),
        enrolled=sum(line.status == "enrolled" for line in log),
        months=_months(log, counts, first, today),
        gaps=_gaps([line.number for line in log]),
        behind=_behind(log),
        lags=_lags(log),
        twins=_twins(log),
    )


def months_between(first: date, last: date) -> list[date]:
    """The first day of every month from that of `first` to that of `last`."""
    begin, end = first.year * 12 + first.month - 1, last.year * 12 + last.month - 1
    return [date(number // 12, number % 12 + 1, 1) for number in range(begin, end + 1)]


def _months(log: Sequence[Line], counts: Mapping[date, int], first: date, today: date) -> tuple[Month, ...]:
    screened = Counter(line.surgery_date.replace(day=1) for line in log)
    enrolled = Counter(line.surgery_date.replace(day=1) for line in log if line.status == "enrolled")
    begin = min([first, *screened, *counts])
    return tuple(Month(each, counts.get(each), screened[each], enrolled[each]) for each in months_between(begin, today))


def _gaps(numbers: Sequence[int]) -> tuple[int, ...]:
    return tuple(sorted(set(range(1, max(numbers, default=0) + 1)) - set(numbers)))


def _behind(log: Sequence[Line]) -> tuple[tuple[int, int], ...]:
    latest: date | None = None
    behind = []
    for line in log:
        if latest is not None and line.surgery_date < latest:
            behind.append((line.number, (latest - line.surgery_date).days))
        latest = max(latest or line.surgery_date, line.surgery_date)
    return tuple(behind)


def _lags(log: Sequence[Line]) -> Lags | None:
    days = [(line.screened_on - line.surgery_date).days for line in log]
    return Lags(float(median(days)), max(days), sum(day > 30 for day in days)) if days else None


def _twins(log: Sequence[Line]) -> tuple[tuple[int, int], ...]:
    """Nobody but the hospital can tell whether two lines are one patient; these are worth a look."""
    known = [line for line in log if line.age is not None]
    typed: dict[tuple[date, int | None, str], list[int]] = {}
    for line in known:
        if not line.from_edge:
            typed.setdefault((line.surgery_date, line.age, line.sex), []).append(line.number)
    return tuple(
        (number, line.number) for line in known if line.from_edge for number in typed.get((line.surgery_date, line.age, line.sex), [])
    )
