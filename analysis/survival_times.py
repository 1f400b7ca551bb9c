"""What survival data must be before anything is computed from it: the door of every statistic.

Times are in days or any other one unit, finite and never negative; an event is 0 or 1. Nothing here knows units, so a
rescaled time gives the same p values and hazard ratios (AN-26).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_TIE_TOLERANCE = float(np.sqrt(np.finfo(np.float64).eps))


@dataclass(frozen=True)
class Durations:
    """n follow-up times with the mark whether each ended in the event; times that differ by rounding only are one time."""

    time: Floats
    event: Bools

    @property
    def n(self) -> int:
        return self.time.size

    @property
    def events(self) -> int:
        return int(np.count_nonzero(self.event))


def durations(time: ArrayLike, event: ArrayLike) -> Durations:
    """Checked times and events, each of shape (n,), n ≥ 1.

    Raises ValueError with the first offending position when a time is missing, infinite or negative or an event is not
    0 or 1. Times are made equal as R's `aeqSurv` does, for 90 days and 90/30.4375 months must tie alike.
    """
    return Durations(equal_ties(_times(time)), _marks(event, np.shape(time)))


def equal_ties(time: Floats) -> Floats:
    """The same times, those closer than √ε (absolute or relative to the mean) being set equal: R `survival::aeqSurv`."""
    if np.array_equal(time, np.rint(time)):
        return time
    distinct = np.unique(time)
    gap = np.diff(distinct)
    near = (gap <= _TIE_TOLERANCE) | (gap <= _TIE_TOLERANCE * np.abs(distinct).mean())
    if not near.any():
        return time
    cuts = distinct[np.concatenate(([True], ~near))]
    return cuts[np.searchsorted(cuts, time, side="right") - 1]


def case_weights(weights: ArrayLike | None, n: int) -> Floats:
    """Checked weights of shape (n,), ones when None. Raises ValueError for a negative or missing one, or when all are 0."""
    if weights is None:
        return np.ones(n)
    values = _numbers(weights, "weight")
    if values.shape != (n,):
        raise ValueError(f"there are {values.size} weights for {n} rows")
    if (values < 0).any():
        raise ValueError(f"weight {values.min():g} in row {int(values.argmin()) + 1} is negative")
    if not (values > 0).any():
        raise ValueError("all weights are zero")
    return values


def codes(labels: ArrayLike | None, n: int, what: str) -> Ints:
    """Integer codes 0, 1, … of labels of shape (n,) in sorted order; all 0 when None."""
    if labels is None:
        return np.zeros(n, dtype=np.int64)
    values = np.asarray(labels)
    if values.shape != (n,):
        raise ValueError(f"there are {values.size} values of {what} for {n} rows")
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def _times(time: ArrayLike) -> Floats:
    values = _numbers(time, "time")
    if values.size == 0:
        raise ValueError("there are no rows")
    if values.min() < 0:
        raise ValueError(f"time {values.min():g} in row {int(values.argmin()) + 1} is negative")
    return values


def _marks(event: ArrayLike, shape: tuple[int, ...]) -> Bools:
    values = np.asarray(event)
    if values.shape != shape:
        raise ValueError(f"there are {values.size} events for {int(np.prod(shape))} times")
    if values.dtype == np.bool_:
        return values
    numbers = _numbers(values, "event")
    wrong = (numbers != 0) & (numbers != 1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"event {numbers[row]:g} in row {row + 1} is neither 0 nor 1")
    return np.asarray(numbers == 1)


def _numbers(values: ArrayLike, what: str) -> Floats:
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise ValueError(f"{what} must be one column, not an array of shape {numbers.shape}")
    finite = np.isfinite(numbers)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"{what} in row {row + 1} is missing or not finite")
    return numbers
