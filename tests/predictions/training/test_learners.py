"""Learners as plain numbers: what scikit-learn and scikit-survival say, without them (MD-04, PM-01, PM-03)."""

import json

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, GradientBoostingClassifier
from sklearn.tree import DecisionTreeClassifier
from sksurv.ensemble import GradientBoostingSurvivalAnalysis, RandomSurvivalForest
from sksurv.metrics import concordance_index_censored
from sksurv.svm import FastSurvivalSVM
from sksurv.util import Surv

from accounts.canonical import canonical
from predictions.training.learners import classifiers, portable, rotation_forest, survivors

SHAPE = {"n_trees": 12, "max_depth": 3, "min_samples_split": 5}
CLASSIFIERS = {
    "bagging": SHAPE,
    "boosting": SHAPE,
    "stacking": SHAPE,
    "rotation_forest": SHAPE,
    "gradient_boosting": SHAPE | {"subsample": 0.8, "feature_share": 0.5},
    "logistic": {"C": 0.5},
}
SURVIVORS = {
    "random_survival_forest": {"n_estimators": 12, "min_samples_leaf": 5},
    "gradient_boosting_survival": {"n_estimators": 20, "learning_rate": 0.1, "subsample": 0.5},
    "fast_survival_svm": {"alpha": 0.1},
    "elastic_net_cox": {"alpha": 0.02, "l1_ratio": 0.5},
}


@pytest.fixture(scope="module")
def rows():
    """Features, an outcome that leans on two of them, and times that do too."""
    random = np.random.default_rng(4)
    x = random.normal(size=(120, 7))
    score = x[:, 0] - x[:, 1]
    onset, censored = random.exponential(500 * np.exp(-score)), random.uniform(100, 1500, 120)
    return x, score + random.normal(size=120) > 0, np.ceil(np.minimum(onset, censored)), onset <= censored


def fitted(name, rows):
    x, outcome, time, event = rows
    if name in CLASSIFIERS:
        return classifiers.fit(name, x, outcome, CLASSIFIERS[name], seed=3)
    return survivors.fit(name, x, time, event, SURVIVORS[name], seed=3)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("bagging", BaggingClassifier(DecisionTreeClassifier(max_depth=3, min_samples_split=5), n_estimators=12, random_state=3)),
        ("boosting", AdaBoostClassifier(DecisionTreeClassifier(max_depth=3, min_samples_split=5), n_estimators=12, random_state=3)),
        (
            "gradient_boosting",
            GradientBoostingClassifier(n_estimators=12, max_depth=3, min_samples_split=5, subsample=0.8, max_features=0.5, random_state=3),
        ),
    ],
)
def test_classifier_says_what_scikit_learn_says(rows, name, theirs):
    x, outcome, *_ = rows
    expected = theirs.fit(x, outcome).predict_proba(x)[:, 1]
    assert np.allclose(fitted(name, rows).predict(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("random_survival_forest", RandomSurvivalForest(n_estimators=12, min_samples_leaf=5, random_state=3)),
        (
            "gradient_boosting_survival",
            GradientBoostingSurvivalAnalysis(n_estimators=20, learning_rate=0.1, subsample=0.5, random_state=3),
        ),
    ],
)
def test_survival_learner_says_what_scikit_survival_says(rows, name, theirs):
    x, _, time, event = rows
    expected = theirs.fit(x, Surv.from_arrays(event, time)).predict(x)
    assert np.allclose(fitted(name, rows).predict(x), expected, rtol=1e-12, atol=1e-12)


def test_forest_with_a_step_for_each_day_of_an_event_is_the_forest_of_all_days(rows):
    """A coarser one is another forest that ranks patients alike."""
    x, _, time, event = rows
    expected = RandomSurvivalForest(n_estimators=12, min_samples_leaf=5, random_state=3).fit(x, Surv.from_arrays(event, time)).predict(x)
    fine, coarse = (
        survivors.fit("random_survival_forest", x, time, event, SURVIVORS["random_survival_forest"] | {"steps": steps}, seed=3).predict(x)
        for steps in (100_000, 20)
    )
    assert np.allclose(fine, expected, rtol=1e-12, atol=1e-12)
    assert not np.allclose(coarse, expected)
    assert np.corrcoef(coarse, expected)[0, 1] > 0.9


def test_days_in_steps_by_hand():
    """Events on 10, 20, 30 and 40 in two steps, the first and the last: events go up, the censored stay behind what they outlived."""
    time, event = np.array([10.0, 20, 30, 40, 5, 10, 25, 40, 90]), np.array([1, 1, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    assert survivors.in_steps(time, event, 2).tolist() == [10, 40, 40, 40, 5, 10, 10, 40, 40]


@pytest.mark.parametrize("name", [*CLASSIFIERS, *SURVIVORS])
def test_model_reads_back_and_says_the_same_alone_and_in_a_batch(rows, name):
    """PR-04, to the last bit."""
    x = rows[0]
    model = fitted(name, rows)
    again = portable.part(json.loads(canonical(model.as_json())))
    whole = model.predict(x)
    assert np.array_equal(again.predict(x), whole)
    assert all(again.predict(x[[place]])[0] == whole[place] for place in range(0, len(x), 7))


@pytest.mark.parametrize("name", [*CLASSIFIERS, *SURVIVORS])
def test_nothing_to_learn_from_gives_one_answer_for_all(rows, name):
    x, outcome, time, event = rows
    assert len(set(fitted(name, (x[:, :0], outcome, time, event)).predict(x[:, :0]))) == 1


@pytest.mark.parametrize("rank_ratio", [1.0, 0.0, 0.5])
def test_support_vector_machine_gives_a_risk_with_either_rank_ratio(rows, rank_ratio):
    """PM-03; the raw prediction below 1 is a time, and concordant the wrong way round."""
    x, _, time, event = rows
    parameters = {"alpha": 0.1, "rank_ratio": rank_ratio} | ({"fit_intercept": True} if rank_ratio < 1 else {})
    model = survivors.fit("fast_survival_svm", x, time, event, parameters, seed=3)
    assert concordance_index_censored(event, time, model.predict(x))[0] > 0.6
    raw = FastSurvivalSVM(random_state=3, max_iter=1000, **parameters).fit(x, Surv.from_arrays(event, time)).predict(x)
    assert (concordance_index_censored(event, time, raw)[0] > 0.5) == (rank_ratio == 1)


def test_flipped_sign_is_refused(rows):
    x, _, time, event = rows
    risk = survivors.fit("fast_survival_svm", x, time, event, {"alpha": 0.1}, seed=3).predict(x)
    survivors.check_sign(risk, time, event)
    with pytest.raises(survivors.SignRefused, match="flipped"):
        survivors.check_sign(-risk, time, event)


def test_rotation_turns_groups_of_three_and_loses_nothing(rows):
    """Orthogonal, with non-zeros within groups only: 7 features make blocks of 3, 3 and 1."""
    x, outcome, *_ = rows
    for member in rotation_forest.fit(x, outcome, seed=1, **SHAPE).members:
        assert np.allclose(member.rotation @ member.rotation.T, np.eye(7))
        assert sorted((np.abs(member.rotation) > 0).sum(axis=1)) == [1, 3, 3, 3, 3, 3, 3]


def test_rotation_forest_sees_oblique_borders_better_than_bagging():
    """What rotation is for: trees of depth 2 and a border across the axes."""
    random = np.random.default_rng(2)
    x = random.normal(size=(600, 3)) @ np.array([[1.0, 0.9, 0.9], [0, 0.3, 0], [0, 0, 0.3]])
    outcome = x[:, 1] - x[:, 2] > 0
    shape = {"n_trees": 15, "max_depth": 2, "min_samples_split": 2}
    right = {
        name: ((classifiers.fit(name, x[:300], outcome[:300], shape, seed=1).predict(x[300:]) > 0.5) == outcome[300:]).mean()
        for name in ("bagging", "rotation_forest")
    }
    assert right["rotation_forest"] > right["bagging"] + 0.1


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"kind": "builtins.eval"}, "no kind of part"),
        ({"kind": "linear"}, "not whole"),
        ([], "no kind of part"),
        ({"kind": "stacked", "members": [{"kind": "os.system"}], "above": {}}, "os.system"),
        (
            {"kind": "tree", "feature": [0], "left": [0], "right": [0], "threshold": ["0.0"], "value": ["0.0"]},
            "circle",
        ),
    ],
)
def test_foreign_part_is_refused(value, sentence):
    with pytest.raises(portable.PartRefused, match=sentence):
        portable.part(value)
