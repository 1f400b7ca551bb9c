"""The Cox model: Efron or Breslow ties, strata, weights, late entry; Newton steps to machine precision (AN-03)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, ndtri

from analysis.logrank import chi_square_tail
from analysis.risk_sets import RiskSets, risk_sets
from analysis.survival_times import Bools, Floats, Ints, codes

Ties = Literal["efron", "breslow"]

_MOST_STEPS = 60
_SMALL_STEP = 1e-8  # in standard deviations of a covariate; Newton squares it, so one step later rounding is all that is left
_LONGEST_STEP = 6.0  # in the log hazard between two rows; near the maximum no step is that long
_STRIDE, _NO_GAIN = 0.1, 1e-11  # the linear predictor still moves though the likelihood does not rise: separation


@dataclass(frozen=True)
class State:
    """The partial likelihood at one β: log L, its gradient (p,), information (p, p), and what each death step saw."""

    loglik: float
    gradient: Floats
    information: Floats
    risk: Floats
    hazard: Floats
    mean: Floats


@dataclass(frozen=True)
class CoxFit:
    """Coefficients (p,) and covariances (p, p) in the order of `terms`; NaN for a term whose coefficient is infinite.

    `robust_covariance` is Lin and Wei's sandwich (1989), present when weights, clusters or `robust=True` ask for it; then
    intervals and p values use it. `gradient` is the largest |score| left, per standard deviation and event.
    """

    terms: tuple[str, ...]
    n: int
    events: int
    ties: Ties
    coef: Floats
    covariance: Floats
    robust_covariance: Floats | None
    loglik_null: float
    loglik: float
    score_statistic: float
    gradient: float
    steps: int
    warnings: tuple[str, ...]
    sets: RiskSets = field(repr=False)
    state: State = field(repr=False)

    @cached_property
    def standard_error(self) -> Floats:
        return np.sqrt(np.diag(self.covariance))

    @cached_property
    def robust_standard_error(self) -> Floats | None:
        return None if self.robust_covariance is None else np.sqrt(np.diag(self.robust_covariance))

    @property
    def quoted_error(self) -> Floats:
        """The standard error behind intervals and p values: robust when there is one."""
        robust = self.robust_standard_error
        return self.standard_error if robust is None else robust

    @property
    def hazard_ratio(self) -> Floats:
        with np.errstate(over="ignore"):
            return np.exp(self.coef)

    def hazard_ratio_interval(self, level: float = 0.95) -> Floats:
        """Wald limits of the hazard ratios, shape (p, 2)."""
        spread = float(ndtri(0.5 + level / 2)) * self.quoted_error
        with np.errstate(over="ignore"):
            return np.exp(np.column_stack((self.coef - spread, self.coef + spread)))

    @property
    def p(self) -> Floats:
        """Two-sided Wald p of each term."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(2 * ndtr(-np.abs(self.coef / self.quoted_error)))

    @property
    def likelihood_ratio(self) -> tuple[float, int, float]:
        """χ² against no covariates, df and p; meaningless with weights."""
        statistic = 2 * (self.loglik - self.loglik_null)
        return statistic, len(self.terms), chi_square_tail(statistic, len(self.terms))


def cox(
    x: ArrayLike,
    time: ArrayLike,
    event: ArrayLike,
    *,
    terms: Sequence[str] | None = None,
    ties: Ties = "efron",
    strata: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    entry: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    robust: bool = False,
    enough: float | None = None,
) -> CoxFit:
    """Fit log-hazard ratios of the columns of `x` (n, p) or (n,), as R `coxph`.

    Sandwich errors are per row, or per `cluster` label. Raises ValueError as `durations`, when there are no events, and
    when a column is constant or a combination of the others. A covariate that separates those with and without events has
    no finite coefficient: it becomes NaN and a warning names it. `enough` ends the climb where log L changes by less than that
    share of itself, as R does at 1e-9, for comparison with numbers that R gave that way.
    """
    columns = _columns(x)
    names = tuple(terms) if terms is not None else tuple(f"x{i + 1}" for i in range(columns.shape[1]))
    center, scale = columns.mean(axis=0), columns.std(axis=0)
    _refuse_constant(scale, center, names)
    sets = risk_sets((columns - center) / scale, time, event, ties=ties, strata=strata, weights=weights, entry=entry)
    null = likelihood(sets, np.zeros(len(names)))
    inverse = _inverse(null.information, names)
    score = float(null.gradient @ inverse @ null.gradient)
    beta, state, steps, infinite = _climb(sets, null, names, enough)
    covariance = _covariance(state, infinite, names)
    robustly = None
    if robust or weights is not None or cluster is not None:
        robustly = sandwich(sets, state, covariance, None if cluster is None else codes(cluster, columns.shape[0], "the cluster"))
    unscale = np.where(infinite, np.nan, 1 / scale)
    square = np.outer(unscale, unscale)
    return CoxFit(
        names, sets.time.size, sets.deaths.size, ties, beta * unscale, covariance * square,
        None if robustly is None else robustly * square, null.loglik, state.loglik, score,
        float(np.abs(state.gradient[~infinite]).max(initial=0.0)) / sets.deaths.size, steps,
        tuple(_separated(names[i], beta[i]) for i in np.flatnonzero(infinite)), sets, state,
    )  # fmt: skip


def likelihood(sets: RiskSets, beta: Floats) -> State:
    """Log partial likelihood, gradient and information at β of the standardised covariates (Efron 1977)."""
    eta = sets.x @ beta
    eta = eta - eta.max()
    risk = sets.weight * np.exp(eta)
    amount = np.column_stack((risk, risk[:, None] * sets.x))
    sums = sets.at_risk(amount)[sets.step]
    if sets.fraction.any():
        sums = sums - sets.fraction[:, None] * sets.dying(amount)[sets.step]
    mean = sums[:, 1:] / sums[:, :1]
    hazard = sets.mean_weight / sums[:, 0]
    dead = sets.deaths
    loglik = float(sets.weight[dead] @ eta[dead] - sets.mean_weight @ np.log(sums[:, 0]))
    gradient = sets.weight[dead] @ sets.x[dead] - sets.mean_weight @ mean
    information = (sets.x.T * (risk * sets.exposed(hazard))) @ sets.x - (mean.T * sets.mean_weight) @ mean
    return State(loglik, gradient, information, risk, hazard, mean)


def score_residuals(sets: RiskSets, state: State) -> Floats:
    """Each row's contribution to the score, per unit of its weight, (n, p) in the order of `sets`; Efron's ties as R's coxscore."""
    drift = sets.exposed(state.hazard[:, None] * state.mean)
    residual = -(state.risk / sets.weight)[:, None] * (sets.x * sets.exposed(state.hazard)[:, None] - drift)
    ties = np.diff(np.append(sets.death_start, sets.deaths.size))
    typical = np.add.reduceat(state.mean, sets.death_start, axis=0) / ties[:, None]
    residual[sets.deaths] += sets.x[sets.deaths] - typical[sets.step]
    return residual


def sandwich(sets: RiskSets, state: State, covariance: Floats, cluster: Ints | None) -> Floats:
    """Lin and Wei's robust covariance, the influence summed within clusters before squaring."""
    influence = (sets.weight[:, None] * score_residuals(sets, state)) @ covariance
    if cluster is not None:
        own = np.unique(cluster[sets.origin], return_inverse=True)[1]
        influence = np.column_stack([np.bincount(own, column) for column in influence.T])
    return influence.T @ influence


def _climb(sets: RiskSets, state: State, names: tuple[str, ...], enough: float | None) -> tuple[Floats, State, int, Bools]:
    """Newton's steps from 0; a term still striding when the likelihood no longer rises has no finite maximum."""
    beta, step = np.zeros(len(names)), np.zeros(len(names))
    for steps in range(1, _MOST_STEPS + 1):
        try:
            step = np.asarray(np.linalg.solve(state.information, state.gradient), dtype=np.float64)
        except np.linalg.LinAlgError:
            break
        reach = float(np.ptp(sets.x @ step))
        before = state.loglik
        shorter = 1.0 if enough is not None else min(1.0, _LONGEST_STEP / max(reach, 1e-300))
        taken, state = _uphill(sets, beta, step * shorter, state)
        beta = beta + taken
        if np.abs(step).max() < _SMALL_STEP or (enough is not None and abs(state.loglik - before) <= enough * abs(state.loglik)):
            return beta, state, steps, np.zeros(len(names), dtype=bool)
        if reach > _STRIDE and state.loglik - before < _NO_GAIN * (1 + abs(before)):
            break
    return beta, state, steps, np.abs(step) >= 1e-3 * np.abs(step).max()


def _uphill(sets: RiskSets, beta: Floats, step: Floats, state: State) -> tuple[Floats, State]:
    """The step, halved until it does not lead down, and the likelihood it leads to."""
    following = likelihood(sets, beta + step)
    for _ in range(_MOST_STEPS):
        if following.loglik >= state.loglik - 1e-9 * abs(state.loglik):
            break
        step = step / 2
        following = likelihood(sets, beta + step)
    return step, following


def _covariance(state: State, infinite: Bools, names: tuple[str, ...]) -> Floats:
    """The inverse information; rows of terms without a finite maximum are left out of it and come back as 0."""
    finite = np.flatnonzero(~infinite)
    covariance = np.zeros_like(state.information)
    if finite.size:
        block = np.ix_(finite, finite)
        covariance[block] = _inverse(state.information[block], tuple(names[i] for i in finite), 1e-14)
    return covariance


def _columns(x: ArrayLike) -> Floats:
    columns = np.asarray(x, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or columns.shape[1] == 0:
        raise ValueError(f"covariates must be n rows by p ≥ 1 columns, not an array of shape {columns.shape}")
    if not np.isfinite(columns).all():
        row = int(np.flatnonzero(~np.isfinite(columns).all(axis=1))[0])
        raise ValueError(f"a covariate in row {row + 1} is missing or not finite")
    return columns


def _refuse_constant(scale: Floats, center: Floats, names: tuple[str, ...]) -> None:
    for i in np.flatnonzero(scale <= 1e-12 * np.maximum(1.0, np.abs(center))):
        raise ValueError(f"{names[i]} is the same in every row")


def _inverse(information: Floats, names: tuple[str, ...], least: float = 1e-10) -> Floats:
    """Invert the information, singular only through collinearity. Raises ValueError with the terms that cause it."""
    values, vectors = np.linalg.eigh(information)
    if values[0] <= least * values[-1]:
        guilty = ", ".join(names[i] for i in np.flatnonzero(np.abs(vectors[:, 0]) > 0.1))
        raise ValueError(f"{guilty} cannot be told apart at the events: constant within strata, or a combination of each other")
    return np.asarray((vectors / values) @ vectors.T)


def _separated(name: str, beta: float) -> str:
    way = "falls" if beta < 0 else "grows"
    return f"{name}: the likelihood has no maximum, the coefficient {way} without end (separation); it is not estimable"
