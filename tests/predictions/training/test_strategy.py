"""The four-strategy model on data whose best rule is known (MD-02, PR-02, PR-05; docs/models.md)."""

import dataclasses
import json

import numpy as np
import pytest
from django.core.management import call_command

from predictions.decision import INTENSITY, Strategy
from predictions.training import artefact, slearner, synthetic, table, tlearner, trainer
from predictions.training.jobs import Bench
from predictions.training.policy import choice, fanout, propensity, rehearsal, value

LANDMARK, MARGIN, DAY = 90, 0.03, 36 * 30.4375
HELPS_SOME = synthetic.Truth(effect=(0.0, 0.3, 0.2, 0.2), interaction=(0.0, -1.3, -0.3, -0.8))
"""TACE helps those with a bad prognosis and harms the others."""


def rows(n, seed, truth=None):
    frame = synthetic.table(n, seed=seed, images=False, truth=truth)
    return table.of_frame(frame, sha256="0" * 64, landmark=LANDMARK, modalities=("clinical",))


def rule(data, *, seed=1, replicates=25, learn=slearner.fit, margin=MARGIN):
    """The trained rule as a function of features: places in INTENSITY."""
    alpha = slearner.choose_alpha(data, landmark=LANDMARK, learn=learn)
    [fitted] = learn(data, landmark=LANDMARK, alpha=alpha)
    draws = trainer.bootstrap(data, alpha=alpha, landmark=LANDMARK, seed=seed, replicates=replicates, learn=learn)
    settings = value.Settings(LANDMARK, margin, seed)
    return lambda x: value.recommended(fitted, draws, x, data.features, settings)


def share_of_the_best(seed, *, n, learn=slearner.fit, replicates=25):
    """(V(d̂) − V(best fixed)) / (V(d*) − V(best fixed)) in 4,000 new patients, by the truth."""
    recommend = rule(rows(n, seed, HELPS_SOME), seed=seed, learn=learn, replicates=replicates)
    frame = synthetic.features(4000, np.random.default_rng(seed + 10_000), images=False)
    truth = synthetic.survival(frame, HELPS_SOME, since=LANDMARK, until=DAY)
    worth = truth[np.arange(len(truth)), recommend(frame.to_numpy(float))].mean()
    fixed, best = truth.mean(axis=0).max(), truth.max(axis=1).mean()
    return (worth - fixed) / (best - fixed)


def surgery_alone(seed, *, n, replicates=25):
    """The share of new patients to whom surgery alone is recommended where nothing helps anybody."""
    frame = synthetic.features(1000, np.random.default_rng(seed + 10_000), images=False)
    return float((rule(rows(n, seed), seed=seed, replicates=replicates)(frame.to_numpy(float)) == 0).mean())


def test_rule_comes_near_the_best_one():
    """One small data set and few refits; `make soak` has 20 of 10,000 patients."""
    assert share_of_the_best(1, n=1500, replicates=8) >= 0.5


@pytest.mark.soak
@pytest.mark.parametrize("learner", ["S", "T"])
def test_rule_comes_near_the_best_one_in_twenty_seeds(learner):
    found = [share_of_the_best(seed, n=10_000, learn=choice.LEARNERS[learner]) for seed in range(1, 21)]
    error = np.std(found, ddof=1) / np.sqrt(20)
    print(f"{learner}: {np.mean(found):.3f} ({np.mean(found) - 2.09 * error:.3f} to {np.mean(found) + 2.09 * error:.3f})")
    assert np.mean(found) >= 0.8


def test_nothing_helps_and_surgery_alone_is_recommended():
    """One small data set, whose bounds are wide; `make soak` has 50 of 10,000 patients."""
    assert surgery_alone(1, n=1500, replicates=8) >= 0.8


@pytest.mark.soak
def test_nothing_helps_and_surgery_alone_is_recommended_in_fifty_data_sets():
    found = [surgery_alone(seed, n=10_000) for seed in range(1, 51)]
    print(f"surgery alone {np.mean(found):.4f}, least {min(found):.4f}")
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("learner", ["S", "T"])
def test_uniform_benefit_is_recommended(learner):
    helps = synthetic.Truth(effect=(0.0, -1.2, 0.0, 0.0), confounding=0.3)
    recommend = rule(rows(1000, 3, helps), learn=choice.LEARNERS[learner], replicates=8)
    frame = synthetic.features(500, np.random.default_rng(9), images=False)
    assert (recommend(frame.to_numpy(float)) == INTENSITY.index(Strategy.TACE)).mean() >= 0.9


def test_order_of_rows_and_labels_changes_nothing():
    """PR-02: no place of a strategy in an array decides."""
    data = rows(1500, 4, HELPS_SOME)
    x = data.x[:200]
    by_strategy = data.rows(np.argsort(data.strategy, kind="stable")[::-1].copy())
    fits = [slearner.fit(each, landmark=LANDMARK, alpha=0.01)[0] for each in (data, by_strategy)]
    one, other = (each.survival(x, data.features, np.array([1000.0])) for each in fits)
    assert np.allclose(one, other, atol=1e-6)


def test_artefact_of_the_t_learner_says_what_its_fit_says():
    data = rows(700, 5, HELPS_SOME)
    made = trainer.train(data, tier="0", landmark=LANDMARK, margin=MARGIN, seed=1, replicates=3, learn=tlearner.fit)
    model = artefact.load(made.artefact)
    [fitted] = tlearner.fit(data, landmark=LANDMARK, alpha=made.report["alpha"])
    expected = fitted.survival(data.x[:10], data.features, np.array([12, 24, 36]) * 30.4375 - LANDMARK)
    for place, row in enumerate(data.x[:10]):
        said = artefact.answer(model, dict(zip(data.features, row, strict=True)))
        assert np.allclose([each.survival for each in said.estimates], expected[:, place], atol=1e-12)


def test_strategy_with_few_events_for_its_features_is_refused_a_model_of_its_own():
    data = rows(700, 6, HELPS_SOME)
    [fitted] = tlearner.fit(data, landmark=LANDMARK, alpha=0.02)
    with pytest.raises(tlearner.ArmRefused, match=r"SYS has \d+ events for \d+ features"):
        tlearner.require_support(fitted, data)


def test_weights_balance_what_drove_the_choice():
    """Confounding by indication: prognosis drives treatment; overlap weights leave less than a quarter of the difference."""
    found = propensity.report(rows(4000, 7), seed=1)
    before, after = (found["balance"][name]["clinical_afp_log10"] for name in ("unweighted", "overlap"))
    assert before > 0.4
    assert after < before / 4
    assert found["effective_sample_size"]["unweighted"]["SURG"] == pytest.approx((rows(4000, 7).strategy == "SURG").sum())
    assert found["effective_sample_size"]["stabilised"]["TACE_SYS"] < (rows(4000, 7).strategy == "TACE_SYS").sum()


def test_propensity_of_a_row_never_saw_the_row():
    data = rows(600, 8)
    changed = data.rows(np.arange(data.n))
    changed.strategy[0] = "TACE_SYS" if data.strategy[0] != "TACE_SYS" else "SURG"
    one, other = (propensity.cross_fitted(each, seed=3) for each in (data, changed))
    assert np.array_equal(one[0], other[0])
    assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def asked():
    """A rule asked at held-out centers, its table, and the true values of all strategies for its patients."""
    frame = synthetic.table(2500, seed=11, centers=3, images=False, truth=HELPS_SOME)
    data = table.of_frame(frame, sha256="0" * 64, landmark=LANDMARK, modalities=("clinical",))
    truth = synthetic.survival(frame[frame["time"] > LANDMARK], HELPS_SOME, since=LANDMARK, until=DAY)
    return value.by_held_out_center(data, value.Settings(LANDMARK, MARGIN, 1, slearner.fit, 3)), data, truth


def test_doubly_robust_value_is_the_true_one_though_doctors_chose_by_prognosis(asked):
    """Where the naive mean of those treated is far off: each fixed strategy and the rule within the interval of the truth."""
    found, data, truth = asked
    report = value.report(found, data)
    for place, strategy in enumerate(INTENSITY[:2]):
        interval = report["fixed"][strategy]
        assert abs(interval["estimate"] - truth[:, place].mean()) < 0.04
    true_value = truth[np.arange(data.n), found.rule].mean()
    assert abs(report["value"]["estimate"] - true_value) < 0.03
    treated = data.strategy == "TACE"
    naive = (data.time[treated] > DAY).sum() / ((data.time[treated] > DAY) | data.event[treated]).sum()
    assert abs(naive - truth[:, 1].mean()) > 0.05
    gain = true_value - truth[:, 0].mean()
    assert abs(report["value"]["estimate"] - report["fixed"]["SURG"]["estimate"] - gain) < 0.03
    assert report["gain_over_best_fixed"]["lower"] < true_value - truth.mean(axis=0).max() < report["gain_over_best_fixed"]["upper"]


def test_curves_foretold_at_held_out_centers_are_near_what_came():
    """By the truth of the generator: S(36) under the strategy received, at centers that had no part in the model."""
    frame = synthetic.table(1500, seed=21, centers=3, images=False, truth=HELPS_SOME)
    data = table.of_frame(frame, sha256="0" * 64, landmark=LANDMARK, modalities=("clinical",))
    settings = value.Settings(LANDMARK, MARGIN, 1, slearner.fit, 1)
    parts = [value.ask(data, settings, center) for center in np.unique(data.center)]
    late = frame[frame["time"] > LANDMARK]
    truth = synthetic.survival(late, HELPS_SOME, since=LANDMARK, until=DAY)
    received = np.array([INTENSITY.index(each) for each in data.strategy])
    for center, part in zip(np.unique(data.center), parts, strict=True):
        inside = np.flatnonzero(data.center == center)
        assert abs(part.survival[:, 2] - truth[inside, received[inside]]).mean() < 0.08
    found = value.foretold(data, parts, settings)
    assert set(found["brier"]) == {"12", "24", "36"}
    assert found["brier_scaled"]["36"]["lower"] > 0
    assert all(abs(row["predicted"] - row["observed"]) < 0.15 for row in found["calibration"]["36"])


def test_rehearsal_says_what_the_comparison_will_rest_on(asked):
    """Consistent fraction and events counted by hand; weights of who could have been either balance to the effective sample size."""
    found, data, _ = asked
    said = rehearsal.report(found, data, propensity.cross_fitted(data, seed=1))
    consistent = data.strategy == np.array(INTENSITY)[found.rule]
    assert said["consistent"] == consistent.mean()
    assert said["events"] == {"consistent": data.event[consistent].sum(), "inconsistent": data.event[~consistent].sum()}
    assert 0 < said["effective_sample_size"]["inconsistent"] <= (~consistent).sum()
    assert 0.5 < said["overlap"] <= 1


def test_power_is_schoenfelds():
    """Schoenfeld 1983: 65.35 events at HR 2 and equal groups have 80 % power, 4 (1.96 + 0.8416)² / (ln 2)²."""
    assert rehearsal.power(65, 0.5, 2.0) == pytest.approx(0.80, abs=0.003)
    assert rehearsal.power(65, 0.5, 0.5) == rehearsal.power(65, 0.5, 2.0)


def test_rule_of_a_center_never_saw_the_center():
    """With the outcomes of one center turned round, the rule there stays."""
    frame = synthetic.table(900, seed=13, images=False, centers=3, truth=HELPS_SOME)
    data = table.of_frame(frame, sha256="0" * 64, landmark=LANDMARK, modalities=("clinical",))
    settings = value.Settings(LANDMARK, MARGIN, 1, slearner.fit, 4)
    center = data.center == "R01"
    changed = data.rows(np.arange(data.n))
    changed.event[center] = ~changed.event[center]
    one, other = (value.by_held_out_center(each, settings) for each in (data, changed))
    assert np.array_equal(one.rule[center], other.rule[center])
    assert not np.array_equal(one.outcomes[~center], other.outcomes[~center])


def test_command_reports_policy_and_support(tmp_path):
    synthetic.table(700, seed=12, images=False, truth=HELPS_SOME, centers=3).to_csv(tmp_path / "table.csv", index=False)
    call_command(
        "train", "strategy", "--tier", "0", "--data", str(tmp_path / "table.csv"), "--out", str(tmp_path / "out"),
        "--replicates", "3", "--policy-replicates", "2",
    )  # fmt: skip
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["policy"]["learner"] == "S"
    assert "SYS has" in report["policy"]["compared"]["T"]["refused"]
    assert set(report["policy"]["compared"]["S"]["by_center"]) == {"R01", "R02", "R03"}
    assert report["policy"]["compared"]["S"]["rehearsal"]["n"] == report["n"]
    assert {"auc_t", "brier", "brier_scaled", "calibration", "net_benefit"} <= set(report["held_out"])
    assert "一致比例" in (tmp_path / "out" / "card.zh.html").read_text()
    assert set(report["policy"]["support"]["below_support"]) == set(map(str, INTENSITY))


def test_held_out_centers_shared_and_taken_up_again_say_the_same(tmp_path, monkeypatch):
    """What is kept is not done again, half a file is; another seed is another training."""
    path = tmp_path / "table.csv"
    synthetic.table(450, seed=5, centers=3, images=False).to_csv(path, index=False)
    source = fanout.Source(str(path), None, None, ("clinical",), LANDMARK, MARGIN, 1, 2)
    data, _ = fanout.table_of(source)
    seen, true = [], fanout.one
    monkeypatch.setattr(fanout, "one", lambda given, name: seen.append(name) or true(given, name))
    jobs = [("S", center) for center in sorted(set(map(str, data.center)))]
    first = fanout.workshop(source, Bench(tmp_path / "parts"))(data, jobs)
    (tmp_path / "parts" / "S-1.json").write_text("{half")
    again = fanout.workshop(source, Bench(tmp_path / "parts"))(data, jobs)
    assert seen == ["S-0", "S-1", "S-2", "S-1"]
    inline = choice.here(source.rules)(data, jobs)
    assert [each.as_json() for each in first] == [each.as_json() for each in again] == [each.as_json() for each in inline]
    fanout.workshop(dataclasses.replace(source, seed=2), Bench(tmp_path / "parts"))(data, jobs[:1])
    assert len(seen) == 5
