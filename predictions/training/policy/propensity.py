"""Who received which strategy and why: cross-fitted propensities, weights, balance and effective sample size (MD-02, PR-05). Pure."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from predictions.decision import INTENSITY
from predictions.training import preparation
from predictions.training.folds import labels
from predictions.training.table import Floats, TrainingTable

TRUNCATED = (0.01, 0.99)
LEAST = 0.05
FOLDS = 5


def fitted_on(inside: TrainingTable, x: Floats) -> Floats:
    """p(k | x) of rows (n, features) by a multinomial logistic model of other rows: (n, strategies), 0 for one nobody there received."""
    prepared = preparation.fit(inside.features, inside.x)
    places = np.array([INTENSITY.index(each) for each in inside.strategy])
    model = LogisticRegression(C=1.0, max_iter=5000).fit(prepared.apply(inside.features, inside.x), places)
    found = np.zeros((len(x), len(INTENSITY)))
    found[:, model.classes_] = model.predict_proba(prepared.apply(inside.features, x))
    return found


def cross_fitted(table: TrainingTable, *, seed: int) -> Floats:
    """p(k | x) of each row by a model that never saw it: (n, strategies)."""
    found = np.zeros((table.n, len(INTENSITY)))
    fold = labels(table.event, folds=FOLDS, seed=seed)
    for each in range(FOLDS):
        found[fold == each] = fitted_on(table.rows(fold != each), table.x[fold == each])
    return found


def received(table: TrainingTable, propensity: Floats) -> Floats:
    """p of the strategy each row received, truncated to 1 and 99 %: (n,)."""
    places = np.array([INTENSITY.index(each) for each in table.strategy])
    return np.asarray(np.clip(propensity[np.arange(table.n), places], *TRUNCATED))


def weights(table: TrainingTable, propensity: Floats, kind: str) -> Floats:
    """`overlap` (Li and Li 2019: harmonic mean of all p, over p received) or `stabilised` (share over p received): (n,)."""
    own = received(table, propensity)
    if kind == "overlap":
        tilt = 1 / (1 / np.clip(propensity, *TRUNCATED)).sum(axis=1)
        return np.asarray(tilt / own)
    share = np.array([(table.strategy == each).mean() for each in INTENSITY])
    return np.asarray(share[[INTENSITY.index(each) for each in table.strategy]] / own)


def report(table: TrainingTable, *, seed: int) -> dict[str, Any]:
    """Balance before and after weighting, effective sample size, and how many lie outside the support of a strategy."""
    propensity = cross_fitted(table, seed=seed)
    prepared = preparation.fit(table.features, table.x)
    z = prepared.apply(table.features, table.x)
    found: dict[str, Any] = {"balance": {}, "effective_sample_size": {}}
    overlap = weights(table, propensity, "overlap")
    stabilised = weights(table, propensity, "stabilised")
    for name, weight in (("unweighted", np.ones(table.n)), ("overlap", overlap), ("stabilised", stabilised)):
        found["balance"][name] = dict(zip(prepared.features, _largest_difference(table, z, weight), strict=True))
        found["effective_sample_size"][name] = {
            str(each): _effective(weight[table.strategy == each]) for each in INTENSITY if (table.strategy == each).any()
        }
    found["below_support"] = {str(each): float((propensity[:, place] < LEAST).mean()) for place, each in enumerate(INTENSITY)}
    return found


def _largest_difference(table: TrainingTable, z: Floats, weight: Floats) -> list[float]:
    """The largest absolute standardised mean difference between two strategies, by feature (z has SD 1 over all rows)."""
    arms = [each for each in INTENSITY if (table.strategy == each).sum() > 1]
    means = np.array([np.average(z[table.strategy == each], axis=0, weights=weight[table.strategy == each]) for each in arms])
    return [float(value) for value in means.max(axis=0) - means.min(axis=0)]


def _effective(weight: Floats) -> float:
    """Kish's effective sample size."""
    return float(weight.sum() ** 2 / (weight**2).sum())
