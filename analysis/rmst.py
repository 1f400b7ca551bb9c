"""Restricted mean survival time: the area under the curve up to a horizon, and its differences (AN-06).

The variance is Greenwood's, Σ [∫ from t_i to τ of S]² d/(n(n−d)) (Klein and Moeschberger 2003, 4.5.3), the square of a
standard error of the mean, not the variance of min(T, τ).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.kaplan_meier import Curve
from analysis.survival_times import Floats
from analysis.weighted_curve import WeightedCurve


@dataclass(frozen=True)
class RestrictedMean:
    """Mean time without event within [0, horizon], in the unit of the curve; NaN when the curve ends before the horizon."""

    horizon: float
    estimate: float
    standard_error: float


@dataclass(frozen=True)
class Contrast:
    """First minus second restricted mean, normal limits and two-sided p; `ratio` is first/second with limits by the log."""

    horizon: float
    estimate: float
    standard_error: float
    interval: tuple[float, float]
    p: float
    ratio: float
    ratio_interval: tuple[float, float]


def restricted_mean(curve: Curve, horizon: float) -> RestrictedMean:
    """The area under `curve` up to `horizon` > 0. Raises ValueError for a horizon that is not positive."""
    if not horizon > 0:
        raise ValueError(f"horizon {horizon:g} must be positive")
    if not reaches(curve, horizon):
        return RestrictedMean(horizon, float("nan"), float("nan"))
    area, remaining, inside = areas(curve, horizon)
    if isinstance(curve, WeightedCurve):
        variance = curve.mean_variance(remaining)
    else:
        left = curve.at_risk[inside] - curve.events[inside]
        jump = np.divide(curve.events[inside], curve.at_risk[inside] * left, out=np.zeros_like(left), where=left > 0)
        variance = float(remaining**2 @ jump)
    return RestrictedMean(horizon, area, float(np.sqrt(variance)))


def reaches(curve: Curve, horizon: float) -> bool:
    """Whether the data determine the curve up to the horizon: somebody was observed that long, or S is 0 before."""
    return curve.last >= horizon * (1 - 1e-9) or (curve.survival.size > 0 and curve.survival[-1] == 0)


def areas(curve: Curve, horizon: float) -> tuple[float, Floats, slice]:
    """The area up to the horizon, the area from each event time to it, and which event times lie before it."""
    inside = slice(0, int(np.searchsorted(curve.time, horizon, side="left")))
    edges = np.concatenate(([0.0], curve.time[inside], [horizon]))
    steps = np.diff(edges) * np.concatenate(([1.0], curve.survival[inside]))
    remaining = np.cumsum(steps[::-1])[::-1]
    return float(remaining[0]), remaining[1:], inside


def difference(first: RestrictedMean, second: RestrictedMean, *, level: float = 0.95) -> Contrast:
    """Compare two independent groups at one horizon. Raises ValueError when the horizons differ."""
    if first.horizon != second.horizon:
        raise ValueError(f"restricted means to {first.horizon:g} and to {second.horizon:g} cannot be compared")
    z = float(ndtri(0.5 + level / 2))
    estimate = first.estimate - second.estimate
    error = float(np.hypot(first.standard_error, second.standard_error))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = float(2 * ndtr(-abs(np.float64(estimate) / error)))
        ratio = float(np.float64(first.estimate) / second.estimate)
        relative = float(np.hypot(first.standard_error / np.float64(first.estimate), second.standard_error / np.float64(second.estimate)))
    spread = float(np.exp(z * relative))
    return Contrast(
        first.horizon, estimate, error, (estimate - z * error, estimate + z * error), p, ratio, (ratio / spread, ratio * spread)
    )
