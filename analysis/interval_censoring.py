"""The survival curve when an event is only known to lie between two visits: Turnbull's estimator (1976), to its optimum (EP-07, AN-20).

Self-consistency steps, hastened by SQUAREM (Varadhan and Roland 2008), come near the maximum fast and then crawl: mass that belongs nowhere
shrinks by a hair a step. From there on Newton's steps under the constraints (Wang 2008: a quadratic, solved by non-negative least squares
over the intervals that hold mass or would gain by it) put it at zero at once. The end is where the conditions of the maximum hold
(Gentleman and Geyer 1994): no interval may gain likelihood by taking mass, so that no curve is likelier by more than `gain` a patient.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import nnls

from analysis.survival_times import Bools, Floats, Ints

_MOST_STEPS = 2_000
_HASTENED_STEPS = 500
_HALVINGS = 30
_NEXT_TO_NONE = 1e-3
EXACT, FOR_A_PAGE = 1e-9, 1e-4
"""How much of the likelihood's slope, per unit of mass and patient, may be left at the end: for a number that is reported, and for one
that a page shows to a tenth of a percent."""


@dataclass(frozen=True)
class IntervalCurve:
    """Mass (m,) on each of m intervals (left, right]; where left equals right the event is known to the day. `steps` were taken."""

    left: Floats
    right: Floats
    mass: Floats
    gain: float
    steps: int

    def bounds(self, time: float) -> tuple[float, float]:
        """The lowest and the highest survival at a time that the data allow: equal unless the time lies within an interval with mass."""
        begun = float(self.mass[(self.left < time) | (self.right <= time)].sum())
        over = float(self.mass[self.right <= time].sum())
        return max(1 - begun, 0.0), max(1 - over, 0.0)


def turnbull(left: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None, *, gain: float = EXACT) -> IntervalCurve:
    """The curve of events in (left, right]: equal ends are an event known to the day, an infinite right end is censored at the left.

    Raises ValueError for no rows, ends in the wrong order or not finite, or weights that are not positive.
    """
    low, high = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    count = np.ones_like(low) if weights is None else np.asarray(weights, dtype=np.float64)
    if low.size == 0 or not low.shape == high.shape == count.shape:
        raise ValueError("there are no rows, or columns of unequal length")
    if not (np.isfinite(low).all() and (low <= high).all() and np.isfinite(count).all() and (count > 0).all()):
        raise ValueError("an interval ends before it begins, or a weight is not positive")
    starts, ends = _innermost(low, high)
    first, last = _inside(low, high, starts, ends)
    mass, rest, steps = _maximum(first, last, count / count.sum(), starts.size, gain)
    return IntervalCurve(starts, ends, mass, rest, steps)


def _innermost(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """The intervals that can hold mass: a left end that is followed by a right end with no other left end between.

    An event known to the day t is the interval just before t: its left end sorts behind every right end at t's eve and before t.
    """
    exact = low == high
    lefts = np.unique(np.column_stack([low, np.where(exact, 0, 1)]), axis=0)
    rights = np.unique(np.column_stack([high, np.where(exact, 1, 2)]), axis=0)
    marks = np.concatenate([np.column_stack([lefts, np.zeros(len(lefts))]), np.column_stack([rights, np.ones(len(rights))])])
    # at one time t: the left end of [t, t], its right end, then the left end of (t, …]; a right end …, t] closes with [t, t]
    rank = np.where(marks[:, 2] == 0, marks[:, 1] * 2, 1)
    marks = marks[np.lexsort((marks[:, 2], rank, marks[:, 0]))]
    follows = (marks[:-1, 2] == 0) & (marks[1:, 2] == 1)
    return marks[:-1, 0][follows], marks[1:, 0][follows]


def _inside(low: Floats, high: Floats, starts: Floats, ends: Floats) -> tuple[Ints, Ints]:
    """Which innermost intervals, first to last (exclusive), lie within each patient's."""
    exact_inside = starts == ends
    opens = np.where(exact_inside, np.nextafter(starts, -np.inf), starts)
    begin = np.where(low == high, np.nextafter(low, -np.inf), low)
    return np.searchsorted(opens, begin, side="left"), np.searchsorted(ends, high, side="right")


def _maximum(first: Ints, last: Ints, share: Floats, m: int, enough: float) -> tuple[Floats, float, int]:
    mass = np.full(m, 1 / m)
    for step in range(_MOST_STEPS):
        slope = _slope(mass, first, last, share)
        gain = float(slope.max() - 1)
        if gain < enough:
            return mass, gain, step
        near = gain < FOR_A_PAGE or step >= _HASTENED_STEPS
        mass = _newton(mass, slope, first, last, share) if near else _hastened(mass, first, last, share)
    raise ValueError("the curve of interval-censored times does not converge")


def _within(mass: Floats, first: Ints, last: Ints) -> Floats:
    """How much of the mass (or of each column of masses) lies within each patient's interval."""
    summed = np.concatenate([np.zeros_like(mass[:1]), np.cumsum(mass, axis=0)])
    return np.asarray(summed[last] - summed[first], dtype=np.float64)


def _slope(mass: Floats, first: Ints, last: Ints, share: Floats) -> Floats:
    """The derivative of the mean log likelihood by the mass of each interval."""
    pull = share / _within(mass, first, last)
    change = np.bincount(first, pull, mass.size + 1) - np.bincount(last, pull, mass.size + 1)
    return np.asarray(np.cumsum(change)[: mass.size], dtype=np.float64)


def _gain(mass: Floats, first: Ints, last: Ints, share: Floats) -> float:
    """By how much a patient's log likelihood may at most grow: the largest slope beyond 1."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(_slope(mass, first, last, share).max() - 1)


def _loglik(mass: Floats, first: Ints, last: Ints, share: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(share @ np.log(_within(mass, first, last)))


def _hastened(mass: Floats, first: Ints, last: Ints, share: Floats) -> Floats:
    """Two steps of self-consistency, and the step beyond them where it gains more."""
    once = mass * _slope(mass, first, last, share)
    twice = once * _slope(once, first, last, share)
    by, bend = once - mass, twice - 2 * once + mass
    size = float(np.sqrt(bend @ bend))
    if size == 0:
        return twice
    length = max(float(np.sqrt(by @ by)) / size, 1.0)
    beyond = np.maximum(mass + 2 * length * by + length**2 * bend, 0.0)
    beyond /= beyond.sum()
    beyond = np.maximum(beyond, twice * 1e-6)  # a mass at zero would stay there
    beyond /= beyond.sum()
    return beyond if _loglik(beyond, first, last, share) > _loglik(twice, first, last, share) else twice


def _newton(mass: Floats, slope: Floats, first: Ints, last: Ints, share: Floats) -> Floats:
    """The best of the quadratic about `mass` among curves, or as much of the way there as gains likelihood.

    Of masses that sum to 1 the quadratic is |√w (A p / A·mass − 2)|²; its least squares with the sum as one row more, rescaled to 1, are
    the constrained ones (Dax 1990). Where rounding leaves no way to gain, two steps of self-consistency are taken.
    """
    padded = np.concatenate([[-np.inf], slope, [-np.inf]])
    peak = (slope > 1) & (slope >= padded[:-2]) & (slope >= padded[2:])
    moves = _moves(mass, (mass > _NEXT_TO_NONE / mass.size) | peak)
    ratio = _within(moves, first, last) / _within(mass, first, last)[:, None]
    try:
        found, _rest = nnls(
            np.vstack([np.sqrt(share)[:, None] * (ratio - 2), np.ones(moves.shape[1])]), np.append(np.zeros(share.size), 1.0)
        )
    except RuntimeError:
        return _hastened(mass, first, last, share)
    aim = moves @ (found / found.sum())
    now, gain, length = _loglik(mass, first, last, share), float(slope.max()) - 1, 1.0
    for _ in range(_HALVINGS):
        beyond = mass + length * (aim - mass)
        if _loglik(beyond, first, last, share) > now or (length == 1 and _gain(beyond, first, last, share) < gain / 2):
            return np.asarray(beyond, dtype=np.float64)
        length /= 2
    return _hastened(mass, first, last, share)


def _moves(mass: Floats, alone: Bools) -> Floats:
    """A column for each interval that moves alone, and one for what the others hold together, if they hold anything."""
    places = np.flatnonzero(alone)
    columns = np.zeros((mass.size, places.size + 1))
    columns[places, np.arange(places.size)] = 1
    others = np.where(alone, 0.0, mass)
    if not others.any():
        return columns[:, :-1]
    columns[:, -1] = others / others.sum()
    return columns
