"""A date of which only the month or the year may be known, and the day it stands for in an analysis.

Source: EP-09. Written as ISO 8601 text that stops where the knowledge stops: `2026`, `2026-05`, `2026-05-03`. The central
choice puts an unknown day on the 15th and an unknown month on 1 July; the sensitivity choices take the earliest and the
latest day possible. What else is known about the patient bounds all three.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Self

_FORM = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


class Imputation(StrEnum):
    CENTRAL = "central"
    EARLIEST = "earliest"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class PartialDate:
    """A calendar date known to the day, the month or the year. Raises ValueError for a day that never was."""

    year: int
    month: int | None = None
    day: int | None = None

    def __post_init__(self) -> None:
        if self.day is not None and self.month is None:
            raise ValueError("a day without its month is no date")
        date(self.year, self.month or 1, self.day or 1)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The date that ISO 8601 text says. Raises ValueError for any other form."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no date of the form 2026, 2026-05 or 2026-05-03")
        return cls(*(int(part) for part in found.groups() if part))

    @property
    def exact(self) -> bool:
        return self.day is not None

    @property
    def earliest(self) -> date:
        return date(self.year, self.month or 1, self.day or 1)

    @property
    def latest(self) -> date:
        month = self.month or 12
        return date(self.year, month, self.day or monthrange(self.year, month)[1])

    @property
    def central(self) -> date:
        return date(self.year, self.month or 7, self.day or (15 if self.month else 1))


@dataclass(frozen=True, slots=True)
class Placed:
    """The day a partial date stands for, and the first and last day it may have been."""

    on: date
    first: date
    last: date


def place(partial: PartialDate, *, after: date, before: date, imputation: Imputation) -> Placed:
    """Put a partial date between `after` and `before` (both allowed). Raises ValueError where nothing of it lies there."""
    first, last = max(partial.earliest, after), min(partial.latest, before)
    if first > last:
        raise ValueError(f"{partial} does not lie between {after} and {before}")
    wanted = {Imputation.CENTRAL: partial.central, Imputation.EARLIEST: first, Imputation.LATEST: last}[imputation]
    return Placed(min(max(wanted, first), last), first, last)
