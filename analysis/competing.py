"""Competing risks: the cumulative incidence of each cause and its standard error (Aalen–Johansen; EP-05, AN-10)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from analysis.survival_times import Durations, Floats, Ints, durations

Variance = Literal["jackknife", "multinomial"]


@dataclass(frozen=True)
class Incidence:
    """P(failed from `cause` by t): a step function at the distinct times of any failure, arrays of shape (m,)."""

    cause: int
    time: Floats
    estimate: Floats
    standard_error: Floats
    last: float

    def at(self, times: ArrayLike) -> tuple[Floats, Floats]:
        """Estimate and standard error at any times; NaN beyond the last observation."""
        wanted = np.atleast_1d(np.asarray(times, dtype=np.float64))
        step = np.searchsorted(self.time, wanted * (1 + 1e-9), side="right")
        beyond = wanted > self.last * (1 + 1e-9)
        estimate, error = np.concatenate(([0.0], self.estimate))[step], np.concatenate(([0.0], self.standard_error))[step]
        return np.where(beyond, np.nan, estimate), np.where(beyond, np.nan, error)


def causes(time: ArrayLike, cause: ArrayLike) -> tuple[Durations, Ints]:
    """Checked times with a cause each: 0 censored, 1, 2, … the cause of failure. Raises ValueError as `durations`."""
    values = np.asarray(cause)
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size and not (np.isfinite(numbers).all() and (numbers >= 0).all() and (numbers == np.rint(numbers)).all()):
        raise ValueError("a cause of failure must be 0 (censored), 1, 2, …")
    return durations(time, numbers > 0), numbers.astype(np.int64)


def cumulative_incidence(time: ArrayLike, cause: ArrayLike, of: int = 1, *, variance: Variance = "jackknife") -> Incidence:
    """The Aalen–Johansen estimate of the incidence of cause `of`, the other causes competing.

    The variance is the infinitesimal jackknife, which R `survfit` uses for several states, in the closed form of Gaynor
    et al. (1993): Σ (F(t)−F)² d/(n(n−d)) + Σ S² d₁(n−d₁)/n³ − 2 Σ (F(t)−F) S d₁/n². "multinomial" is Aalen's (1978) with the
    correction for ties of R `cmprsk`.
    """
    known, kind = causes(time, cause)
    observed = np.sort(known.time)
    times = np.unique(known.time[known.event])
    if times.size == 0:
        return Incidence(of, times, times, times, float(observed[-1]))
    n = (known.n - np.searchsorted(observed, times, side="left")).astype(np.float64)
    place = np.searchsorted(times, known.time[known.event])
    d = np.bincount(place, minlength=times.size).astype(np.float64)
    mine = np.bincount(place[kind[known.event] == of], minlength=times.size).astype(np.float64)
    before = np.concatenate(([1.0], np.multiply.accumulate(1 - d / n)[:-1]))
    estimate = np.cumsum(before * mine / n)
    squared = (_variance if variance == "jackknife" else _aalen_variance)(n, d, mine, before, estimate)
    return Incidence(of, times, estimate, np.sqrt(np.maximum(squared, 0.0)), float(observed[-1]))


def _variance(n: Floats, d: Floats, mine: Floats, before: Floats, estimate: Floats) -> Floats:
    """Gaynor's sums, (F(t)−F)² multiplied out so that one pass serves all t."""
    jump = np.divide(d, n * (n - d), out=np.zeros_like(d), where=n > d)
    cross = before * mine / n**2
    a, b, c = np.cumsum(jump), np.cumsum(jump * estimate), np.cumsum(jump * estimate**2)
    own = np.cumsum(before**2 * mine * (n - mine) / n**3)
    return np.asarray(estimate**2 * a - 2 * estimate * b + c + own - 2 * (estimate * np.cumsum(cross) - np.cumsum(cross * estimate)))


def _aalen_variance(n: Floats, d: Floats, mine: Floats, before: Floats, estimate: Floats) -> Floats:
    """Σ ((F(t)−F)/S)² v₂ + Σ (1−(F(t)−F)/S)² v₁, S after the jump and v the multinomial variances of the two kinds of jump.

    Where S falls to 0 the last jump adds v₁ alone.
    """
    after = before * (n - d) / n
    scale = np.divide(1.0, after**2, out=np.zeros_like(after), where=after > 0)
    spread = (before / n) ** 2 * np.divide(1.0, n - 1, out=np.zeros_like(n), where=n > 1)
    own, others = spread * mine * (n - mine), spread * (d - mine) * (n - d + mine)
    total = np.zeros_like(n)
    for jump, shift in ((others * scale, estimate), (own * scale, estimate + after)):
        a, b, c = np.cumsum(jump), np.cumsum(jump * shift), np.cumsum(jump * shift**2)
        total += estimate**2 * a - 2 * estimate * b + c
    return np.asarray(total + np.where(after > 0, 0.0, own))
