"""Periods with a first and a last day: which days they cover, and where there is a gap. Pure."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import pairwise

Period = tuple[date, date]
"""First and last day, both included."""
DAY = timedelta(days=1)


def covers(periods: Iterable[Period], day: date) -> bool:
    """Whether one of the periods includes a day."""
    return any(first <= day <= last for first, last in periods)


def joined(periods: Iterable[Period]) -> list[Period]:
    """The periods in order, those that overlap or follow each other without a gap made one."""
    runs: list[Period] = []
    for first, last in sorted(periods):
        if runs and first <= runs[-1][1] + DAY:
            runs[-1] = (runs[-1][0], max(runs[-1][1], last))
        else:
            runs.append((first, last))
    return runs


def gaps(periods: Iterable[Period]) -> list[Period]:
    """The days between the first and the last that no period covers."""
    runs = joined(periods)
    return [(before[1] + DAY, after[0] - DAY) for before, after in pairwise(runs)]


def last_day(periods: Iterable[Period], day: date) -> date | None:
    """The last day that is covered without a gap from a day on; None where that day itself is not."""
    return next((last for first, last in joined(periods) if first <= day <= last), None)
