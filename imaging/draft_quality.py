"""Drafts of a whole retrospective cohort are checked on a sample: which ones, and may the rest be used? Pure.

The sample is drawn within each center by a keyed order, so that it can be drawn again and nobody chooses. A person corrects the sampled
drafts; the rest may stand when enough of them needed little correction: the lower end of the Wilson interval (E. B. Wilson, JASA 22 (1927)
209) of the share with a Dice of `GOOD` or more must reach `ENOUGH`.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

GOOD = 0.80  # Dice of draft and correction from which a draft needed little correction
ENOUGH = 0.80  # what the lower end of the interval must reach
_Z = 1.959963984540054  # of the two-sided 95 % interval


@dataclass(frozen=True)
class Judgement:
    """How many sampled drafts were good, their share with its 95 % interval, and whether the rest may stand."""

    good: int
    count: int
    share: float
    low: float
    high: float

    @property
    def may_stand(self) -> bool:
        return self.low >= ENOUGH


def sample(names: Iterable[str], *, share: float, salt: str) -> list[str]:
    """The drafts to check: of each center (what stands before the first hyphen) `share` of them, rounded up. Order plays no part."""
    centers: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        centers.setdefault(name.partition("-")[0], []).append(name)
    chosen = [
        name
        for members in centers.values()
        for name in sorted(members, key=lambda name: hashlib.sha256(f"{salt}\0{name}".encode()).digest())[: ceil(share * len(members))]
    ]
    return sorted(chosen)


def judge(dices: Sequence[float]) -> Judgement:
    """What the Dice coefficients of the sampled drafts and their corrections say of the rest. Raises ValueError without any."""
    count, good = len(dices), sum(dice >= GOOD for dice in dices)
    if not count:
        raise ValueError("no draft was compared")
    share, z2 = good / count, _Z**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return Judgement(good, count, share, max(middle - half, 0.0), min(middle + half, 1.0))
