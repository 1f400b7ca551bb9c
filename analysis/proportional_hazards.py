"""The score test for proportional hazards: does a coefficient change with a function of time (AN-05)?

Grambsch and Therneau (1994) as R `cox.zph` ≥ 3.0 computes it: the exact score test for adding x·g(t), not the approximation
by a correlation of residuals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

from analysis.cox import CoxFit, State
from analysis.kaplan_meier import kaplan_meier
from analysis.logrank import chi_square_tail, quadratic_form
from analysis.risk_sets import RiskSets
from analysis.survival_times import Floats

Transform = Literal["km", "rank", "identity", "log"]


@dataclass(frozen=True)
class TimeTest:
    """χ², degrees of freedom and p of one term (several columns when it has several levels) or of all together."""

    term: str
    statistic: float
    df: int
    p: float


@dataclass(frozen=True)
class ProportionalHazards:
    transform: Transform
    terms: tuple[TimeTest, ...]
    overall: TimeTest


def proportional_hazards(
    fit: CoxFit, *, groups: Sequence[tuple[str, Sequence[int]]] | None = None, transform: Transform = "km"
) -> ProportionalHazards:
    """Test each term of `fit`; `groups` names the columns that make up one term, by default one each.

    Raises ValueError when a coefficient of the fit is not estimable.
    """
    if np.isnan(fit.coef).any():
        raise ValueError("proportional hazards cannot be tested while a coefficient is not estimable")
    p = len(fit.terms)
    score, information = _extended(fit, transform)
    named = groups if groups is not None else [(name, [i]) for i, name in enumerate(fit.terms)]
    tests = tuple(_test(name, list(columns), score, information, p) for name, columns in named)
    return ProportionalHazards(transform, tests, _test("GLOBAL", list(range(p)), score, information, p))


def _test(name: str, columns: list[int], score: Floats, information: Floats, p: int) -> TimeTest:
    """The score of some θ against its variance once β is estimated; df falls short of the columns where time tells nothing."""
    chosen = [p + i for i in columns]
    cross = information[np.ix_(chosen, range(p))]
    whole = information[np.ix_(chosen, chosen)]
    variance = whole - cross @ np.linalg.solve(information[:p, :p], cross.T)
    statistic, df = quadratic_form(score[columns], np.where(np.abs(variance) > 1e-12 * np.abs(whole).max(), variance, 0.0))
    return TimeTest(name, statistic, df, chi_square_tail(statistic, df))


def _extended(fit: CoxFit, transform: Transform) -> tuple[Floats, Floats]:
    """The score of θ in β + θ·g(t) at θ = 0, and the information of (β, θ), in the standardised covariates."""
    sets, state = fit.sets, fit.state
    clock = _clock(sets, transform)
    clock = clock[sets.deaths]
    at_step = clock - clock.mean() if np.ptp(clock) > 0 else np.zeros(clock.size)
    dead = sets.deaths
    score = (sets.weight[dead] * at_step) @ sets.x[dead] - (sets.mean_weight * at_step) @ state.mean
    spread = _spread(sets, state)
    blocks = [np.einsum("k,kij->ij", at_step**power, spread) for power in (0, 1, 2)]
    return score, np.block([[blocks[0], blocks[1]], [blocks[1], blocks[2]]])


def _spread(sets: RiskSets, state: State) -> Floats:
    """The weighted covariance of the covariates at each death step, (k, p, p), times the step's mean weight."""
    products = np.einsum("n,ni,nj->nij", state.risk, sets.x, sets.x)
    second = sets.at_risk(products)[sets.step] - sets.fraction[:, None, None] * sets.dying(products)[sets.step]
    total = sets.mean_weight / state.hazard
    centered = second / total[:, None, None] - np.einsum("ki,kj->kij", state.mean, state.mean)
    return np.asarray(sets.mean_weight[:, None, None] * centered)


def _clock(sets: RiskSets, transform: Transform) -> Floats:
    """g(t) for every ordered row."""
    match transform:
        case "identity":
            return sets.time
        case "log":
            return np.log(sets.time)
        case "rank":
            return np.asarray(rankdata(sets.time), dtype=np.float64)
        case "km" if sets.by_entry is not None:
            raise ValueError("with late entry choose the transform identity, log or rank")
        case "km":
            curve = kaplan_meier(sets.time, sets.event)
            before = np.searchsorted(curve.time, sets.time, side="left")
            return 1 - np.concatenate(([1.0], curve.survival))[before]
    raise ValueError(f"transform {transform!r} is not one of km, rank, identity, log")
