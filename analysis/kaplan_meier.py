"""The Kaplan–Meier curve: survival, its standard error, confidence limits and median (AN-01, AN-15).

A value that the data do not determine is NaN and is printed as NE (not estimable): limits where S is 0 or 1, a median
never reached, anything beyond the last observation while S > 0.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from analysis.survival_times import Durations, Floats, durations

Limits = Literal["log", "log-log", "plain"]
LIMITS: tuple[Limits, ...] = ("log", "log-log", "plain")

_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True)
class Interval:
    """Lower and upper confidence limits, both of the shape of the estimate; NaN where not estimable."""

    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class Curve:
    """A right-continuous step function S(t) at its distinct event times, each array of shape (m,), m ≥ 0.

    `hazard_variance` is Σ d/(n(n−d)), the variance of log S (Greenwood); infinite from where S is 0. `observed` are all
    n times in order: who is at risk, censored, and where the curve ends.
    """

    n: int
    time: Floats
    at_risk: Floats
    events: Floats
    survival: Floats
    hazard_variance: Floats
    observed: Floats
    level: float

    @property
    def last(self) -> float:
        """The longest time anybody was observed."""
        return float(self.observed[-1])

    @property
    def censored(self) -> Floats:
        """The distinct times at which somebody was censored."""
        time, number = distinct(self.observed)
        place = np.searchsorted(self.time, time)
        died = np.append(self.time, np.nan)[place] == time
        return time[number > np.where(died, np.append(self.events, 0.0)[place], 0.0)]

    @cached_property
    def standard_error(self) -> Floats:
        """Standard error of S, not of log S; NaN where S is 0."""
        return self._spread(self.survival, self.hazard_variance)

    def interval(self, kind: Limits = "log-log") -> Interval:
        """Pointwise limits of S at the event times."""
        return limits(self.survival, self.hazard_variance, kind, self.level)

    def at(self, times: ArrayLike) -> "Points":
        """S and its variance read at any times; NaN beyond the last observation unless S has reached 0."""
        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        step = np.searchsorted(self.time, wanted + _TOLERANCE * np.abs(wanted), side="right")
        survival = np.concatenate(([1.0], self.survival))[step]
        variance = np.concatenate(([0.0], self.hazard_variance))[step]
        unknown = (wanted > self.last) & (survival > 0)
        survival, variance = np.where(unknown, np.nan, survival), np.where(unknown, np.nan, variance)
        return Points(wanted, self.number_at_risk(wanted), survival, self._spread(survival, variance), variance, self.level)

    def number_at_risk(self, times: ArrayLike) -> Floats:
        """How many were still under observation just before each time."""
        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        first = np.searchsorted(self.observed, wanted - _TOLERANCE * np.abs(wanted), side="left")
        return (self.n - first).astype(np.float64)

    def median(self) -> float:
        """The time at which S reaches one half; NaN when it does not."""
        return _crossing(self.time, self.survival)

    def median_interval(self, kind: Limits = "log") -> tuple[float, float]:
        """Brookmeyer–Crowley limits of the median; R's default is "log"."""
        interval = self.interval(kind)
        return _crossing(self.time, interval.lower), _crossing(self.time, interval.upper)

    @staticmethod
    def _spread(survival: Floats, variance: Floats) -> Floats:
        with np.errstate(invalid="ignore"):
            return survival * np.sqrt(variance)


@dataclass(frozen=True)
class Points:
    """A curve read at chosen times, each array of the shape of `time`."""

    time: Floats
    at_risk: Floats
    survival: Floats
    standard_error: Floats
    hazard_variance: Floats
    level: float

    def interval(self, kind: Limits = "log-log") -> Interval:
        return limits(self.survival, self.hazard_variance, kind, self.level)


def kaplan_meier(time: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> Curve:
    """The product-limit estimate of Kaplan and Meier (1958) with Greenwood's variance (1926). Raises ValueError as `durations`."""
    return _curve(durations(time, event), level)


def reverse_kaplan_meier(time: ArrayLike, event: ArrayLike, *, level: float = 0.95) -> Curve:
    """Follow-up potential: the curve with event and censoring exchanged (Schemper and Smith 1996, AN-15).

    Whoever had the event is censored then; the median is the median follow-up.
    """
    known = durations(time, event)
    return _curve(Durations(known.time, ~known.event), level)


def limits(survival: Floats, hazard_variance: Floats, kind: Limits, level: float) -> Interval:
    """Limits of S from the variance of log S, as R `survfit` has them, and NaN where S is 0 or 1 (AN-01)."""
    z = ndtri(0.5 + level / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.where((survival > 0) & (survival < 1), survival, np.nan)
        error = z * np.sqrt(hazard_variance)
        match kind:
            case "plain":
                lower, upper = inside - inside * error, inside + inside * error
            case "log":
                lower, upper = inside * np.exp(-error), inside * np.exp(error)
            case "log-log":
                log = np.log(inside)
                lower, upper = np.exp(log * np.exp(-error / log)), np.exp(log * np.exp(error / log))
            case _:
                raise ValueError(f"confidence limits {kind!r} are not one of {', '.join(LIMITS)}")
        return Interval(np.maximum(lower, 0.0), np.minimum(upper, 1.0))


def _curve(known: Durations, level: float) -> Curve:
    if not 0 < level < 1:
        raise ValueError(f"confidence level {level:g} must lie between 0 and 1")
    observed = np.sort(known.time)
    time, events = distinct(np.sort(known.time[known.event]))
    at_risk = (known.n - np.searchsorted(observed, time, side="left")).astype(np.float64)
    left = at_risk - events
    with np.errstate(divide="ignore"):
        variance = np.cumsum(events / (at_risk * left))
    return Curve(known.n, time, at_risk, events, np.multiply.accumulate(left / at_risk), variance, observed, level)


def distinct(ordered: Floats) -> tuple[Floats, Floats]:
    """The distinct values of an ordered array and how often each occurs."""
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if ordered.size else np.zeros(0, np.int64)
    return ordered[first], np.diff(np.append(first, ordered.size)).astype(np.float64)


def _crossing(time: Floats, survival: Floats) -> float:
    """Where a curve falls to one half: the middle of the step when it stays there exactly, as R `survmean` has it."""
    at_or_below = np.flatnonzero(survival < 0.5 + _TOLERANCE)
    if at_or_below.size == 0:
        return float("nan")
    first = at_or_below[0]
    below = np.flatnonzero(survival < survival[first])
    if abs(survival[first] - 0.5) < _TOLERANCE and below.size:
        return float((time[first] + time[below[0]]) / 2)
    return float(time[first])
