"""The survival learners of PRIME-S behind one function whose answer is always a risk: higher means earlier death (PM-02, PM-03).

The coefficients of `FastSurvivalSVM` are those of a survival time; its `predict` turns them into a risk with `rank_ratio` 1 and
leaves them with less. The adapter reads the coefficients, and refuses any fit whose risk runs against the training outcomes. Pure.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.svm import FastSurvivalSVM
from sksurv.util import Surv

from predictions.training.learners import trees
from predictions.training.learners.portable import Ensemble, Linear, Portable
from predictions.training.measures.intervals import Bools, Floats
from predictions.training.measures.resampled import Followed, concordance

Parameters = Mapping[str, Any]


class SignRefused(ValueError):
    """A risk that is higher in those who live longer: its sign is wrong, whatever its size."""


def fit(kind: str, x: Floats, time: Floats, event: Bools, parameters: Parameters, *, seed: int) -> Portable:
    """Fit one survival learner to prepared features (n, p); without features or events everybody's risk is 0.

    Raises SignRefused.
    """
    if x.shape[1] == 0 or not event.any():
        return Linear(np.zeros(x.shape[1]), 0.0, logistic=False)
    fitted = LEARNERS[kind](x, Surv.from_arrays(event, time), parameters, seed)
    check_sign(fitted.predict(x), time, event)
    return fitted


def check_sign(risk: Floats, time: Floats, event: Bools) -> None:
    """Raise SignRefused where the concordance in the training rows themselves is below one half."""
    if not np.isfinite(risk).all():
        raise SignRefused("a risk is no number")
    if float(risk.max() - risk.min()) == 0.0:
        return
    inside = float(concordance(Followed.once(time, event), risk)[0][0])
    if inside < 0.5:
        raise SignRefused(f"C is {inside:.3f} in the training rows themselves: the sign of the risk is flipped")


def _forest(x: Floats, y: Any, parameters: Parameters, seed: int) -> Portable:
    """A forest grown on days in so many `steps`, where the parameters say so: the log-rank test of each split runs over all days."""
    settings = dict(parameters)
    if steps := settings.pop("steps", 0):
        y = Surv.from_arrays(y["event"], in_steps(y["time"], y["event"], steps))
    fitted = RandomSurvivalForest(low_memory=True, random_state=seed, **settings).fit(x, y)
    members = tuple(trees.of_regressor(each) for each in fitted.estimators_)
    return Ensemble(members, np.full(len(members), 1 / len(members)), 0.0, logistic=False)


def in_steps(time: Floats, event: Bools, steps: int) -> Floats:
    """Days as quantiles of the days of events: an event goes to the next of them, a censored day to the one before.

    With a step for each day of an event nobody's place in a risk set changes.
    """
    days = np.unique(np.quantile(time[event], np.linspace(0, 1, steps), method="inverted_cdf"))
    before = np.concatenate([[days[0] / 2], days])[np.searchsorted(days, time, side="right")]
    return np.asarray(np.where(event, days[np.minimum(np.searchsorted(days, time), len(days) - 1)], before))


def _gradient(x: Floats, y: Any, parameters: Parameters, seed: int) -> Portable:
    fitted = GradientBoostingSurvivalAnalysis(random_state=seed, **parameters).fit(x, y)
    members = tuple(trees.of_regressor(each) for each in fitted.estimators_[:, 0])
    return Ensemble(members, np.full(len(members), float(fitted.learning_rate)), 0.0, logistic=False)


def _machine(x: Floats, y: Any, parameters: Parameters, seed: int) -> Portable:
    fitted = FastSurvivalSVM(random_state=seed, max_iter=1000, **parameters).fit(x, y)
    intercept = float(getattr(fitted, "intercept_", 0.0))
    return Linear(-np.asarray(fitted.coef_, dtype=np.float64), -intercept, logistic=False)


def _elastic_net(x: Floats, y: Any, parameters: Parameters, seed: int) -> Portable:
    model = CoxnetSurvivalAnalysis(alphas=[parameters["alpha"]], l1_ratio=parameters["l1_ratio"], max_iter=100_000)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "all coefficients are zero")  # an answer: the risk is the same for everybody
        fitted = model.fit(x, y)
    return Linear(np.asarray(fitted.coef_[:, 0], dtype=np.float64), 0.0, logistic=False)


LEARNERS: dict[str, Callable[[Floats, Any, Parameters, int], Portable]] = {
    "random_survival_forest": _forest,
    "gradient_boosting_survival": _gradient,
    "fast_survival_svm": _machine,
    "elastic_net_cox": _elastic_net,
}
