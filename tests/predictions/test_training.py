"""The S-learner: nothing leaks, nothing thin is estimated, and the artefact says exactly what the fit said (MD-02, MD-03, MD-04)."""

import json

import numpy as np
import pytest
from django.core.management import call_command

from accounts.canonical import digest
from predictions.decision import INTENSITY, STEPS, Strategy, decide
from predictions.payload import HORIZONS, Outcome, decode
from predictions.replay import Software, predict
from predictions.training import artefact, feature_list, preparation, slearner, synthetic, table, trainer

LANDMARK, MARGIN = 90, 0.03
MODALITIES = ("clinical",)
SOFTWARE = Software(commit="0" * 40, container="0" * 64)


def stored(frame, tmp_path, modalities=MODALITIES):
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return table.read(path, landmark=LANDMARK, modalities=modalities)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model of 900 patients without any effect of treatment, and its table."""
    data = stored(synthetic.table(900, seed=5, images=False), tmp_path_factory.mktemp("train"))
    return data, trainer.train(data, tier="0", landmark=LANDMARK, margin=MARGIN, seed=1, replicates=40)


def recommendation(model, features):
    said = artefact.answer(model, features)
    survival = {strategy: each.survival[-1] for strategy, each in zip(INTENSITY, said.estimates, strict=True)}
    return decide(survival, dict(zip(STEPS, said.gains, strict=True))).recommended


def patients(model, n=120, seed=9):
    frame = synthetic.features(n, np.random.default_rng(seed), images=False)
    return [{name: float(row[name]) for name in model.inputs} for _, row in frame.iterrows()]


def test_artefact_gives_the_survival_of_the_fit(trained):
    """S_k(t) = exp(−H₀(t − L) · exp(η_k)), written out with numpy from the fit itself."""
    data, made = trained
    model = artefact.load(made.artefact)
    [fitted] = slearner.fit(data, landmark=LANDMARK, alpha=made.report["alpha"])
    z = fitted.prepared.apply(data.features, data.x[:20])
    days = np.array(HORIZONS) * 30.4375 - LANDMARK
    for place, strategy in enumerate(INTENSITY):
        eta = slearner.design(z, np.full(20, strategy)) @ fitted.coefficients
        expected = np.exp(-np.outer(np.exp(eta), fitted.hazard_at(days)))
        found = [artefact.answer(model, dict(zip(data.features, row, strict=True))).estimates[place].survival for row in data.x[:20]]
        assert np.allclose(found, expected, rtol=0, atol=1e-12)


def test_bootstrap_fit_keeps_its_predictions_in_the_models_scale(trained):
    """A refit has its own means and SDs; rewritten, it must say the same of everybody."""
    data, made = trained
    [draw] = trainer.bootstrap(data, alpha=made.report["alpha"], landmark=LANDMARK, seed=1, replicates=1)
    model = artefact.load(made.artefact)
    one = artefact.StrategyModel(**{**model.__dict__, "fit": model.bootstrap[0]})
    z = draw.prepared.apply(data.features, data.x[:10])
    eta = slearner.design(z, np.full(10, Strategy.TACE)) @ draw.coefficients
    expected = np.exp(-np.outer(np.exp(eta), draw.hazard_at(np.array(HORIZONS) * 30.4375 - LANDMARK)))
    found = [artefact.answer(one, dict(zip(data.features, row, strict=True))).estimates[1].survival for row in data.x[:10]]
    assert np.allclose(found, expected, atol=1e-9)


def test_breslow_hazard_is_that_of_a_hand_calculation():
    """Days 1, 2, 2, 5 with equal risks of 4, 3, 1 at risk: 1/4, 1/4 + 2/3, + 1/1; day 5 dies alone."""
    days, hazard = slearner.breslow(np.array([1.0, 2, 2, 5]), np.array([True, True, True, True]), np.zeros(4))
    assert days.tolist() == [1, 2, 5]
    assert np.allclose(hazard, [1 / 4, 1 / 4 + 2 / 3, 1 / 4 + 2 / 3 + 1])


def test_artefact_survives_writing_and_reading(trained):
    _, made = trained
    assert artefact.dump(artefact.load(made.artefact)) == made.artefact


@pytest.mark.parametrize("change", [b"", b"{}", b"[1]", b"\x80\x04K\x01."])
def test_other_bytes_are_no_artefact(change):
    """MD-04: also a pickle is refused before anything of it runs."""
    with pytest.raises(artefact.ArtefactRefused):
        artefact.load(change)


def test_artefact_written_otherwise_is_refused(trained):
    _, made = trained
    with pytest.raises(artefact.ArtefactRefused, match="canonically"):
        artefact.load(json.dumps(json.loads(made.artefact)).encode())


def test_training_twice_gives_the_same_bytes(trained):
    """MD-07"""
    data, made = trained
    again = trainer.train(data, tier="0", landmark=LANDMARK, margin=MARGIN, seed=1, replicates=40)
    assert again.artefact == made.artefact


def test_without_effect_surgery_alone_is_recommended(trained):
    """PR-02, F1: a prognosis is no reason to treat."""
    _, made = trained
    model = artefact.load(made.artefact)
    said = [recommendation(model, each) for each in patients(model)]
    assert said.count(Strategy.SURG) >= 0.9 * len(said)


def test_large_uniform_benefit_is_recommended(tmp_path):
    """MD-02: what helps everybody must be recommended."""
    truth = synthetic.Truth(effect=(0.0, -1.2, 0.0, 0.0), confounding=0.3)
    data = stored(synthetic.table(2000, seed=3, images=False, truth=truth), tmp_path)
    model = artefact.load(trainer.train(data, tier="0", landmark=LANDMARK, margin=MARGIN, seed=1, replicates=30).artefact)
    said = [recommendation(model, each) for each in patients(model)]
    assert said.count(Strategy.TACE) >= 0.9 * len(said)


def test_permuted_outcomes_leave_no_concordance(tmp_path):
    """MD-03: with labels permuted, C at held-out centers is within 3 standard errors of one half."""
    frame = synthetic.table(700, seed=8, images=False)
    shuffled = np.random.default_rng(0).permutation(len(frame))
    frame[["time", "event"]] = frame[["time", "event"]].to_numpy()[shuffled]
    report = trainer.held_out(trainer.concordances(stored(frame, tmp_path), landmark=LANDMARK), seed=0)
    by_center = [each["c_index"] for each in report["by_center"].values()]
    error = np.std(by_center, ddof=1) / np.sqrt(len(by_center))
    assert abs(report["held_out"]["c_index"]["estimate"] - 0.5) <= 3 * error + 0.02


def test_preparation_never_sees_held_out_rows():
    """MD-03: fitting with the test rows replaced by NaN gives identical transforms."""
    x = np.random.default_rng(1).normal(size=(50, 3))
    names = ("clinical_a", "clinical_b", "clinical_c")
    assert preparation.fit(names, x[:30]) == preparation.fit(names, np.where(np.arange(50)[:, None] < 30, x, np.nan)[:30])


def test_feature_that_hardly_varies_is_dropped_before_scaling():
    """The variance filter comes first: after z-scoring every variance is 1."""
    x = np.column_stack([np.random.default_rng(1).normal(size=40), np.full(40, 3.0)])
    assert preparation.fit(("clinical_a", "clinical_b"), x).features == ("clinical_a",)


def test_thin_strategies_are_not_estimated(db, tmp_path, capsys):
    """docs/models.md §3: three of four strategies cannot be estimated, and the answer says so (exit status 1)."""
    frame = synthetic.table(400, seed=2, images=False)
    frame["strategy"] = np.where(np.arange(400) < 380, "SURG", np.resize(["TACE", "SYS", "TACE_SYS"], 400))
    frame.to_csv(tmp_path / "thin.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        call_command("train", "strategy", "--data", tmp_path / "thin.csv", "--out", tmp_path / "out", "--tier", "0")
    assert ended.value.code == 1
    assert "3 of 4 strategies cannot be estimated" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: frame.drop(columns="time"), "no column time"),
        (lambda frame: frame.assign(event=2), "event is 0"),
        (lambda frame: frame.assign(strategy="HAIC"), "is none of"),
        (lambda frame: frame.assign(time=-1), "never negative"),
        (lambda frame: frame.assign(patient="same"), "stands in the table twice"),
        (lambda frame: frame.assign(clinical_mvi="M1"), "holds text"),
        (lambda frame: frame[["patient", "center", "strategy", "time", "event"]], "nothing to learn from"),
    ],
)
def test_bad_table_is_refused_with_a_sentence(tmp_path, change, sentence):
    with pytest.raises(table.TableRefused, match=sentence):
        stored(change(synthetic.table(60, seed=1, images=False)), tmp_path)


def test_rows_before_the_landmark_are_dropped_and_counted(tmp_path):
    frame = synthetic.table(200, seed=4, images=False)
    data = stored(frame, tmp_path)
    assert data.dropped_before_landmark == int((frame["time"] <= LANDMARK).sum()) > 0
    assert data.time.min() > LANDMARK


def snapshot(features, tier="0"):
    return json.dumps({"tier": tier, "clinical": {name: repr(value) for name, value in features.items()}}).encode()


def test_replay_says_the_same_again(trained):
    """UB-03, PR-04: the same bytes give the same record, and the record reads back."""
    _, made = trained
    [patient] = patients(artefact.load(made.artefact), n=1)
    said = [predict(made.artefact, snapshot(patient), SOFTWARE).encode() for _ in range(3)]
    assert said[0] == said[1] == said[2]
    assert decode(said[0]).outcome == Outcome.ANSWER


def test_model_of_another_tier_fails_with_a_code(trained):
    _, made = trained
    payload = predict(made.artefact, snapshot({}, tier="1"), SOFTWARE)
    assert (payload.outcome, payload.reason) == (Outcome.FAILURE, "OUT_OF_INTENDED_USE")


@pytest.mark.parametrize("place", range(3))
def test_one_input_far_from_all_others_is_an_abstention(trained, place):
    """One strange value must not hide among many usual ones."""
    _, made = trained
    model = artefact.load(made.artefact)
    values = list(model.mean)
    values[place] += 1.3 * model.farthest[place] * model.sd[place]
    assert predict(made.artefact, snapshot(dict(zip(model.inputs, values, strict=True))), SOFTWARE).reason == "OUT_OF_DISTRIBUTION"


def test_training_rows_are_within_the_model(trained):
    data, made = trained
    model = artefact.load(made.artefact)
    said = [artefact.answer(model, dict(zip(data.features, row, strict=True))) for row in data.x]
    assert max(each.distance for each in said) == pytest.approx(1.0)
    assert not any(each.out_of_distribution for each in said)


def listed(tmp_path, **kept):
    """The file of a list of features, as the platform hands it out."""
    content = {"v": 1, "features": [{"name": name, "kept": stays} for name, stays in kept.items()]}
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"sha256": digest(content), "content": content}))
    return path


def test_features_that_readers_do_not_measure_alike_are_left_out(tmp_path):
    """Image features only: what is not on the list, or not kept, is no column of the training; clinical ones stay."""
    frame = synthetic.table(60, seed=1, images=True)
    images = [name for name in frame.columns if name.startswith(("arterial_", "venous_"))]
    only = feature_list.read(listed(tmp_path, **{images[0]: True, images[1]: False}))
    frame.to_csv(tmp_path / "table.csv", index=False)
    data = table.read(tmp_path / "table.csv", landmark=LANDMARK, modalities=("clinical", "arterial", "venous"), allowed=only.allows)
    assert [name for name in data.features if not name.startswith("clinical_")] == [images[0]]
    assert [name for name in frame.columns if name.startswith("clinical_")] == [*data.features[: len(data.features) - 1]]


def test_list_that_was_changed_or_is_none_is_refused(tmp_path):
    path = listed(tmp_path, arterial_a=False)
    with pytest.raises(table.TableRefused, match="keeps no feature"):
        feature_list.read(path)
    path.write_text(path.read_text().replace("false", "true"))
    with pytest.raises(table.TableRefused, match="was changed"):
        feature_list.read(path)
    path.write_text("[]")
    with pytest.raises(table.TableRefused, match="no list"):
        feature_list.read(path)
