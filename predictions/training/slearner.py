"""The S-learner: one elastic-net Cox model with treatment and treatment × covariate terms, from the landmark on.

Design: prepared features, an indicator for each strategy but surgery alone, and their products. The indicators are not
penalised, everything else is (Coxnet, Simon et al. 2011). S_k(t) is P(recurrence-free at t | event-free at the landmark).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.metrics import concordance_index_censored
from sksurv.util import Surv

from predictions.decision import INTENSITY, Strategy
from predictions.training import preparation
from predictions.training.table import Floats, TrainingTable

L1_RATIO = 0.5
ALPHAS = 24
TREATED = tuple(strategy for strategy in INTENSITY if strategy is not Strategy.SURG)


class Learner(Protocol):
    """A learner over strategies: `fit` of this module, or of `tlearner`."""

    def __call__(self, table: TrainingTable, *, landmark: int, alpha: float | None = None, alphas: Floats | None = None) -> list["Fit"]: ...


@dataclass(frozen=True)
class Fit:
    """A fitted model: coefficients of shape (design columns,) and the baseline hazard at days from the landmark.

    `arms`: where strategies have baseline hazards of their own, (days, cumulative hazard) of each in the order of INTENSITY.
    """

    prepared: preparation.Preparation
    coefficients: Floats
    alpha: float
    event_days: Floats
    cumulative_hazard: Floats
    arms: tuple[tuple[Floats, Floats], ...] = ()

    def hazard_at(self, days: Floats) -> Floats:
        """Baseline cumulative hazard at days from the landmark (a step function)."""
        return _step(self.event_days, self.cumulative_hazard, days)

    def hazards_at(self, days: Floats) -> Floats:
        """Baseline cumulative hazard of each strategy: (strategies, days)."""
        own = self.arms or ((self.event_days, self.cumulative_hazard),) * len(INTENSITY)
        return np.array([_step(*arm, days) for arm in own])

    def survival(self, x: Floats, features: tuple[str, ...], days: Floats) -> Floats:
        """S_k at days from the landmark of rows under every strategy: (strategies, n, days)."""
        z = self.prepared.apply(features, x)
        curves = []
        for strategy, hazard in zip(INTENSITY, self.hazards_at(days), strict=True):
            eta = design(z, np.full(len(z), strategy)) @ self.coefficients
            curves.append(np.exp(-np.outer(np.exp(eta), hazard)))
        return np.array(curves)


def design(z: Floats, strategy: np.ndarray) -> Floats:
    """The design matrix of prepared features (n, p) and strategies (n,): shape (n, p + 3 + 3 p)."""
    marks = np.column_stack([(strategy == treated).astype(np.float64) for treated in TREATED])
    products = [z * marks[:, [place]] for place in range(len(TREATED))]
    return np.column_stack([z, marks, *products])


def fit(table: TrainingTable, *, landmark: int, alpha: float | None = None, alphas: Floats | None = None) -> list[Fit]:
    """Fit at one `alpha`, along given `alphas`, or along a path of its own; one Fit per penalty, strongest first."""
    prepared = preparation.fit(table.features, table.x)
    z = prepared.apply(table.features, table.x)
    x, time = design(z, table.strategy), table.time - landmark
    penalties = np.ones(x.shape[1])
    penalties[z.shape[1] : z.shape[1] + len(TREATED)] = 0.0
    chosen = {"alphas": [alpha]} if alpha is not None else {"alphas": alphas} if alphas is not None else {"n_alphas": ALPHAS}
    model = CoxnetSurvivalAnalysis(l1_ratio=L1_RATIO, penalty_factor=penalties, alpha_min_ratio=0.02, max_iter=20_000, **chosen)
    model.fit(x, Surv.from_arrays(table.event, time))
    fits = []
    for place, value in enumerate(model.alphas_):
        coefficients = np.asarray(model.coef_[:, place])
        fits.append(Fit(prepared, coefficients, float(value), *breslow(time, table.event, x @ coefficients)))
    return fits


def risk(fitted: Fit, table: TrainingTable) -> Floats:
    """The log cumulative hazard of each row under the strategy it received, up to a constant."""
    z = fitted.prepared.apply(table.features, table.x)
    predictor = np.asarray(design(z, table.strategy) @ fitted.coefficients)
    if not fitted.arms:
        return predictor
    last = np.log(np.maximum(fitted.hazards_at(np.array([fitted.event_days[-1]]))[:, 0], 1e-12))
    return predictor + last[[INTENSITY.index(each) for each in table.strategy]]


def choose_alpha(table: TrainingTable, *, landmark: int, learn: Learner | None = None) -> float:
    """The penalty with the best mean held-out C over centers left out one at a time; among equals the strongest."""
    learn = learn or fit
    path = np.array([each.alpha for each in learn(table, landmark=landmark)])
    scores = np.zeros((0, len(path)))
    for center in np.unique(table.center):
        inside, outside = table.rows(table.center != center), table.rows(table.center == center)
        if outside.event.sum() < 2 or len(np.unique(inside.center)) == 0:
            continue
        fits = learn(inside, landmark=landmark, alphas=path)
        found = [concordance(each, outside) for each in fits]
        scores = np.vstack([scores, found + found[-1:] * (len(path) - len(found))])  # a path may end early
    if not len(scores):
        raise ValueError("no center has two events: the penalty cannot be chosen by leaving centers out")
    return float(path[int(np.argmax(scores.mean(axis=0).round(6)))])


def _step(event_days: Floats, cumulative_hazard: Floats, days: Floats) -> Floats:
    steps = np.concatenate([[0.0], cumulative_hazard])
    return np.asarray(steps[np.searchsorted(event_days, days, side="right")])


def concordance(fitted: Fit, table: TrainingTable) -> float:
    """Harrell's C of the risk under the received strategy."""
    return float(concordance_index_censored(table.event, table.time, risk(fitted, table))[0])


def breslow(time: Floats, event: np.ndarray, predictor: Floats) -> tuple[Floats, Floats]:
    """Breslow's cumulative baseline hazard: distinct event days and its value after each."""
    days, deaths = np.unique(time[event], return_counts=True)
    order = np.argsort(time, kind="stable")
    later = np.cumsum(np.exp(predictor[order])[::-1])[::-1]
    return days, np.cumsum(deaths / later[np.searchsorted(time[order], days)])
