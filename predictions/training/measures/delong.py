"""The area under the ROC curve with its interval and comparison (DeLong, DeLong and Clarke-Pearson 1988).

With `fold`, only patients of one fold are compared with each other: scores of different fits share no scale, and pooling
them would bias the area of a worthless model below one half. Pure.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from predictions.training.measures.intervals import Bools, Floats, Interval, Ints, wald


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two areas on the same patients: their difference, z and two-sided p."""

    difference: float
    z: float
    p: float


def area(outcome: Bools, score: Floats, *, fold: Ints | None = None) -> Interval:
    """AUC of `score` (n,) for `outcome` (n,) with the DeLong interval; folds weigh by their pairs.

    Raises ValueError where no fold holds both outcomes.
    """
    values, covariance = _areas(outcome, score[:, None], fold)
    return wald(float(values[0]), float(covariance[0, 0]))


def compare(outcome: Bools, one: Floats, other: Floats, *, fold: Ints | None = None) -> Comparison:
    """Test equal areas of two scores of the same patients (paired DeLong test)."""
    values, covariance = _areas(outcome, np.column_stack([one, other]), fold)
    difference = float(values[0] - values[1])
    error = float(np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]))
    if error == 0.0:
        return Comparison(difference, 0.0, 1.0)
    z = difference / error
    return Comparison(difference, z, float(2 * norm.sf(abs(z))))


def _areas(outcome: Bools, scores: Floats, fold: Ints | None) -> tuple[Floats, Floats]:
    """Areas of k scores (n, k) and their covariance (k, k)."""
    places = np.zeros(len(outcome), dtype=np.int64) if fold is None else fold
    total, k = 0.0, scores.shape[1]
    values, covariance = np.zeros(k), np.zeros((k, k))
    for each in np.unique(places):
        inside = places == each
        weight = float(outcome[inside].sum() * (~outcome[inside]).sum())
        if weight == 0:
            continue
        part, spread = _one(outcome[inside], scores[inside])
        values, covariance, total = values + weight * part, covariance + weight**2 * spread, total + weight
    if total == 0:
        raise ValueError("an area needs patients with and without the outcome")
    return values / total, covariance / total**2


def _one(outcome: Bools, scores: Floats) -> tuple[Floats, Floats]:
    """Areas and covariance by the placements of one sample (Sun and Xu 2014)."""
    m, n = int(outcome.sum()), int((~outcome).sum())
    ranks = np.apply_along_axis(rankdata, 0, scores)
    among_cases = np.apply_along_axis(rankdata, 0, scores[outcome])
    among_controls = np.apply_along_axis(rankdata, 0, scores[~outcome])
    of_cases = (ranks[outcome] - among_cases) / n
    of_controls = 1 - (ranks[~outcome] - among_controls) / m
    return of_cases.mean(axis=0), _covariance(of_cases) / m + _covariance(of_controls) / n


def _covariance(placements: Floats) -> Floats:
    if len(placements) < 2:
        return np.zeros((placements.shape[1], placements.shape[1]))
    return np.atleast_2d(np.cov(placements, rowvar=False))
