"""Which features a model may use, learnt from training rows alone (PM-01, PM-02). Pure."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.util import Surv

from predictions.training.folds import stratified
from predictions.training.measures.intervals import Bools, Floats, Ints

PATH = 25  # penalties of a Cox path
PATH_END = 0.1  # the weakest, as a share of the one that keeps nothing
_EDGE = 1e-12


def of_response(z: Floats, outcome: Bools, rules: Mapping[str, Any], *, univariate: bool, seed: int) -> Ints:
    """Places of the kept features among z-scores (n, p): univariate logistic regression where asked, then the elastic net."""
    places = np.arange(z.shape[1])
    if univariate and rules["univariate_p"] < 1:
        places = places[univariate_p(z, outcome) < rules["univariate_p"]]
    if not len(places):
        return places
    penalty = _penalty(z[:, places], outcome, rules, seed)
    size = np.abs(_elastic_net(z[:, places], outcome, penalty, rules["l1_ratio"], seed)[0])
    kept = size > rules["least_coefficient"]
    if "most" in rules and kept.sum() > rules["most"]:
        kept &= size >= np.sort(size)[-rules["most"]]
    return np.asarray(places[kept])


def univariate_p(z: Floats, outcome: Bools) -> Floats:
    """Wald p of the slope of a logistic regression on each column alone: (p,)."""
    intercept, slope = np.zeros(z.shape[1]), np.zeros(z.shape[1])
    variance = np.full(z.shape[1], np.inf)
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(intercept + z * slope, -30, 30)))
        w, residual = p * (1 - p), outcome[:, None] - p
        a, b, c = w.sum(axis=0), (w * z).sum(axis=0), (w * z * z).sum(axis=0)
        determinant = np.maximum(a * c - b * b, _EDGE)
        u, v = residual.sum(axis=0), (residual * z).sum(axis=0)
        intercept = np.clip(intercept + (c * u - b * v) / determinant, -30, 30)
        slope = np.clip(slope + (a * v - b * u) / determinant, -30, 30)
        variance = a / determinant
    return np.asarray(2 * norm.sf(np.abs(slope) / np.sqrt(variance)))


def of_survival(z: Floats, time: Floats, event: Bools, rules: Mapping[str, Any]) -> Ints:
    """Places of the kept features: those that enter an L1 Cox path first, then the largest of an elastic-net Cox model."""
    if event.sum() < 2:
        return np.zeros(0, dtype=np.int64)
    first = _entering(z, time, event, l1_ratio=1.0, most=rules["screen"])
    if not len(first):
        return first
    coefficients = _path(z[:, first], time, event, rules["l1_ratio"])
    held = (coefficients != 0).sum(axis=0)
    enough = np.flatnonzero(held >= min(rules["keep"], held.max()))
    size = np.abs(coefficients[:, enough[0]])
    order = np.argsort(-size, kind="stable")[: rules["keep"]]
    return np.asarray(np.sort(first[order[size[order] > 0]]))


def _entering(z: Floats, time: Floats, event: Bools, *, l1_ratio: float, most: int) -> Ints:
    """Features that are not zero at the weakest penalty of the path that keeps at most `most` of them."""
    coefficients = _path(z, time, event, l1_ratio)
    within = np.flatnonzero((coefficients != 0).sum(axis=0) <= most)
    return np.flatnonzero(coefficients[:, within[-1]] != 0)


def _path(z: Floats, time: Floats, event: Bools, l1_ratio: float) -> Floats:
    model = CoxnetSurvivalAnalysis(l1_ratio=l1_ratio, n_alphas=PATH, alpha_min_ratio=PATH_END, max_iter=100_000)
    return np.asarray(model.fit(z, Surv.from_arrays(event, time)).coef_)


def _penalty(z: Floats, outcome: Bools, rules: Mapping[str, Any], seed: int) -> float:
    """The inverse strength with the least cross-validated deviance; among equals the strongest penalty."""
    if len(rules["C"]) == 1:
        return float(rules["C"][0])
    deviance = np.zeros(len(rules["C"]))
    for inside, outside in stratified(outcome, folds=rules["folds"], seed=seed):
        for place, strength in enumerate(rules["C"]):
            coefficients, intercept = _elastic_net(z[inside], outcome[inside], strength, rules["l1_ratio"], seed)
            score = np.clip(z[outside] @ coefficients + intercept, -30, 30)
            deviance[place] += float(np.logaddexp(0, np.where(outcome[outside], -score, score)).sum())
    return float(rules["C"][int(np.argmin(deviance.round(9)))])


def _elastic_net(z: Floats, outcome: Bools, strength: float, l1_ratio: float, seed: int) -> tuple[Floats, float]:
    """Coefficients (p,) and intercept by SAGA; a path that has not come to rest in 1,000 rounds is taken as it is."""
    model = LogisticRegression(solver="saga", l1_ratio=l1_ratio, C=strength, max_iter=1000, tol=1e-2, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(z, outcome)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])
