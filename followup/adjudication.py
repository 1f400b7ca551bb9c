"""What blinded readers of one case conclude together, how far two readers agree, and how far a center agrees with them (EP-12). Pure.

Two read apart; where they differ a third decides. The site's own event stays as it was reported; the comparison is a sensitivity.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Generic, Protocol, Self, TypeVar

_READERS = 2
MOST = _READERS + 1
"""No case is read more often."""
_Z = 1.959963984540054


class Reads(Protocol):
    """What a verdict is made of: one reader's finding, which agrees with another's or not."""

    @property
    def reader(self) -> str: ...

    def agrees(self, other: Self) -> bool: ...


R = TypeVar("R", bound=Reads)


class Conclusion(StrEnum):
    """What a reader finds in a case."""

    FREE = "free"
    RECURRENCE = "recurrence"
    NOT_EVALUABLE = "not_evaluable"


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader's conclusion; a recurrence has the day after surgery on which it was first seen, nothing else has one (EP-02)."""

    reader: str
    conclusion: Conclusion
    first_seen_day: int | None = None

    def __post_init__(self) -> None:
        if (self.conclusion == Conclusion.RECURRENCE) != (self.first_seen_day is not None):
            raise ValueError("a recurrence has the day on which it was first seen, and nothing else has")

    def agrees(self, other: "Reading") -> bool:
        """Whether both conclude the same, a recurrence on the same day."""
        return (self.conclusion, self.first_seen_day) == (other.conclusion, other.first_seen_day)


@dataclass(frozen=True, slots=True)
class Verdict(Generic[R]):
    """The readers' conclusion: None while they have none; `third` says whether a third reader is or was needed."""

    reading: R | None
    third: bool


def verdict(readings: Sequence[R]) -> Verdict[R]:
    """From one, two or three readings in the order they were made. Raises ValueError for a fourth, or a reader who read twice."""
    if len({each.reader for each in readings}) < len(readings) or len(readings) > MOST:
        raise ValueError("a case is read by two, and by a third where they differ, each once")
    if len(readings) < _READERS:
        return Verdict(None, third=False)
    first, second = readings[:_READERS]
    if first.agrees(second):
        return Verdict(first, third=False)
    return Verdict(readings[_READERS] if len(readings) > _READERS else None, third=True)


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa (1960) of n cases with the 95 % limits of Fleiss, Cohen and Everitt (1969); NaN where both always say the same one."""

    n: int
    agreement: float
    value: float
    lower: float
    upper: float


def kappa(first: Sequence[str], second: Sequence[str]) -> Kappa:
    """Agreement of two raters beyond chance, unweighted. Raises ValueError for no case or unequal numbers of them."""
    n = len(first)
    if n == 0 or n != len(second):
        raise ValueError("kappa needs the same cases, one at least, from both")
    labels = sorted({*first, *second})
    cells = Counter(zip(first, second, strict=True))
    share = {pair: cells[pair] / n for pair in cells}
    rows = {label: sum(share.get((label, other), 0.0) for other in labels) for label in labels}
    columns = {label: sum(share.get((other, label), 0.0) for other in labels) for label in labels}
    observed = sum(share.get((label, label), 0.0) for label in labels)
    chance = sum(rows[label] * columns[label] for label in labels)
    if chance >= 1:
        return Kappa(n, observed, float("nan"), float("nan"), float("nan"))
    value = (observed - chance) / (1 - chance)
    same = sum(share.get((label, label), 0.0) * (1 - (rows[label] + columns[label]) * (1 - value)) ** 2 for label in labels)
    apart = (1 - value) ** 2 * sum(part * (columns[one] + rows[other]) ** 2 for (one, other), part in share.items() if one != other)
    variance = (same + apart - (value - chance * (1 - value)) ** 2) / (n * (1 - chance) ** 2)
    spread = _Z * sqrt(max(variance, 0.0))
    return Kappa(n, observed, value, value - spread, value + spread)
