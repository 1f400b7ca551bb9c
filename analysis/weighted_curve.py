"""The weighted Kaplan–Meier curve, for weights that say how much a row stands for, not how often it was seen (AN-08).

Its variance is the infinitesimal jackknife (Lin and Wei's idea for the curve; R `survfit(robust = TRUE)`): with weights of
1 it is Greenwood's, and multiplying every weight by the same number changes nothing. It treats the weights as known; where
they were estimated, the bootstrap of `analysis.weighting` is the interval to quote.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.kaplan_meier import Curve
from analysis.survival_times import Bools, Floats, Ints, case_weights, durations


@dataclass(frozen=True)
class WeightedCurve(Curve):
    """A Curve whose `at_risk` and `events` are sums of weights; the rows are ordered by time."""

    weight: Floats
    failed: Bools

    @property
    def censored(self) -> Floats:
        """The distinct times at which somebody was censored."""
        return np.unique(self.observed[~self.failed])

    def number_at_risk(self, times: ArrayLike) -> Floats:
        """The sum of the weights at risk just before each time."""
        return self._from(self.weight, times)

    def effective_at_risk(self, times: ArrayLike) -> Floats:
        """Kish's effective number at risk just before each time, (Σw)²/Σw²; 0 when nobody is."""
        total, squares = self._from(self.weight, times), self._from(self.weight**2, times)
        return np.divide(total**2, squares, out=np.zeros_like(total), where=squares > 0)

    def mean_variance(self, remaining: Floats) -> float:
        """Variance of the restricted mean from the area that remains after each event time before the horizon."""
        area = np.concatenate((remaining, np.zeros(self.time.size - remaining.size)))
        return float(np.sum(_influence(self, area) ** 2))

    def _from(self, amount: Floats, times: ArrayLike) -> Floats:
        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        first = np.searchsorted(self.observed, wanted - 1e-9 * np.abs(wanted), side="left")
        return np.append(np.cumsum(amount[::-1])[::-1], 0.0)[first]


def weighted_kaplan_meier(time: ArrayLike, event: ArrayLike, weights: ArrayLike, *, level: float = 0.95) -> WeightedCurve:
    """The product-limit estimate with weights ≥ 0. Raises ValueError as `durations` and `case_weights`."""
    known = durations(time, event)
    weight = case_weights(weights, known.n)
    order = np.argsort(known.time, kind="stable")
    order = order[weight[order] > 0]
    observed, failed, weight = known.time[order], known.event[order], weight[order]
    times = np.unique(observed[failed])
    first = np.searchsorted(observed, times, side="left")
    at_risk = np.append(np.cumsum(weight[::-1])[::-1], 0.0)[first]
    events = np.add.reduceat(weight[failed], np.searchsorted(observed[failed], times)) if times.size else times
    survival = np.where(_last_fails(observed, failed, times), 0.0, np.multiply.accumulate(1 - events / at_risk))
    bare = WeightedCurve(order.size, times, at_risk, events, survival, np.zeros(times.size), observed, level, weight, failed)
    return replace(bare, hazard_variance=_log_variance(bare))


def _last_fails(observed: Floats, failed: Bools, times: Floats) -> Bools:
    """Where the curve falls to 0 exactly: the last time, if everybody observed then fails (sums of weights only come near it)."""
    zero = np.zeros(times.size, dtype=bool)
    if times.size and failed[observed == observed[-1]].all():
        zero[-1] = True
    return zero


def _position(curve: WeightedCurve) -> Ints:
    """For each row, how many event times are at or before its time."""
    return np.searchsorted(curve.time, curve.observed, side="right").astype(np.int64)


def _inverse(curve: WeightedCurve) -> Floats:
    """1/(Y(1−h)) at each event time; 0 where the curve falls to 0, whose standard error is not estimable anyway."""
    left = curve.at_risk - curve.events
    return np.divide(1.0, left, out=np.zeros_like(left), where=curve.survival > 0)


def _influence(curve: WeightedCurve, area: Floats) -> Floats:
    """How much one more unit of weight on each row, times its weight, moves the area under the curve."""
    inverse = _inverse(curve)
    drift = np.concatenate(([0.0], np.cumsum(curve.events / curve.at_risk * inverse * area)))
    position = _position(curve)
    own = np.where(curve.failed, np.append(inverse * area, 0.0)[np.maximum(position, 1) - 1], 0.0)
    return np.asarray(curve.weight * (drift[position] - own))


def _log_variance(curve: WeightedCurve) -> Floats:
    """Σ over rows of the squared influence on log S at each event time."""
    inverse = _inverse(curve)
    drift = np.cumsum(curve.events / curve.at_risk * inverse)
    position = _position(curve)
    before = np.concatenate(([0.0], drift))[position]
    own = np.where(curve.failed, np.append(inverse, 0.0)[np.maximum(position, 1) - 1], 0.0)
    settled = np.concatenate(([0.0], np.cumsum((curve.weight * (own - before)) ** 2)))
    squares = np.append(np.cumsum((curve.weight**2)[::-1])[::-1], 0.0)
    beyond = np.searchsorted(curve.observed, curve.time, side="right")
    variance = settled[beyond] + drift**2 * squares[beyond]
    return np.where(curve.survival > 0, variance, np.inf)
