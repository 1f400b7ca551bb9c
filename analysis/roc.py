"""The area under the ROC curve, its limits and the comparison of two areas on the same patients (DeLong 1988)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from analysis.survival_times import Bools, Floats


@dataclass(frozen=True)
class Area:
    """P(score of one with the outcome > score of one without), equal scores counting half; normal limits cut at 0 and 1."""

    value: float
    standard_error: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class PairedTest:
    """The difference of two areas over its standard error, and the two-sided p."""

    z: float
    p: float


def area(outcome: ArrayLike, score: ArrayLike, *, level: float = 0.95) -> Area:
    """The area for a 0/1 outcome and a score, both (n,). Raises ValueError when the outcome is the same in everybody."""
    values, placed = _placements(np.asarray(outcome) == 1, [np.asarray(score, dtype=np.float64)])
    error = float(np.sqrt(_covariance(placed)[0, 0]))
    spread = float(ndtri(0.5 + level / 2)) * error
    return Area(float(values[0]), error, (max(float(values[0]) - spread, 0.0), min(float(values[0]) + spread, 1.0)))


def compare_areas(outcome: ArrayLike, first: ArrayLike, second: ArrayLike) -> PairedTest:
    """DeLong's test of two scores on the same patients. Raises ValueError as `area`."""
    scores = [np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)]
    values, placed = _placements(np.asarray(outcome) == 1, scores)
    covariance = _covariance(placed)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if not variance > 0:
        return PairedTest(float("nan"), float("nan"))
    z = float((values[0] - values[1]) / np.sqrt(variance))
    return PairedTest(z, float(2 * ndtr(-abs(z))))


def _placements(positive: Bools, scores: list[Floats]) -> tuple[Floats, tuple[Floats, Floats]]:
    """The areas (k,), and each patient's share of them: those with the outcome (k, m) and those without (k, n)."""
    if positive.all() or not positive.any():
        raise ValueError("an area under the curve needs patients with and without the outcome")
    won = [(score[positive, None] > score[~positive]) + 0.5 * (score[positive, None] == score[~positive]) for score in scores]
    ones, zeros = np.array([each.mean(axis=1) for each in won]), np.array([each.mean(axis=0) for each in won])
    return ones.mean(axis=1), (ones, zeros)


def _covariance(placed: tuple[Floats, Floats]) -> Floats:
    return np.asarray(sum(np.atleast_2d(np.cov(each)) / each.shape[1] for each in placed))
