"""Cox's model with a gamma frailty that the patients of a center share (AN-04): the penalised likelihood of Therneau and Grambsch (2003).

For a given variance θ the log frailties are coefficients with the penalty Σ(exp w − w)/θ; θ maximises the integrated likelihood. What R
calls `frailty(center, distribution = "gamma")`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar
from scipy.special import gammaln, ndtri

from analysis.cox import Ties, likelihood
from analysis.risk_sets import RiskSets, risk_sets
from analysis.survival_times import Floats, codes

_LOWEST, _HIGHEST = -14.0, 3.0  # of log θ; below, the frailties are 1 to the seventh digit
_MOST_STEPS, _SMALL_STEP = 60, 1e-10


@dataclass(frozen=True)
class FrailtyFit:
    """Coefficient and standard error of the one covariate, variance θ of the frailty, log frailty of each center in sorted order."""

    coef: float
    standard_error: float
    variance: float
    frailty: Floats
    loglik: float

    @property
    def hazard_ratio(self) -> tuple[float, float, float]:
        """The ratio with its 95 % Wald limits."""
        spread = float(ndtri(0.975)) * self.standard_error
        value, low, high = np.exp([self.coef, self.coef - spread, self.coef + spread])
        return float(value), float(low), float(high)


def frailty(
    x: ArrayLike, time: ArrayLike, event: ArrayLike, center: ArrayLike, *, strata: ArrayLike | None = None,
    weights: ArrayLike | None = None, ties: Ties = "efron",
) -> FrailtyFit:  # fmt: skip
    """Fit one covariate (n,) with a frailty for each center. Raises ValueError as `risk_sets`, and for a single center."""
    values = np.asarray(x, dtype=np.float64)
    labels = codes(center, values.size, "the center")
    if labels.max(initial=0) == 0:
        raise ValueError("a frailty of centers needs two of them")
    columns = np.column_stack([values, labels[:, None] == np.arange(labels.max() + 1)])
    sets = risk_sets(columns, time, event, ties=ties, strata=strata, weights=weights, entry=None)
    deaths = sets.x[sets.deaths, 1:].T @ sets.weight[sets.deaths]

    def lost(log_variance: float) -> float:
        return -_integrated(sets, deaths, float(np.exp(log_variance)))[0]

    found = minimize_scalar(lost, bounds=(_LOWEST, _HIGHEST), method="bounded", options={"xatol": 1e-7})
    variance = float(np.exp(found.x))
    loglik, beta, inverse = _integrated(sets, deaths, variance)
    return FrailtyFit(float(beta[0]), float(np.sqrt(inverse[0, 0])), variance, beta[1:], loglik)


def _integrated(sets: RiskSets, deaths: Floats, variance: float) -> tuple[float, Floats, Floats]:
    """The likelihood with the frailties integrated out, the coefficients at its penalised maximum, the inverse of its curvature."""
    beta = np.zeros(sets.x.shape[1])
    value = _penalised(sets, beta, variance)
    for _step in range(_MOST_STEPS):
        step = np.linalg.solve(value[2], value[1])
        following = _penalised(sets, beta + step, variance)
        while following[0] < value[0] - 1e-9 * abs(value[0]):
            step = step / 2
            following = _penalised(sets, beta + step, variance)
        beta, value = beta + step, following
        if np.abs(step).max() < _SMALL_STEP:
            break
    shape = 1 / variance
    known = shape - (shape + deaths) * np.log(shape + deaths) + shape * np.log(shape) + gammaln(shape + deaths) - gammaln(shape)
    inverse = np.asarray(np.linalg.inv(value[2]), dtype=np.float64)
    return value[0] + float(known.sum()), beta, inverse


def _penalised(sets: RiskSets, beta: Floats, variance: float) -> tuple[float, Floats, Floats]:
    """Log likelihood less the penalty, its gradient and its negative curvature."""
    state, log_frailty = likelihood(sets, beta), beta[1:]
    with np.errstate(over="ignore"):
        pull = np.exp(log_frailty)
    gradient, curvature = state.gradient.copy(), state.information.copy()
    gradient[1:] -= (pull - 1) / variance
    curvature[1:, 1:] += np.diag(pull / variance)
    return state.loglik - float((pull - log_frailty).sum()) / variance, gradient, curvature
