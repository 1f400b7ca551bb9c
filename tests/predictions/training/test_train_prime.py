"""`manage.py train prime-r` and `prime-s`: from table to model and report (docs/models.md §1 to §4; MD-04, MD-07)."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from lxml import html
from statsmodels.duration.hazard_regression import PHReg

from predictions.training import outcome
from predictions.training.card import figures, page
from predictions.training.jobs import Bench
from predictions.training.prime import fanout, fusion, judged, laboratory, model_file, preset, shapley
from predictions.training.table import TableRefused
from tests.paths import SHARED
from tests.predictions.training import planted

LIGHT = str(Path(__file__).parent / "presets" / "light.yaml")
COHORTS = SHARED / "data" / "02_hcc_clinical"
ROOT = Path(__file__).parents[3]
there = pytest.mark.skipif(not COHORTS.exists(), reason="the public cohorts are not here")


def written(folder, **more):
    """A table of 90 patients, the last 30 of them external."""
    rows, _ = planted.cohort(4, n=90, radiomics=12, clinical=5, signal=0.9)
    frame = pd.DataFrame(rows.x, columns=list(rows.features)).round(6)
    frame.insert(0, "patient", rows.patient)
    frame = frame.assign(center=rows.center, split=["train"] * 60 + ["external"] * 30, response=rows.response.astype(int))
    frame = frame.assign(time=rows.time, event=rows.event.astype(int), subgroup_sex=["F", "M"] * 45, adjust_later=[0, 1, 1] * 30)
    path = folder / "table.csv"
    frame.assign(**more).to_csv(path, index=False)
    return path


def train(model, path, out, *more):
    call_command("train", model, "--data", str(path), "--out", str(out), "--preset", LIGHT, "--seed", "7", *more)
    return json.loads((out / "report.json").read_text())


@pytest.mark.parametrize(("model", "measure"), [("prime-r", "auc"), ("prime-s", "c_index")])
def test_training_leaves_a_model_and_a_report_that_keeps_figures_apart(tmp_path, model, measure):
    report = train(model, written(tmp_path), tmp_path / "out")
    assert report["n"] <= 60
    for part in ("held_out", "apparent", "external"):
        assert set(report[part][measure]) == {"estimate", "lower", "upper"}
    assert report["held_out"][measure]["estimate"] < report["apparent"][measure]["estimate"]
    assert report["external"][measure]["estimate"] > 0.5
    assert set(report["subgroups"]["subgroup_sex"]) == {"F", "M"}
    assert not any(name.startswith(("subgroup", "adjust")) for kept in report["selected_features"].values() for name in kept)
    model_file.load((tmp_path / "out" / "model.json").read_bytes(), sha256=report["model_sha256"])
    assert not (tmp_path / "out" / "parts").exists()


def test_survival_report_has_groups_adjusted_for_later_therapy(tmp_path):
    groups = train("prime-s", written(tmp_path), tmp_path / "out")["risk_groups"]
    assert groups["high"]["n"] + groups["low"]["n"] <= 60
    assert groups["high_against_low_adjusted"]["adjusted_for"] == ["adjust_later"]


def test_two_processes_with_one_seed_make_the_same_bytes(tmp_path):
    """MD-07; the other one shares its folds among two of its own."""
    path = written(tmp_path)
    train("prime-s", path, tmp_path / "one")
    command = [sys.executable, "manage.py", "train", "prime-s", "--data", str(path), "--out", str(tmp_path / "two"), "--preset", LIGHT]
    subprocess.run([*command, "--seed", "7", "--processes", "2"], cwd=ROOT, check=True, capture_output=True)
    for file in ("model.json", "report.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_model_says_of_one_patient_what_the_pipeline_says_of_all(tmp_path):
    """PR-04, to the last bit, and a feature that is missing takes the frozen median."""
    source = fanout.Source("prime-s", str(written(tmp_path)), None, None, None, LIGHT, 7, 30)
    rows = fanout.cohort_of(source)
    made = laboratory.train(rows, "prime-s", source.task)
    model = model_file.load(made.artefact, sha256=made.report["model_sha256"])
    patients = [dict(zip(rows.features, row, strict=True)) for row in rows.x[:8]]
    alone = [model.predict(each) for each in patients]
    assert alone == pytest.approx(list(made.fitted.predict(rows.features, rows.x[:8])), rel=1e-12)
    assert np.allclose(model.survival(alone[0], laboratory.DAYS), made.fitted.survival(np.array(alone[:1]), laboratory.DAYS)[0])
    [(_, prepared, _), *_] = model.parts
    without = {name: value for name, value in patients[0].items() if name != prepared.features[0]}
    assert model.predict(without) == model.predict(patients[0] | {prepared.features[0]: prepared.median[0]})


def test_flipped_byte_is_refused_before_anything_is_read(tmp_path, monkeypatch):
    """MD-04"""
    report = train("prime-r", written(tmp_path), tmp_path / "out")
    data = bytearray((tmp_path / "out" / "model.json").read_bytes())
    data[len(data) // 2] ^= 1
    monkeypatch.setattr(model_file.json, "loads", lambda *_: pytest.fail("read before it was verified"))
    with pytest.raises(model_file.ModelRefused, match="SHA-256 is another"):
        model_file.load(bytes(data), sha256=report["model_sha256"])


def test_foreign_class_is_refused(tmp_path):
    train("prime-r", written(tmp_path), tmp_path / "out")
    data = (tmp_path / "out" / "model.json").read_bytes().replace(b'"kind":"linear"', b'"kind":"subprocess.Popen"')
    sha256 = model_file.hashlib.sha256(data).hexdigest()
    with pytest.raises(model_file.ModelRefused, match="no kind of part"):
        model_file.load(data, sha256=sha256)


def test_stopped_training_goes_on_where_it_was(tmp_path, monkeypatch):
    """Folds that are kept are not done again; those of another seed are."""
    source = fanout.Source("prime-r", str(written(tmp_path)), None, None, None, LIGHT, 7, 0)
    rows = fanout.cohort_of(source)
    own, target = laboratory.training_part(*laboratory.prepare(rows, "prime-r", landmark=0)[:2])
    jobs = list(laboratory.validation.jobs(preset.load(LIGHT)))
    seen, true = [], fanout.one
    monkeypatch.setattr(fanout, "one", lambda *given: seen.append(given[1]) or true(*given))

    def work(given):
        return fanout.workshop(given, Bench(tmp_path / "parts"))(own, target, jobs)

    first = work(source)
    (tmp_path / "parts" / "0-1.json").write_text("{half")
    again = work(source)
    assert seen == ["0-0", "0-1", "0-2", "0-1"]
    assert [each.as_json() for each in again] == [each.as_json() for each in first]
    work(dataclasses.replace(source, seed=8))
    assert len(seen) == 7


@there
@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["prime-r", "--mapping", "waw_tace", "--lesions", "mean"], 1, "no column response"),
        (["prime-s", "--mapping", "waw_tace", "--lesions", "largest"], 1, "no columns time and event"),
    ],
)
def test_table_without_outcome_passes_the_contract_and_is_refused_with_a_sentence(tmp_path, capsys, arguments, status, sentence):
    path = COHORTS / "waw_tace" / "waw_tace_arterial_given.csv"
    with pytest.raises(SystemExit) as ended:
        call_command("train", arguments[0], "--data", str(path), "--out", str(tmp_path / "out"), *arguments[1:])
    assert ended.value.code == status
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@there
def test_three_of_four_strategies_of_tcga_cannot_be_estimated(tmp_path, capsys):
    path = COHORTS / "tcga_lihc" / "data_clinical_patient.txt"
    with pytest.raises(SystemExit) as ended:
        call_command("train", "strategy", "--tier", "0", "--data", str(path), "--mapping", "tcga_lihc", "--out", str(tmp_path / "out"))
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "3 of 4 strategies cannot be estimated" in said.err
    assert "SURG 156, TACE 8, SYS 4, TACE_SYS 0" in said.out


@there
@pytest.mark.parametrize("model", ["response", "survival"])
def test_real_patients_are_trained_end_to_end(tmp_path, model):
    path = COHORTS / "hcc_tace_seg" / "hcc_tace_seg_clinical_given.csv"
    name = {"response": "prime-r", "survival": "prime-s"}[model]
    report = train(name, path, tmp_path / "out", "--mapping", f"hcc_tace_seg_{model}")
    assert any("negative interval" in each for each in report["warnings"])
    assert any("Outside the intended use" in each for each in report["warnings"])
    assert report["n"] == {"response": 64, "survival": 69}[model]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"response": 2}, "response is 0 or 1"),
        ({"split": "test"}, "none of train, external"),
        ({"patient": "same"}, "stands in the table twice"),
        ({"clinical_c0": "high"}, "holds text"),
        ({"clinical_c0": np.inf}, "infinite"),
        ({"time": -1}, "never negative"),
        ({"center": None}, "lacks its patient or its center"),
    ],
)
def test_bad_table_is_refused_with_a_sentence(tmp_path, change, sentence):
    with pytest.raises(TableRefused, match=sentence):
        fanout.cohort.read(written(tmp_path, **change))


def test_preset_that_is_none_says_where(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(Path(LIGHT).read_text().replace("folds: 3, repeats", "folds: 1, repeats"))
    with pytest.raises(preset.PresetRefused, match="validation.folds"):
        preset.load(str(path))
    with pytest.raises(CommandError, match="neither a preset"):
        call_command("train", "prime-r", "--data", str(written(tmp_path)), "--out", "y", "--preset", "no-such")


@pytest.mark.parametrize("name", preset.NAMES)
def test_presets_of_the_house_are_whole(name):
    assert preset.load(name).name == name


def test_what_is_no_number_is_null():
    assert json.loads(outcome.as_json({"a": float("nan"), "b": [float("inf"), 1.0]})) == {"a": None, "b": [None, 1.0]}


@pytest.mark.parametrize(
    ("ends", "texts"),
    [
        ((0, 1), "0.0 0.2 0.4 0.6 0.8 1.0"),
        ((-0.1, 0.2), "-0.1 0.0 0.1 0.2"),
        ((-0.1, 0.4), "-0.1 0.0 0.1 0.2 0.3 0.4"),
        ((-0.1, 0.8), "0.0 0.2 0.4 0.6 0.8"),
        ((0, 0.12), "0.000 0.025 0.050 0.075 0.100"),
        ((0, 3653), "0 1000 2000 3000"),
        ((0, 37), "0 10 20 30"),
    ],
)
def test_axis_is_labelled_at_round_values_and_says_them_exactly(ends, texts):
    """By hand: 1, 2, 2.5 or 5 times a power of ten, at most six of them; a label is never a rounded one."""
    assert " ".join(said for _, said in figures.ticks(ends)) == texts
    assert all(float(said) == pytest.approx(value, abs=1e-12) for value, said in figures.ticks(ends))


def test_long_numbers_and_names_stand_within_the_picture():
    """Ten years are four digits of at most 8 points each, the middle of them at the end of the axis; nothing is minus zero."""
    drawn = html.fromstring(figures.lines(figures.Axes("Days", "Survival", (0, 3653), (0, 1)), [], title="x"))
    [last] = [float(each.get("x")) for each in drawn.iter("text") if each.text == "3000"]
    assert last + 4 * 8 / 2 <= figures.WIDTH
    assert page._number(-0.0004) == "0.000"
    [name] = [each for each in html.fromstring(figures.bars([("venous_" + "n" * 60, 1.0)], title="x")).iter("text") if "n" in each.text]
    assert float(name.get("x")) - 6.5 * len(name.text) >= 0


def test_horizon_that_too_few_reach_is_not_reported():
    """60 deaths, one every 13.4 days from day 10 on: beyond day 731 there are 6 patients, beyond day 365 there are 33."""
    assert judged.horizons(laboratory.Survival(np.linspace(10, 800, 60), np.ones(60, dtype=bool))) == (6, 12)


def test_branch_that_runs_the_wrong_way_in_unseen_rows_gets_no_weight():
    """The true risk is the first minus the second: the second, taken as a risk, runs the wrong way."""
    random = np.random.default_rng(1)
    both = random.normal(size=(150, 2))
    score = both[:, 0] - both[:, 1]
    time, event = np.ceil(random.exponential(500 * np.exp(-score))) + 1, np.ones(150, dtype=bool)
    joint = fusion.of_survival(both, time, event, weights="joint")
    assert joint.weights[0] > 0.5
    assert joint.weights[1] == 0
    assert (fusion.of_survival(-both[:, :1], time, event, weights="joint").weights == 0).all()
    outcome = score + random.normal(size=150) > 0
    probability = 1 / (1 + np.exp(-both))
    assert fusion.of_response(probability, outcome, strength=1.0).coefficients[1] == 0
    assert fusion.of_response(probability[:, 1:], outcome, strength=1.0).predict(probability[:3, 1:]) == pytest.approx(outcome.mean())


def test_weights_by_bic_are_those_of_hand_arithmetic():
    """PM-02: w ∝ exp(−½ ΔBIC) with the likelihoods of statsmodels."""
    random = np.random.default_rng(2)
    z = random.normal(size=(80, 2))
    time, event = np.ceil(random.exponential(500 * np.exp(-0.2 * z.sum(axis=1)))) + 1, np.ones(80, dtype=bool)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    likelihood = [PHReg(time, z[:, [place]], status=event.astype(int), ties="efron").fit(disp=0).llf for place in (0, 1)]
    expected = 1 / (1 + np.exp(likelihood[1] - likelihood[0]))
    assert fusion.by_bic(z, time, event)[0] == pytest.approx(expected, rel=1e-6)


def test_shares_of_an_order_add_up_to_the_answer():
    """Shapley's efficiency, and the exact shares of a linear answer with one background row: coefficient times distance."""
    x, background = np.array([[1.0, 2.0, 9.0], [0.0, -1.0, 9.0]]), np.array([[0.5, 0.5, 3.0]])
    found = shapley.values(lambda rows: rows @ np.array([2.0, -1.0, 0.0]), x, background, places=(0, 1), orders=3, seed=1)
    assert np.allclose(found, [[1.0, -1.5], [-1.0, 1.5]])


@pytest.mark.parametrize("model", ["prime-r", "prime-s"])
def test_card_says_what_the_report_says_and_its_public_version_not_the_rule(tmp_path, model):
    """MD-04; docs/blinding.md §2: no feature, share or learner on the public one; both languages read."""
    out = tmp_path / "out"
    path = tmp_path / "mine.yaml"
    path.write_text(Path(LIGHT).read_text().replace("inner_folds: 3}", "inner_folds: 3, shapley_orders: 2}"))
    table = written(tmp_path)
    call_command("train", model, "--data", str(table), "--out", str(out), "--preset", str(path))
    report = json.loads((out / "report.json").read_text())
    kept = next(name for names in report["selected_features"].values() for name in names)
    headline = report["held_out"]["auc" if model == "prime-r" else "c_index"]["estimate"]
    for language in ("zh", "en"):
        card, public = ((out / f"card.{kind}{language}.html").read_text() for kind in ("", "public."))
        for text in (card, public):
            html.fromstring(text)
            assert f"{headline:.3f}" in text
            assert report["model_sha256"] in text
        assert kept in card
        assert kept not in public
        assert not any(name in public for name in report["shapley"])
    assert "Held-out patients" in (out / "card.en.html").read_text()
    assert "未见过的患者" in (out / "card.zh.html").read_text()
