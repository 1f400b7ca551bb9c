"""How often the patient with the higher score fails first: Harrell's C, and Uno's with a horizon (AN-16)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.kaplan_meier import kaplan_meier
from analysis.survival_times import Bools, Floats, Ints, case_weights, codes, durations

_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Concordance:
    """The share of comparable pairs in which the higher score fails first, equal scores counting half; NaN without a pair.

    `standard_error` is the infinitesimal jackknife, as R `survival::concordance` has it.
    """

    value: float
    standard_error: float


def concordance(
    time: ArrayLike,
    event: ArrayLike,
    score: ArrayLike,
    *,
    strata: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    uno_until: float | None = None,
) -> Concordance:
    """Compare every event with all who were at risk then and failed or left later, within strata; arrays of shape (n,).

    With `uno_until` events beyond that time do not count and a pair weighs 1/G(t)², G the curve of staying uncensored just before
    the event (Uno et al. 2011). Raises ValueError as `durations`.
    """
    known = durations(time, event)
    weight, stratum = case_weights(weights, known.n), codes(strata, known.n, "the stratum")
    risk = np.asarray(score, dtype=np.float64)
    since = np.full(known.n, -np.inf) if entry is None else np.asarray(entry, dtype=np.float64)
    pair_weight = np.ones(known.n)
    failing = known.event
    if uno_until is not None:
        failing = failing & (known.time <= uno_until)
        pair_weight = _uncensored(known.time, known.event) ** -2.0
    right, all_pairs = np.zeros(known.n), np.zeros(known.n)
    rows = np.flatnonzero(failing)
    for some in np.array_split(rows, max(1, rows.size * known.n // _PAIRS_AT_ONCE)):
        later = (known.time > known.time[some, None]) | ((known.time == known.time[some, None]) & ~known.event)
        comparable = later & (since < known.time[some, None]) & (stratum == stratum[some, None])
        won = (risk[some, None] > risk) + 0.5 * (risk[some, None] == risk)
        amount = np.where(comparable, weight * (weight * pair_weight)[some, None], 0.0)
        _add(all_pairs, some, amount)
        _add(right, some, amount * won)
    total = all_pairs.sum() / 2
    if total == 0:
        return Concordance(float("nan"), float("nan"))
    value = float(right.sum() / 2 / total)
    return Concordance(value, float(np.sqrt(np.sum(((right - value * all_pairs) / total) ** 2))))


def _add(sums: Floats, rows: Ints, pairs: Floats) -> None:
    """Add the pairs (rows, n) to both patients of each."""
    sums[rows] += pairs.sum(axis=1)
    np.add(sums, pairs.sum(axis=0), out=sums)


def _uncensored(time: Floats, event: Bools) -> Floats:
    """G just before each row's time; an event at the time of a censoring comes before it."""
    distinct, place = np.unique(time, return_inverse=True)
    moment = np.where(event, 2 * place, 2 * place + 1)
    curve = kaplan_meier(moment, ~event)
    before = np.searchsorted(distinct[curve.time.astype(np.int64) // 2], time, side="left")
    return np.asarray(np.concatenate(([1.0], curve.survival))[before])
