"""Cohorts in which two traps of time lie: treatment that must be survived to be had (F3), and visits that come late (F4)."""

import numpy as np

from analysis.survival_times import Bools, Floats

MONTH = 30.4375
VISITS = (1, 3, 6, 9, 12, 15, 18, 21, 24, 30, 36, 42)
"""Months of the planned visits; each takes place between 14 days before and 30 days after."""
TRUTH = 0.45
"""S at day 1096 in `seen_at_visits`: relapses are exponential."""
READ_AT = 1126
"""The end of the visit window of month 36."""


def treated_by_chance(seed: int, n: int = 600) -> tuple[Floats, Bools, Bools]:
    """Times, events, and whether treatment, which does nothing, began within 90 days; the dead and recurred never begin it.

    Relapse exponential with mean 400 days, start of treatment uniform on 0 to 180 days, follow-up uniform on 400 to 1,500 days.
    """
    random = np.random.default_rng(seed)
    relapse, start, followed = random.exponential(400, n), random.uniform(0, 180, n), random.uniform(400, 1500, n)
    return np.minimum(relapse, followed), relapse <= followed, (start <= 90) & (start < relapse)


RATE = -np.log(TRUTH) / 1096


def seen_between_visits(seed: int, n: int = 1000) -> tuple[Floats, Floats]:
    """For each relapse the last visit before it (0: none) and the first after it (infinite: none): it lies between the two."""
    random = np.random.default_rng(seed)
    relapse = random.exponential(1 / RATE, n)
    visits = MONTH * np.array(VISITS) + np.column_stack([random.uniform(-14, 30, n) for _ in VISITS])
    after = visits >= relapse[:, None]
    return np.where(after, 0.0, visits).max(axis=1), np.where(after, visits, np.inf).min(axis=1)


def seen_at_visits(seed: int, n: int = 1000) -> tuple[Floats, Bools]:
    """Times and events of the same relapses, each dated by the visit that saw it; who is free at the last visit is censored there."""
    before, seen = seen_between_visits(seed, n)
    event = np.isfinite(seen)
    return np.where(event, seen, before), event


def read_in_the_window(share: float) -> float:
    """What the curve of dates of visits says, in expectation, when a share of the month-36 visits is done: exponential by hand.

    Nobody is censored before month 42, so the curve is the share not yet seen to relapse: free at the visit of month 36 where it is
    done, at that of month 30 where it is not. A visit is uniform over its 44 days, and so is a done one over the part that has passed.
    """
    done = _mean_survival(36 * MONTH - 14, 36 * MONTH - 14 + 44 * share) if share else 0.0
    return share * done + (1 - share) * _mean_survival(30 * MONTH - 14, 30 * MONTH + 30)


def _mean_survival(first: float, last: float) -> float:
    """The mean of exp(-rate t) over a stretch of days."""
    return float((np.exp(-RATE * first) - np.exp(-RATE * last)) / (RATE * (last - first)))
