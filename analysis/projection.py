"""How many events there will be, told from everybody together (AN-19): one constant hazard, its uncertainty and that of chance. Pure.

Blinded: it knows no tag and no treatment. A hazard that falls with time makes it too high far ahead; it is drawn anew each month.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.sample_size import power_of

DRAWS, SEED = 4000, 1
EVENLY = 0.5
"""The share of either group that the power is told for: the real one is not known before the opening."""


@dataclass(frozen=True)
class Projection:
    """Events by `days` from now: the expected number with 95 % limits, and the power it gives for each hazard ratio asked."""

    days: int
    events: float
    lower: float
    upper: float
    power: tuple[float, ...]


def project(
    observed: ArrayLike, event: ArrayLike, left: ArrayLike, days: Sequence[int], ratios: Sequence[float] = (0.75, 0.7)
) -> list[Projection]:
    """From days observed (n,), whether an event ended them, and for how many more days each may be followed (0 after an event).

    The hazard has Jeffreys' prior: gamma with events + ½. Raises ValueError without an event or without time.
    """
    time, ended, more = (np.asarray(each, dtype=np.float64) for each in (observed, event, left))
    if not time.shape == ended.shape == more.shape or time.sum() <= 0 or ended.sum() < 1:
        raise ValueError("a projection needs events and time under observation")
    random = np.random.default_rng(SEED)
    so_far, total = float(ended.sum()), float(time.sum())
    hazard = random.gamma(so_far + 0.5, 1 / total, DRAWS)
    waiting = more[(ended == 0) & (more > 0)]
    found = []
    for day in days:
        ahead, how_many = np.unique(np.minimum(waiting, day), return_counts=True)
        expected = so_far + float(how_many @ -np.expm1(-so_far / total * ahead))
        drawn = so_far + random.binomial(how_many, -np.expm1(-hazard[:, None] * ahead)).sum(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        power = tuple(power_of(expected, ratio, share=EVENLY) for ratio in ratios)
        found.append(Projection(day, expected, float(low), float(high), power))
    return found
