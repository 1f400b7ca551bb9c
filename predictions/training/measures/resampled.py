"""Discrimination and prediction error of survival models for many bootstrap samples at once.

A sample is a row of counts: how often each patient was drawn. Counts of ones give the estimate itself, so there is one code for
estimate and interval. Definitions and ties as in scikit-survival: Harrell 1996, Uno 2011 (C), Uno 2007 (cumulative/dynamic
AUC), Graf 1999 (Brier), the censoring distribution re-estimated in every sample. Harrell's C is exact: its sums are of whole
and half numbers, which a float holds without error. Pure.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from predictions.training.measures.intervals import Bools, Floats, Ints

TIED = 1e-8  # risks closer than this are tied
BLOCK = 1_000  # rows of the matrix of pairs at a time: 10,000 patients stay within 40 MB


@dataclass(frozen=True)
class Followed:
    """`time` (n,) in days, `event` (n,); `counts` (samples, n) says how often each patient was drawn."""

    time: Floats
    event: Bools
    counts: Floats

    @classmethod
    def once(cls, time: Floats, event: Bools) -> "Followed":
        """The patients themselves, each once."""
        return cls(time, event, np.ones((1, len(time))))

    @classmethod
    def drawn(cls, time: Floats, event: Bools, *, samples: int, seed: int) -> "Followed":
        """`samples` bootstrap samples of the patients."""
        n = len(time)
        draws = np.random.default_rng(seed).integers(0, n, (samples, n))
        offset = draws + n * np.arange(samples)[:, None]
        return cls(time, event, np.bincount(offset.ravel(), minlength=samples * n).reshape(samples, n).astype(np.float64))

    @cached_property
    def days(self) -> Floats:
        return np.unique(self.time)

    @cached_property
    def place(self) -> Ints:
        return np.asarray(np.searchsorted(self.days, self.time))

    def by_day(self, which: Bools) -> Floats:
        """Counts of some patients at each distinct time: (samples, days)."""
        found = np.zeros((len(self.counts), len(self.days)))
        order = np.argsort(self.place[which], kind="stable")
        chosen = self.counts[:, which][:, order]
        places, starts = np.unique(self.place[which][order], return_index=True)
        if len(places):
            found[:, places] = np.add.reduceat(chosen, starts, axis=1)
        return found

    @cached_property
    def uncensored(self) -> Floats:
        """G at each distinct time, deaths before censorings of the same day: (samples, days)."""
        deaths, censored = self.by_day(self.event), self.by_day(~self.event)
        at_risk = np.cumsum((deaths + censored)[:, ::-1], axis=1)[:, ::-1] - deaths
        share = np.divide(censored, at_risk, out=np.zeros_like(censored), where=at_risk > 0)
        return np.asarray(np.cumprod(1 - share, axis=1))

    @cached_property
    def own(self) -> Floats:
        """G at each patient's own time: (samples, n)."""
        return np.asarray(self.uncensored[:, self.place])

    def uncensored_at(self, day: float) -> Floats:
        """G at any day: (samples,)."""
        at = int(np.searchsorted(self.days, day, side="right"))
        return np.asarray(self.uncensored[:, at - 1] if at else np.ones(len(self.counts)))


@dataclass(frozen=True)
class _Pairs:
    """For each patient with an event: weight of the patients that outlive him, and of those with less risk (ties half)."""

    cases: Ints
    comparable: Floats
    concordant: Floats


def concordance(followed: Followed, risk: Floats, *, tau: float | None = None) -> tuple[Floats, Floats]:
    """Harrell's C and Uno's C (events before `tau`) of each sample; a sample without a comparable pair gives NaN."""
    pairs = _pairs(followed, risk)
    weight = followed.counts[:, pairs.cases]
    harrell = _ratio((weight * pairs.concordant).sum(axis=1), (weight * pairs.comparable).sum(axis=1))
    free = followed.own[:, pairs.cases]
    inside = followed.time[pairs.cases] < (np.inf if tau is None else tau)
    inverse = np.divide(weight, free**2, out=np.zeros_like(free), where=(free > 0) & inside)
    uno = _ratio((inverse * pairs.concordant).sum(axis=1), (inverse * pairs.comparable).sum(axis=1))
    return harrell, uno


def areas(followed: Followed, risk: Floats, days: Floats) -> Floats:
    """Cumulative/dynamic AUC at `days`, one risk for all of them: (samples, days)."""
    order = np.argsort(risk, kind="stable")
    group = np.concatenate([[0], np.cumsum(np.diff(risk[order]) > 0)])
    last = np.append(np.flatnonzero(np.diff(group)), len(risk) - 1)
    counts, time, event = followed.counts[:, order], followed.time[order], followed.event[order]
    inverse = np.divide(counts, followed.own[:, order], out=np.zeros_like(counts), where=followed.own[:, order] > 0)
    found = np.full((len(counts), len(days)), np.nan)
    for place, day in enumerate(days):
        cases, controls = inverse * (event & (time <= day)), counts * (time > day)
        up_to = np.cumsum(controls, axis=1)[:, last]
        within = np.diff(up_to, axis=1, prepend=0.0)
        below = (up_to - within / 2)[:, group]
        found[:, place] = _ratio((cases * below).sum(axis=1), cases.sum(axis=1) * controls.sum(axis=1))
    return found


def brier(followed: Followed, survival: Floats, days: Floats) -> Floats:
    """The Brier score at `days` of survival probabilities (n, days), censoring weighted: (samples, days)."""
    died = followed.event[:, None] & (followed.time[:, None] <= days)
    alive = followed.time[:, None] > days
    free = followed.own
    inverse = np.divide(followed.counts, free, out=np.zeros_like(free), where=free > 0)
    later = np.column_stack([followed.uncensored_at(day) for day in days])
    control = followed.counts @ (alive * (1 - survival) ** 2)
    control = np.divide(control, later, out=np.full_like(control, np.nan), where=later > 0)
    return np.asarray((inverse @ (died * survival**2) + control) / followed.counts.sum(axis=1, keepdims=True))


def integrated(scores: Floats, days: Floats) -> Floats:
    """The mean of a Brier curve (samples, days) over its days, by trapezoids."""
    return np.asarray(np.trapezoid(scores, days, axis=1) / (days[-1] - days[0]))


def _pairs(followed: Followed, risk: Floats) -> _Pairs:
    time, event = followed.time, followed.event
    cases = np.flatnonzero(event)
    at = followed.place[cases]
    everybody, censored = followed.by_day(np.ones(len(time), dtype=np.bool_)), followed.by_day(~event)
    later = np.cumsum(everybody[:, ::-1], axis=1)[:, ::-1] - everybody + censored
    concordant = np.zeros((len(followed.counts), len(cases)))
    counts = followed.counts.astype(np.float32)
    for start in range(0, len(cases), BLOCK):
        block = cases[start : start + BLOCK]
        outlived = (time > time[block, None]) | ((time == time[block, None]) & ~event)
        tied = np.abs(risk - risk[block, None]) <= TIED
        better = np.where(tied, np.float32(0.5), (risk < risk[block, None]).astype(np.float32)) * outlived
        concordant[:, start : start + BLOCK] = counts @ better.T
    return _Pairs(cases, later[:, at], concordant)


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0))
