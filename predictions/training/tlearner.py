"""The T-learner: an elastic-net Cox model of its own for each strategy, with its own baseline hazard, from the landmark on.

Written in the layout of the S-learner (`slearner.design`): surgery alone holds the shared block, every other strategy its difference
from it. A strategy with fewer than 10 events per kept feature cannot carry a model of its own and is refused (MD-02). Pure.
"""

import warnings

import numpy as np
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from predictions.decision import INTENSITY
from predictions.training import preparation
from predictions.training.slearner import L1_RATIO, TREATED, Fit, breslow
from predictions.training.table import Floats, TrainingTable

EVENTS_PER_PARAMETER = 10
FRACTIONS = np.geomspace(1.0, 0.02, 12)
"""Penalties as fractions of the one that keeps nothing, the same for every strategy."""


class ArmRefused(ValueError):
    """A strategy has too few events for the features its own model keeps."""


def fit(table: TrainingTable, *, landmark: int, alpha: float | None = None, alphas: Floats | None = None) -> list[Fit]:
    """Fit at one fraction or along several (default: FRACTIONS); one Fit each, strongest penalty first."""
    fractions = np.array([alpha]) if alpha is not None else FRACTIONS if alphas is None else alphas
    prepared = preparation.fit(table.features, table.x)
    z, time = prepared.apply(table.features, table.x), table.time - landmark
    given = [table.strategy == each for each in INTENSITY]
    arms = [_arm(z[rows], time[rows], table.event[rows], fractions) for rows in given]
    fits = []
    for place, fraction in enumerate(fractions):
        own = [arm[place] for arm in arms]
        blocks = [own[0]] + [each - own[0] for each in own[1:]]
        coefficients = np.concatenate([blocks[0], np.zeros(len(TREATED)), *blocks[1:]])
        hazards = []
        for rows, beta in zip(given, own, strict=True):
            hazards.append(breslow(time[rows], table.event[rows], z[rows] @ beta))
        days, hazard = breslow(time, table.event, np.zeros(table.n))
        fits.append(Fit(prepared, coefficients, float(fraction), days, hazard, tuple(hazards)))
    return fits


def require_support(fitted: Fit, table: TrainingTable) -> None:
    """Raise ArmRefused where a strategy has fewer than 10 events per feature that its model keeps."""
    p = len(fitted.prepared.features)
    shared, rest = fitted.coefficients[:p], fitted.coefficients[p + len(TREATED) :].reshape(len(TREATED), p)
    for strategy, beta in zip(INTENSITY, [shared, *(shared + block for block in rest)], strict=True):
        events, kept = int(table.event[table.strategy == strategy].sum()), int((np.abs(beta) > 1e-10).sum())
        if events < EVENTS_PER_PARAMETER * max(kept, 1):
            raise ArmRefused(f"{strategy} has {events} events for {kept} features: {EVENTS_PER_PARAMETER} per feature are needed")


def _arm(z: Floats, time: Floats, event: np.ndarray, fractions: Floats) -> list[Floats]:
    """Coefficients of one strategy's model at each fraction of its strongest penalty."""
    if event.sum() < 2:
        return [np.zeros(z.shape[1]) for _ in fractions]
    y = Surv.from_arrays(event, time)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "all coefficients are zero")  # the strongest penalty keeps nothing, by its definition
        strongest = CoxnetSurvivalAnalysis(l1_ratio=L1_RATIO, n_alphas=5).fit(z, y).alphas_[0]
        model = CoxnetSurvivalAnalysis(l1_ratio=L1_RATIO, alphas=strongest * fractions, max_iter=20_000).fit(z, y)
    reached = model.coef_.shape[1]  # the path ends where weaker penalties explain nothing more
    return [np.asarray(model.coef_[:, min(place, reached - 1)]) for place in range(len(fractions))]
