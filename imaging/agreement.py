"""How far two outlines of the same tumours give the same value of a feature: ICC(2,1) with its confidence interval. Pure.

Two-way random effects, absolute agreement, single rater (Shrout & Fleiss, Psychol Bull 1979;86:420-428, their case 2); the interval is
that of McGraw & Wong (Psychol Methods 1996;1:30-46), with Satterthwaite's degrees of freedom.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as fisher

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Icc:
    """The estimate and its interval (nan where every value is the same), from `n` targets that each of `k` raters measured."""

    estimate: float
    lower: float
    upper: float
    n: int
    k: int


@dataclass(frozen=True)
class _Squares:
    """Mean squares between targets, between raters, and of what is left."""

    targets: float
    raters: float
    error: float
    n: int
    k: int


def icc(ratings: Floats, level: float = 0.95) -> Icc:
    """ICC(2,1) of ratings of shape (targets, raters). Targets that any rater has no finite value for are left out.

    Raises ValueError where fewer than two targets or raters are left.
    """
    complete = ratings[np.isfinite(ratings).all(axis=1)]
    n, k = complete.shape
    if n < 2 or k < 2:
        raise ValueError(f"{n} targets with a value of each of {k} raters: agreement needs two of both")
    mean = _mean_squares(complete)
    denominator = mean.targets + (k - 1) * mean.error + k * (mean.raters - mean.error) / n
    if denominator <= 0:
        return Icc(math.nan, math.nan, math.nan, n, k)
    estimate = (mean.targets - mean.error) / denominator
    return Icc(estimate, *_interval(estimate, mean, 1 - (1 - level) / 2), n, k)


def _mean_squares(values: Floats) -> _Squares:
    n, k = values.shape
    grand = values.mean()
    targets = k * float(((values.mean(axis=1) - grand) ** 2).sum()) / (n - 1)
    raters = n * float(((values.mean(axis=0) - grand) ** 2).sum()) / (k - 1)
    left = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + grand
    return _Squares(targets, raters, float((left**2).sum()) / ((n - 1) * (k - 1)), n, k)


def _interval(estimate: float, mean: _Squares, tail: float) -> tuple[float, float]:
    """The two bounds; the estimate itself where nothing is left and raters do not differ, nan where they differ by a constant."""
    if mean.error == 0:
        return (estimate, estimate) if mean.raters == 0 else (math.nan, math.nan)
    n, k = mean.n, mean.k
    ratio = mean.raters / mean.error
    shared = n * (1 + (k - 1) * estimate) - k * estimate
    freedom = (k - 1) * (n - 1) * (k * estimate * ratio + shared) ** 2 / ((n - 1) * (k * estimate * ratio) ** 2 + shared**2)
    above, below = float(fisher.ppf(tail, n - 1, freedom)), float(fisher.ppf(tail, freedom, n - 1))
    rest = k * mean.raters + (k * n - k - n) * mean.error
    lower = n * (mean.targets - above * mean.error) / (above * rest + n * mean.targets)
    upper = n * (below * mean.targets - mean.error) / (rest + n * below * mean.targets)
    return lower, upper
