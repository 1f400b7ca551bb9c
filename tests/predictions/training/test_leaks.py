"""Nothing that is not there is found, and nothing of a held-out row reaches a fitted step (MD-03, docs/models.md §2)."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from predictions.training.measures import delong
from predictions.training.prime import branch, pipeline, preset, shortcuts, validation
from predictions.training.prime.targets import Response, Survival, harrell_within
from tests.predictions.training import planted

LIGHT = preset.load(str(Path(__file__).parent / "presets" / "light.yaml"))
LIGHTER = dataclasses.replace(LIGHT, folds=2, inner_folds=2)
DAYS = np.array([365.0])
PRESETS = {"light": LIGHT, "prime-robust": dataclasses.replace(preset.load("prime-robust"), repeats=1, shapley_orders=0)}
SIGNAL = {"radiomics": 120, "clinical": 12, "signal": 0.8}
BEST = (planted.best_auc, planted.best_c)


def targets(rows):
    return Response(rows.response), Survival(rows.time, rows.event)


def held_out(rows, target, *, seed=1, rules=LIGHT):
    """The mean over folds of what models say of rows they never saw: AUC or C of the late fusion."""
    fold, answers = np.zeros(rows.n, dtype=int), np.zeros(rows.n)
    for job in validation.jobs(rules):
        said = validation.run(rows, target, job, preset=rules, seed=seed, days=DAYS)
        fold[said.rows], answers[said.rows] = job.fold, said.answers[pipeline.LATE]
    if isinstance(target, Response):
        return delong.area(target.event, answers, fold=fold).estimate
    return harrell_within(target.time, target.event, answers, fold)


@pytest.mark.parametrize("endpoint", [0, 1], ids=["response", "survival"])
def test_noise_gives_one_half(endpoint):
    """113 patients, 800 + 40 features without any meaning, published seeds 1 to 5; SE of one draw under the null about 0.06."""
    found = [held_out(rows, targets(rows)[endpoint], rules=LIGHTER) for rows, _ in map(planted.cohort, range(1, 6))]
    assert abs(np.mean(found) - 0.5) <= 3 * 0.06 / np.sqrt(5)


def test_published_selection_finds_signal_in_the_same_noise():
    """The survival shortcut on two of the same draws: at least 0.63 with it, one half without (docs/models.md §2)."""
    found = []
    for seed in (1, 2):
        rows, _ = planted.cohort(seed)
        found += [shortcuts.selection_before_the_split(rows, targets(rows)[1], split) for split in (42, 43)]
    with_it, without = np.mean(found, axis=0)
    assert with_it >= 0.63
    assert abs(without - 0.5) <= 0.12


@pytest.mark.soak
@pytest.mark.parametrize("rules", PRESETS, ids=str)
@pytest.mark.parametrize("endpoint", [0, 1], ids=["response", "survival"])
def test_noise_gives_one_half_in_sixty_draws(endpoint, rules):
    """Seeds 1 to 60: within 3 SE of one half, the SE of the mean at most 0.015; the shortcut on the same draws at least 0.63."""
    found, shortcut = [], []
    for seed in range(1, 61):
        rows, _ = planted.cohort(seed)
        target = targets(rows)[endpoint]
        found.append(held_out(rows, target, rules=PRESETS[rules]))
        if endpoint:
            shortcut.append(shortcuts.selection_before_the_split(rows, target, 42)[0])
        print(f"{rules}, seed {seed}: {found[-1]:.4f}", flush=True)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    print(f"mean {np.mean(found):.4f}, SE {error:.4f}, with the shortcut {np.mean(shortcut) if shortcut else float('nan'):.4f}")
    assert error <= 0.015
    assert abs(np.mean(found) - 0.5) <= 3 * error
    assert not shortcut or np.mean(shortcut) >= 0.63


def recovered(seed, endpoint, rules, *, n, new):
    """(AUC − ½) / (AUC* − ½) in new patients of a model trained on n, or the same of C; and what the true score reached there."""
    rows, _ = planted.cohort(seed, n=n, **SIGNAL)
    there, score = planted.cohort(seed + 10_000, n=new, **SIGNAL)
    fitted = validation.fit(rows.features, rows.x, targets(rows)[endpoint], preset=rules, seed=1)
    target, one = targets(there)[endpoint], np.zeros(there.n, dtype=int)
    reached = target.score(fitted.predict(there.features, there.x), one)
    return (reached - 0.5) / (BEST[endpoint](SIGNAL["signal"]) - 0.5), target.score(score, one)


@pytest.mark.soak
@pytest.mark.parametrize("rules", PRESETS, ids=str)
@pytest.mark.parametrize("endpoint", [0, 1], ids=["response", "survival"])
def test_planted_signal_is_found_in_twenty_seeds(endpoint, rules):
    """1,000 patients, 6 of 132 features, asked of 4,000 new ones: nine tenths of what the truth can reach, mean with its interval."""
    found, truth = [], []
    for seed in range(1, 21):
        one, other = recovered(seed, endpoint, PRESETS[rules], n=1000, new=4000)
        found.append(one)
        truth.append(other)
        print(f"{rules}, seed {seed}: recovered {one:.4f}, true score {other:.4f}", flush=True)
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    print(f"recovered {np.mean(found):.3f} ({np.mean(found) - 2.09 * error:.3f} to {np.mean(found) + 2.09 * error:.3f})")
    assert np.mean(truth) == pytest.approx(BEST[endpoint](SIGNAL["signal"]), abs=0.005)
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("endpoint", [0, 1], ids=["response", "survival"])
def test_held_out_rows_replaced_by_nothing_leave_every_fitted_step_identical(endpoint):
    """Every coefficient, tree, median, cut and weight, compared as the bytes they are written as."""
    rows, _ = planted.cohort(2, radiomics=60, clinical=12, signal=0.5)
    target = targets(rows)[endpoint]
    job = validation.Job(0, 1)
    fold = validation.fold_labels(target, job, preset=LIGHT, seed=1)
    inside = np.flatnonzero(fold != job.fold)
    emptied = np.where((fold == job.fold)[:, None], np.nan, rows.x)
    one, other = (validation.fit(rows.features, x[inside], target.rows(inside), preset=LIGHT, seed=1) for x in (rows.x, emptied))
    for name in one.branches:
        assert one.branches[name].inputs == other.branches[name].inputs
        assert one.branches[name].predictor.as_json() == other.branches[name].predictor.as_json()
        assert np.array_equal(one.branches[name].out_of_fold, other.branches[name].out_of_fold)
    assert np.array_equal(one.predict(rows.features, rows.x), other.predict(rows.features, rows.x))


@pytest.mark.parametrize("endpoint", [0, 1], ids=["response", "survival"])
def test_search_never_sees_the_rows_it_asks_about(endpoint, monkeypatch):
    """Every call that fits an input is given only the rows inside its fold: rows carry their number as a feature."""
    rows, _ = planted.cohort(3, radiomics=20, clinical=5)
    rows.x[:, 0] = np.arange(rows.n)
    target, seen = targets(rows)[endpoint], []
    true = branch.inputs

    def watched(features, x, *rest, **named):
        if "clinical_c0" in features:
            seen.append(set(x[:, 0]))
        return true(features, x, *rest, **named)

    monkeypatch.setattr(branch, "inputs", watched)
    said = validation.run(rows, target, validation.Job(0, 0), preset=LIGHT, seed=1, days=DAYS)
    outside = set(map(float, said.rows))
    assert len(seen) == LIGHT.inner_folds + 1
    assert all(not each & outside for each in seen)


@pytest.mark.parametrize("endpoint", [0, 1], ids=["response", "survival"])
def test_planted_signal_is_found(endpoint):
    """The same code on a signal: at least 0.8 of what the truth can reach, with 400 patients; `make soak` has 20 seeds of 1,000."""
    found, truth = recovered(1, endpoint, LIGHT, n=400, new=2000)
    assert found >= 0.8
    assert truth == pytest.approx(BEST[endpoint](SIGNAL["signal"]), abs=0.025)
