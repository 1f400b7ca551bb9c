"""Clone, censor, weight: treated as recommended against otherwise from the day of surgery on, without a landmark (TX-08, F3).

Until the end of the window nobody has deviated from either, so everybody stands in both arms; then each patient leaves the arm that he
did not follow, and who stays is weighted by the inverse of the probability of staying (Hernán et al. 2016, with the deviation at the end
of the grace period). Early events count, in both arms alike; a treatment that works within the window is diluted by that.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analysis.cox import cox
from analysis.propensity import logistic
from analysis.survival_times import Bools, Floats, Ints


@dataclass(frozen=True)
class Cloned:
    """Hazard ratios of "as recommended", stratified by recommendation, errors by person; `naive` without weights."""

    patients: int
    naive: tuple[float, float, float]
    adjusted: tuple[float, float, float]
    p: float


def clone_censor_weight(
    time: Floats, event: Bools, consistent: Bools, *, covariates: Floats, recommended: Ints, window: float = 90.0
) -> Cloned:
    """Arrays of shape (n,), covariates (n, p); `consistent` is read only of who is event-free and followed beyond the window.

    Raises ValueError when a model has no solution or one arm is empty beyond the window.
    """
    beyond = time > window
    score = np.full(time.size, np.nan)
    score[beyond] = logistic(covariates[beyond], consistent[beyond])
    share = float(consistent[beyond].mean())
    stay = np.where(consistent, share / score, (1 - share) / (1 - score))
    person = np.arange(time.size)
    early = np.minimum(time, window)
    rows = np.concatenate((person, person, person[beyond]))
    arm = np.concatenate((np.ones(time.size), np.zeros(time.size), consistent[beyond].astype(np.float64)))
    entry = np.concatenate((np.full(2 * time.size, -1.0), np.full(int(beyond.sum()), window)))
    until = np.concatenate((early, early, time[beyond]))
    failed = np.concatenate((event & ~beyond, event & ~beyond, event[beyond]))
    weight = np.concatenate((np.ones(2 * time.size), stay[beyond]))
    fits = [
        cox(arm, until, failed, strata=recommended[rows], entry=entry, weights=weights, cluster=rows)
        for weights in (np.ones(weight.size), weight)
    ]
    naive, adjusted = (_ratio(fit.coef[0], fit.quoted_error[0]) for fit in fits)
    return Cloned(time.size, naive, adjusted, float(fits[1].p[0]))


def _ratio(coef: float, error: float) -> tuple[float, float, float]:
    spread = float(ndtri(0.975)) * error
    return float(np.exp(coef)), float(np.exp(coef - spread)), float(np.exp(coef + spread))
