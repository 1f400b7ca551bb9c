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


def seen_at_visits(seed: int, n: int = 1000) -> tuple[Floats, Bools]:
    """Times and events of relapses that are seen at the first visit after them; who is free at the last visit is censored there."""
    random = np.random.default_rng(seed)
    relapse = random.exponential(-1096 / np.log(TRUTH), n)
    visits = MONTH * np.array(VISITS) + np.column_stack([random.uniform(-14, 30, n) for _ in VISITS])
    seen = np.where(visits >= relapse[:, None], visits, np.inf).min(axis=1)
    event = np.isfinite(seen)
    return np.where(event, seen, visits[:, -1]), event
