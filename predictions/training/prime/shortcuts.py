"""What each shortcut of the published code would have added, measured on the same data (docs/models.md §2).

Each row sets a figure as the shortcut gives it beside the same steps without it, both on the same 30 % held out, averaged over
splits. The steps are those of the published notebooks, written anew; nothing here enters a model. Pure.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNetCV, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeClassifier
from sksurv.linear_model import CoxnetSurvivalAnalysis
from sksurv.svm import FastSurvivalSVM
from sksurv.util import Surv

from predictions.training import preparation
from predictions.training.folds import stratified
from predictions.training.measures import delong
from predictions.training.measures.intervals import Bools, Floats, Ints
from predictions.training.measures.resampled import Followed, brier, concordance
from predictions.training.prime.cohort import Cohort
from predictions.training.prime.pipeline import columns
from predictions.training.prime.targets import Response, Survival
from predictions.training.prime.validation import Target

SPLITS = (42, 43, 44, 45, 46)
KEPT = 10
Pair = tuple[float, float]
TWO_YEARS = 730.5


def ablation(cohort: Cohort, target: Target) -> list[dict[str, Any]]:
    """Rows {shortcut, measure, with, without, added}; `added` is optimism where it is positive, for Brier scores where negative."""
    rows = []
    for name, measure, pair in _RESPONSE if isinstance(target, Response) else _SURVIVAL:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = np.array([pair(cohort, target, seed) for seed in SPLITS])
        with_it, without = (float(value) for value in np.nanmean(found, axis=0))
        rows.append({"shortcut": name, "measure": measure, "with": with_it, "without": without, "added": with_it - without})
    return rows


def selection_before_the_split(cohort: Cohort, target: Survival, seed: int) -> Pair:
    """Test C of ten features chosen on all rows, and of ten chosen on the training rows."""
    inside, outside = _split(target.event, seed)

    def test_c(chosen_on: Ints) -> float:
        z = _z(cohort, chosen_on)
        kept = _published_choice(z[chosen_on], target.time[chosen_on], target.event[chosen_on])
        return _c(target, outside, _machine(z[:, kept], target, inside)[outside])

    return test_c(np.arange(cohort.n)), test_c(inside)


def weights_from_the_tested_outcomes(cohort: Cohort, target: Survival, seed: int) -> Pair:
    """Test C of two modalities weighed by their C in the test rows themselves, and by their C in the training rows."""
    inside, outside = _split(target.event, seed)
    z = _z(cohort, inside)
    risks = []
    for places in columns(cohort.features).values():
        part = z[:, list(places)]
        kept = _published_choice(part[inside], target.time[inside], target.event[inside])
        risks.append(_machine(part[:, kept], target, inside))

    def fused(weighed_on: Ints) -> float:
        weight = np.array([np.exp((_c(target, weighed_on, risk[weighed_on]) - 0.5) / 0.1) for risk in risks])
        return _c(target, outside, np.asarray((weight / weight.sum()) @ np.array(risks))[outside])

    return fused(outside), fused(inside)


def brier_without_censoring(cohort: Cohort, target: Survival, seed: int) -> Pair:
    """Brier score at two years of the Kaplan-Meier curve: the censored before it counted as dead, and weighted."""
    inside, outside = _split(target.event, seed)
    order = Followed.once(target.time[inside], target.event[inside])
    at_risk = np.array([(order.time >= day).sum() for day in order.days])
    died = order.by_day(order.event)[0]
    before = order.days <= TWO_YEARS
    survival = float(np.prod(1 - died[before] / at_risk[before]))
    time = target.time[outside]
    naive = float(np.where(time > TWO_YEARS, (1 - survival) ** 2, survival**2).mean())
    there = Followed.once(time, target.event[outside])
    return naive, float(brier(there, np.full((len(time), 1), survival), np.array([TWO_YEARS]))[0, 0])


def grid_scored_on_the_test(cohort: Cohort, target: Response, seed: int) -> Pair:
    """Test AUC of the setting that is best on the test rows, and of the one that is best within the training rows."""
    inside, outside = _split(target.event, seed)
    z = _z(cohort, inside)
    z = z[:, _largest(_elastic(z[inside], target.event[inside].astype(float)))]
    grid = [(trees, depth) for trees in (30, 50) for depth in (3, 5, 7)]

    def asked(rows: Ints, of: Ints, setting: tuple[int, int]) -> Floats:
        trees, depth = setting
        model = RandomForestClassifier(trees, max_depth=depth, random_state=seed).fit(z[rows], target.event[rows])
        return np.asarray(model.predict_proba(z[of])[:, 1])

    test = [_auc(target, outside, asked(inside, outside, setting)) for setting in grid]
    within = []
    for setting in grid:
        answers = np.zeros(len(inside))
        for one, other in stratified(target.event[inside], folds=3, seed=seed):
            answers[other] = asked(inside[one], inside[other], setting)
        within.append(_auc(target, inside, answers))
    return max(test), test[int(np.argmax(within))]


def fusion_fitted_on_the_test(cohort: Cohort, target: Response, seed: int) -> Pair:
    """Test AUC of two modalities fused by a model fitted on the test rows, bases included, and on the training rows."""
    inside, outside = _split(target.event, seed)
    z = _z(cohort, inside)

    def fused(fitted_on: Ints) -> float:
        answers = []
        for places in columns(cohort.features).values():
            part = z[:, list(places)]
            part = part[:, _largest(_elastic(part[inside], target.event[inside].astype(float)))]
            base = AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), n_estimators=30, random_state=seed)
            answers.append(base.fit(part[fitted_on], target.event[fitted_on]).predict_proba(part)[:, 1])
        above = LogisticRegression(C=0.1).fit(np.column_stack(answers)[fitted_on], target.event[fitted_on])
        return _auc(target, outside, above.predict_proba(np.column_stack(answers))[outside, 1])

    return fused(outside), fused(inside)


_SURVIVAL: tuple[tuple[str, str, Callable[..., Pair]], ...] = (
    ("features chosen on all rows before the split", "test C", selection_before_the_split),
    ("fusion weights recomputed from the tested rows' outcomes", "test C", weights_from_the_tested_outcomes),
    ("Brier score that ignores censoring", "Brier at 24 months", brier_without_censoring),
)
_RESPONSE: tuple[tuple[str, str, Callable[..., Pair]], ...] = (
    ("grid scored on the test rows", "test AUC", grid_scored_on_the_test),
    ("fusion fitted on the test rows", "test AUC", fusion_fitted_on_the_test),
)


def _split(event: Bools, seed: int) -> tuple[Ints, Ints]:
    inside, outside = train_test_split(np.arange(len(event)), test_size=0.3, stratify=event, random_state=seed)
    return np.sort(inside), np.sort(outside)


def _z(cohort: Cohort, rows: Ints) -> Floats:
    """All features as z-scores by these rows, in their places; one that cannot be prepared is zero."""
    prepared = preparation.fit(cohort.features, cohort.x[rows])
    z = np.zeros(cohort.x.shape)
    at = {name: place for place, name in enumerate(cohort.features)}
    z[:, [at[name] for name in prepared.features]] = prepared.apply(cohort.features, cohort.x)
    return z


def _published_choice(z: Floats, time: Floats, event: Bools) -> Ints:
    """Elastic-net Cox at one penalty, then ten features by an elastic net of the raw time (which ignores censoring)."""
    coxnet = CoxnetSurvivalAnalysis(l1_ratio=0.5, alphas=[0.1], max_iter=100_000).fit(z, Surv.from_arrays(event, time))
    first = np.flatnonzero(coxnet.coef_[:, 0])
    if not len(first):
        first = np.arange(z.shape[1])
    return np.asarray(first[_largest(_elastic(z[:, first], time))])


def _elastic(z: Floats, outcome: Floats) -> Floats:
    return np.asarray(np.abs(ElasticNetCV(cv=5, alphas=20, max_iter=2000).fit(z, outcome).coef_))


def _largest(size: Floats) -> Ints:
    return np.argsort(-size, kind="stable")[:KEPT]


def _machine(z: Floats, target: Survival, rows: Ints) -> Floats:
    """Risks of all rows by a FastSurvivalSVM at the setting that the published search always returns."""
    model = FastSurvivalSVM(alpha=0.001, max_iter=1000, random_state=42)
    return np.asarray(model.fit(z[rows], Surv.from_arrays(target.event[rows], target.time[rows])).predict(z))


def _c(target: Survival, rows: Ints, risk: Floats) -> float:
    return float(concordance(Followed.once(target.time[rows], target.event[rows]), risk)[0][0])


def _auc(target: Response, rows: Ints, score: Floats) -> float:
    return delong.area(target.event[rows], score).estimate
