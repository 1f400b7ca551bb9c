"""Gray's test: do groups differ in the cumulative incidence of a cause (Gray 1988, ρ = 0; AN-10)?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.competing import causes
from analysis.logrank import chi_square_tail, quadratic_form
from analysis.survival_times import Floats, codes


@dataclass(frozen=True)
class GrayTest:
    cause: int
    statistic: float
    df: int
    p: float


@dataclass
class _Groups:
    """What is carried from one time to the next, each of shape (k,): Kaplan–Meier, incidence; and the sums so far."""

    survival: Floats
    incidence: Floats
    pooled: float
    score: Floats
    drift: Floats
    spread: Floats
    mixed: Floats
    variance: Floats


def gray_test(time: ArrayLike, cause: ArrayLike, group: ArrayLike, of: int = 1) -> GrayTest:
    """Compare the incidence of cause `of` between k ≥ 2 groups, as R `cmprsk::cuminc` does. Raises ValueError for one group."""
    known, kind = causes(time, cause)
    member = codes(group, known.n, "the group")
    k = int(member.max()) + 1
    if k < 2:
        raise ValueError("Gray's test needs at least two groups")
    times = np.unique(known.time[known.event])
    zero = np.zeros((k, times.size))
    at_risk, wanted, other = zero.copy(), zero.copy(), zero.copy()
    for g in range(k):
        mine = np.sort(known.time[member == g])
        at_risk[g] = mine.size - np.searchsorted(mine, times, side="left")
        for counts, chosen in ((wanted, kind == of), (other, (kind != of) & (kind > 0))):
            counts[g] = np.bincount(np.searchsorted(times, known.time[(member == g) & chosen]), minlength=times.size)
    sums = _Groups(np.ones(k), np.zeros(k), 0.0, np.zeros(k), np.zeros((k, k)), np.zeros(k), np.zeros((k, k)), np.zeros((k, k)))
    for j in range(times.size):
        _advance(sums, at_risk[:, j], wanted[:, j], other[:, j])
    variance = sums.variance + (sums.drift * sums.spread) @ sums.drift.T + sums.drift @ sums.mixed.T + sums.mixed @ sums.drift.T
    kept = slice(0, k - 1)
    statistic, df = quadratic_form(sums.score[kept], variance[kept, kept])
    return GrayTest(of, statistic, df, chi_square_tail(statistic, df))


def _advance(sums: _Groups, n: Floats, wanted: Floats, other: Floats) -> None:
    """Add one time at which `wanted` (k,) failed from the cause and `other` (k,) from another, of `n` (k,) at risk."""
    there = n > 0
    events = wanted.sum()
    number = np.where(there, n, 1.0)
    after = np.where(there, sums.survival * (number - wanted - other) / number, sums.survival)
    incidence = np.where(there, sums.incidence + sums.survival * wanted / number, sums.incidence)
    scaled = np.divide(n, sums.survival, out=np.zeros_like(n), where=there)
    subdistribution = scaled * (1 - sums.incidence)
    total = scaled.sum()
    pooled = sums.pooled + events / total
    weight = np.diag(scaled) - np.outer(scaled, scaled) / total
    if subdistribution.any() and sums.pooled < 1:
        sums.drift += weight * events / (total * (1 - sums.pooled))
        sums.score += np.where(there, wanted - events * subdistribution / subdistribution.sum(), 0.0)
    if events > 0:
        fall = np.where(after > 0, 1 - (1 - pooled) / np.where(after > 0, after, 1.0), 1.0)
        others = total * sums.survival - 1
        tied = 1 - np.divide(events - 1, others, out=np.zeros_like(others), where=others > 0)
        _add(sums, weight - fall * sums.drift, fall, np.where(there, tied * sums.survival * events / (total * number), 0.0))
    if other.any():
        hit = (after > 0) & (other > 0)
        fall = np.where(hit, (1 - pooled) / np.where(hit, after, 1.0), 0.0)
        tied = np.where(other > 1, 1 - (other - 1) / np.where(number > 1, number - 1, 1.0), 1.0)
        _add(sums, -fall * sums.drift, fall, np.where(hit, tied * sums.survival**2 * other / number**2, 0.0))
    sums.survival, sums.incidence, sums.pooled = after, incidence, float(pooled)


def _add(sums: _Groups, lever: Floats, fall: Floats, amount: Floats) -> None:
    """Add lever·amount·leverᵀ to the variance and its products with `fall` to what multiplies the final drift."""
    sums.spread += fall**2 * amount
    sums.mixed += lever * (fall * amount)
    sums.variance += (lever * amount) @ lever.T
