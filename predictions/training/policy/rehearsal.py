"""A dress rehearsal on retrospective centers: how the prospective comparison would look, were each the one that had no part in the model.

Each center's patients got a recommendation by the model of all others (`value.by_held_out_center`). Consistent are those who received
it. What the comparison will rest on is said beforehand: the consistent fraction, who could have been either (overlap), effective
sample size, expected events, and power by Schoenfeld's formula. No outcome is compared here. Pure.
"""

from typing import Any

import numpy as np
from scipy.stats import norm

from predictions.decision import INTENSITY
from predictions.training.measures.intervals import NORMAL, Floats
from predictions.training.policy.value import Asked
from predictions.training.table import TrainingTable

RATIOS = (0.6, 0.7, 0.8)
OVERLAP = (0.05, 0.95)


def report(asked: Asked, table: TrainingTable, propensity: Floats) -> dict[str, Any]:
    """From recommendations and cross-fitted propensities (n, strategies) of retrospective patients."""
    received = np.array([INTENSITY.index(each) for each in table.strategy])
    consistent = received == asked.rule
    chance = propensity[np.arange(table.n), asked.rule]
    within = (chance > OVERLAP[0]) & (chance < OVERLAP[1])
    weight = np.where(consistent, 1 - chance, chance)
    events, share = int(table.event.sum()), float(consistent.mean())
    return {
        "n": table.n,
        "consistent": share,
        "consistent_by_center": {str(each): float(consistent[table.center == each].mean()) for each in np.unique(table.center)},
        "overlap": float(within.mean()),
        "effective_sample_size": {"consistent": _effective(weight[consistent]), "inconsistent": _effective(weight[~consistent])},
        "events": {"consistent": int(table.event[consistent].sum()), "inconsistent": int(table.event[~consistent].sum())},
        "power": {str(ratio): power(events, share, ratio) for ratio in RATIOS},
    }


def power(events: int, share: float, ratio: float) -> float:
    """Power of a two-sided 5 % log-rank test of `events`, of whom a `share` is in one group, at a hazard ratio (Schoenfeld 1983)."""
    return float(norm.cdf(np.sqrt(events * share * (1 - share)) * abs(np.log(ratio)) - NORMAL))


def _effective(weight: Floats) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) and weight.any() else 0.0
