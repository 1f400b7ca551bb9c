"""How sure one may be where there are few centers, and what remains when each center has a risk of its own (AN-03, AN-04).

The sandwich is too small with ten to fifteen centers: leaving out one after the other, with Student's quantile, is not.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtrit

from analysis.frailty import frailty
from analysis.propensity import overlap
from analysis.weighting import Columns, prepared

Ratio = tuple[float, float, float]
FEWEST = 3


def jackknife(ratio: float, without: Sequence[float]) -> Ratio:
    """A hazard ratio with 95 % limits from those without one center each (Efron 1982; t with a degree of freedom less than centers).

    Raises ValueError for fewer than three centers, or a ratio that is not estimable.
    """
    values = np.log(np.array([ratio, *without], dtype=np.float64))
    if len(without) < FEWEST:
        raise ValueError("errors between centers need three of them")
    if not np.isfinite(values).all():
        raise ValueError("without one of the centers nothing can be estimated")
    k = len(without)
    error = float(np.sqrt((k - 1) / k * np.sum((values[1:] - values[1:].mean()) ** 2)))
    spread = float(stdtrit(k - 1, 0.975)) * error
    value, low, high = np.exp([values[0], values[0] - spread, values[0] + spread])
    return float(value), float(low), float(high)


def shared_frailty(frame: Columns, confounders: Sequence[str], landmark_day: float) -> tuple[Ratio, Ratio]:
    """The naive and the adjusted ratio with a gamma frailty for each center; the adjusted one weighted and stratified as ever.

    Limits are those of the model, given the weights. Raises ValueError as the comparison, and for a single center.
    """
    _names, data, _excluded = prepared(frame, confounders, landmark_day)
    chosen = overlap(data.consistent, data.confounders, (data.center, data.recommended))
    naive = frailty(data.consistent, data.time, data.event, data.center)
    inside = chosen.weight > 0
    kept = data.rows(inside)
    adjusted = frailty(kept.consistent, kept.time, kept.event, kept.center, strata=kept.recommended, weights=chosen.weight[inside])
    return naive.hazard_ratio, adjusted.hazard_ratio
