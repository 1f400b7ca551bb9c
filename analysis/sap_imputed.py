"""The comparison with the gaps of numeric confounders drawn instead of filled by the median (AN-14). Pure: columns in, both ratios out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from analysis.imputation import how_many, imputed, pool
from analysis.kaplan_meier import kaplan_meier
from analysis.survival_times import Floats, codes
from analysis.weighting import compare_naive_and_adjusted, design

Ratio = tuple[float, float, float]


def compare_imputed(
    frame: Mapping[str, Any], gaps: Mapping[str, Floats], *, seed: int, replicates: int, landmark_day: float, horizon_day: float | None
) -> tuple[Ratio, Ratio]:
    """The naive ratio, and the adjusted one pooled over completed tables; the propensity model is fitted in each.

    `gaps` holds the columns of `frame` that have NaN where nothing was recorded. Raises ValueError as the comparison, and where there
    is no gap.
    """
    if not gaps:
        raise ValueError("no numeric confounder has a gap, so nothing is drawn")
    complete = {name: values for name, values in frame.items() if name not in gaps and name.removesuffix("_missing") not in gaps}
    holey = np.column_stack(list(gaps.values()))
    naive: Ratio | None = None
    values, errors = [], []
    for filled in imputed(holey, _predictors(complete), draws=how_many(holey), seed=seed):
        table = complete | {name: filled[:, place] for place, name in enumerate(gaps)}
        found = compare_naive_and_adjusted(
            table, confounders=[name for name in table if name.startswith("x_")], seed=seed, replicates=replicates,
            landmark_day=landmark_day, horizon_day=horizon_day,
        )  # fmt: skip
        one, two = found.naive.hazard_ratio, found.adjusted.hazard_ratio
        naive = (one.value, one.lower, one.upper)
        values.append(float(np.log(two.value)))
        errors.append(float(np.log(two.upper / two.lower) / (2 * ndtri(0.975))))
    pooled = pool(values, errors)
    adjusted = np.exp([pooled.value, *pooled.limits])
    return naive or (np.nan, np.nan, np.nan), (float(adjusted[0]), float(adjusted[1]), float(adjusted[2]))


def _predictors(frame: Mapping[str, Any]) -> Floats:
    """What the gaps are drawn from: event, cumulative hazard, group, center, recommendation, and the confounders without a gap."""
    time, event = np.asarray(frame["time"], dtype=np.float64), np.asarray(frame["event"], dtype=np.float64)
    hazard = -np.log(np.maximum(kaplan_meier(time, event == 1).at(time).survival, 1e-3))
    labels = [codes(frame[name], time.size, name)[:, None] for name in ("center", "recommended")]
    dummies = [np.asarray(label == np.unique(label)[1:], dtype=np.float64) for label in labels]
    named = [name for name in frame if name.startswith("x_")]
    others = [design(frame, named)[1]] if named else []
    return np.column_stack([event, hazard, np.asarray(frame["consistent"], dtype=np.float64), *dummies, *others])
