"""The log-rank test: k groups, stratified, with Fleming and Harrington's ρ (AN-02)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincc

from analysis.kaplan_meier import distinct
from analysis.survival_times import Bools, Durations, Floats, Ints, codes, durations


@dataclass(frozen=True)
class LogRank:
    """Observed and expected events by group in sorted order of the group's label, the χ² statistic, its df and p.

    With ρ > 0 observed and expected are weighted by S(t−)^ρ. p is NaN when the groups never compete for an event.
    """

    n: tuple[int, ...]
    observed: Floats
    expected: Floats
    statistic: float
    df: int
    p: float


def logrank(time: ArrayLike, event: ArrayLike, group: ArrayLike, *, strata: ArrayLike | None = None, rho: float = 0.0) -> LogRank:
    """Mantel's test (1966) as R `survdiff(Surv(time, event) ~ group + strata(strata), rho)`.

    `group` and `strata` are labels of shape (n,). Raises ValueError as `durations`, and when there is only one group.
    """
    known = durations(time, event)
    groups = codes(group, known.n, "the group")
    k = int(groups.max()) + 1
    if k < 2:
        raise ValueError("a log-rank test needs at least two groups")
    stratum = codes(strata, known.n, "the stratum")
    observed, expected, variance = np.zeros(k), np.zeros(k), np.zeros((k, k))
    for s in range(int(stratum.max()) + 1):
        rows = stratum == s if strata is not None else slice(None)
        o, e, v = _one_stratum(Durations(known.time[rows], known.event[rows]), groups[rows], k, rho)
        observed, expected, variance = observed + o, expected + e, variance + v
    statistic, df = _quadratic(observed - expected, variance, expected > 0)
    return LogRank(
        tuple(int(size) for size in np.bincount(groups, minlength=k)), observed, expected, statistic, df, chi_square_tail(statistic, df)
    )


def chi_square_tail(statistic: float, df: int) -> float:
    """P(χ² with `df` degrees of freedom ≥ statistic); NaN when df is 0."""
    return float(gammaincc(df / 2, statistic / 2)) if df > 0 else float("nan")


def _one_stratum(known: Durations, group: Ints, k: int, rho: float) -> tuple[Floats, Floats, Floats]:
    time, deaths = distinct(np.sort(known.time[known.event]))
    at_risk, died = np.empty((k, time.size)), np.empty((k, time.size))
    for g in range(k):
        member = group == g
        mine = np.sort(known.time[member])
        at_risk[g] = mine.size - np.searchsorted(mine, time, side="left")
        fatal = np.sort(known.time[member & known.event])
        died[g] = np.searchsorted(fatal, time, side="right") - np.searchsorted(fatal, time, side="left")
    total = at_risk.sum(axis=0)
    share = at_risk / total
    weight = np.concatenate(([1.0], np.cumprod(1 - deaths / total)[:-1])) ** rho if rho and time.size else np.ones(time.size)
    spread = weight**2 * deaths * np.divide(total - deaths, total - 1, out=np.zeros_like(total), where=total > 1)
    variance = np.diag(share @ spread) - (share * spread) @ share.T
    return died @ weight, share @ (weight * deaths), variance


def _quadratic(excess: Floats, variance: Floats, used: Bools) -> tuple[float, int]:
    """The χ² of all but one of the groups that were ever at risk of an event; df is the rank of its variance."""
    keep = np.flatnonzero(used)[1:]
    return quadratic_form(excess[keep], variance[np.ix_(keep, keep)])


def quadratic_form(score: Floats, variance: Floats) -> tuple[float, int]:
    """score' variance⁻¹ score and the rank of the variance, a generalised inverse where groups never met; (NaN, 0) for rank 0."""
    values, vectors = np.linalg.eigh(variance) if score.size else (score, variance)
    kept = values > 1e-12 * max(float(values.max(initial=0.0)), 1e-300)
    if not kept.any():
        return float("nan"), 0
    along = vectors[:, kept].T @ score
    return float(along @ (along / values[kept])), int(kept.sum())
