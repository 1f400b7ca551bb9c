"""The five ensembles of PRIME-R, and a penalised logistic model, behind one function (PM-01).

Each is fitted by scikit-learn and handed over as plain numbers. A single outcome in the training rows gives its constant. Pure.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from predictions.training.folds import stratified
from predictions.training.learners import rotation_forest, trees
from predictions.training.learners.portable import Ensemble, Linear, Portable, Stacked
from predictions.training.measures.intervals import Bools, Floats

Parameters = Mapping[str, Any]


def fit(kind: str, x: Floats, outcome: Bools, parameters: Parameters, *, seed: int) -> Portable:
    """Fit one classifier to prepared features (n, p) and outcomes (n,); without features it says the share of the outcome."""
    if x.shape[1] == 0 or len(np.unique(outcome)) < 2:
        return Linear(np.zeros(x.shape[1]), log_odds(float(outcome.mean())), logistic=True)
    return CLASSIFIERS[kind](x, outcome, parameters, seed)


def logistic_model(x: Floats, outcome: Bools, penalty: float) -> Linear:
    """Ridge-penalised logistic regression; `penalty` is scikit-learn's C, the inverse strength."""
    fitted = LogisticRegression(C=penalty, max_iter=10_000, tol=1e-8).fit(x, outcome)
    return Linear(np.asarray(fitted.coef_[0], dtype=np.float64), float(fitted.intercept_[0]), logistic=True)


def _logistic(x: Floats, outcome: Bools, parameters: Parameters, seed: int) -> Portable:
    return logistic_model(x, outcome, float(parameters["C"]))


def _bagging(x: Floats, outcome: Bools, parameters: Parameters, seed: int) -> Portable:
    fitted = BaggingClassifier(_tree(parameters), n_estimators=parameters["n_trees"], random_state=seed).fit(x, outcome)
    members = tuple(trees.of_classifier(each) for each in fitted.estimators_)
    return Ensemble(members, np.full(len(members), 1 / len(members)), 0.0, logistic=False)


def _boosting(x: Floats, outcome: Bools, parameters: Parameters, seed: int) -> Portable:
    """AdaBoost (SAMME): logistic of twice the weighted mean of votes, as scikit-learn's predict_proba."""
    fitted = AdaBoostClassifier(_tree(parameters), n_estimators=parameters["n_trees"], random_state=seed).fit(x, outcome)
    members = tuple(trees.of_votes(each) for each in fitted.estimators_)
    weights = np.asarray(fitted.estimator_weights_[: len(members)], dtype=np.float64)
    return Ensemble(members, 2 * weights / weights.sum(), 0.0, logistic=True)


def _gradient(x: Floats, outcome: Bools, parameters: Parameters, seed: int) -> Portable:
    """Gradient boosting with randomness: each tree sees a share of the patients and of the features."""
    fitted = GradientBoostingClassifier(
        n_estimators=parameters["n_trees"],
        max_depth=parameters["max_depth"],
        min_samples_split=parameters["min_samples_split"],
        subsample=parameters["subsample"],
        max_features=parameters["feature_share"],
        random_state=seed,
    ).fit(x, outcome)
    members = tuple(trees.of_regressor(each) for each in fitted.estimators_[:, 0])
    start = log_odds(float(outcome.mean()))
    return Ensemble(members, np.full(len(members), float(fitted.learning_rate)), start, logistic=True)


def _rotation(x: Floats, outcome: Bools, parameters: Parameters, seed: int) -> Portable:
    return rotation_forest.fit(x, outcome, seed=seed, **parameters)


def _stacking(x: Floats, outcome: Bools, parameters: Parameters, seed: int) -> Portable:
    """A logistic model, a tree and a bagged forest below a logistic model that saw their out-of-fold answers only."""

    def below(rows: Floats, results: Bools) -> tuple[Portable, ...]:
        alone = trees.of_classifier(_tree(parameters).set_params(random_state=seed).fit(rows, results))
        return logistic_model(rows, results, 0.1), alone, _bagging(rows, results, parameters, seed)

    answers = np.zeros((len(x), 3))
    for inside, outside in stratified(outcome, folds=5, seed=seed):
        for place, member in enumerate(below(x[inside], outcome[inside])):
            answers[outside, place] = member.predict(x[outside])
    return Stacked(below(x, outcome), logistic_model(answers, outcome, 0.1))


def _tree(parameters: Parameters) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=parameters["max_depth"], min_samples_split=parameters["min_samples_split"])


def log_odds(share: float) -> float:
    """The log odds of a share, kept off 0 and 1."""
    kept = min(max(share, 1e-6), 1 - 1e-6)
    return float(np.log(kept / (1 - kept)))


CLASSIFIERS: dict[str, Callable[[Floats, Bools, Parameters, int], Portable]] = {
    "bagging": _bagging,
    "boosting": _boosting,
    "stacking": _stacking,
    "rotation_forest": _rotation,
    "gradient_boosting": _gradient,
    "logistic": _logistic,
}
