"""The page Models and what a training tells of itself: for the model's owner, and nothing of a rule (docs/blinding.md §2, MD-04)."""

import json
import re
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.people import choose_language
from accounts.transitions import NotAllowedNow
from predictions import approval, registry, runs
from predictions.models import ModelVersion, TrainingRun
from predictions.training import synthetic
from predictions.training.card import page, public
from studies.models import Study
from studies.vocabulary import Role
from tests import world
from tests.gates import normalise
from tests.predictions import sealed_world

CHANCE = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f-]{27}|\d\d:\d\d")
"""Digests, addresses and minutes: what differs between any two models."""
SECRET = "clinical_only_the_rule_knows"


@pytest.fixture
def version(site):
    return ModelVersion.objects.get(study=site.study)


def ask(site, role, name, **where):
    client = Client()
    client.force_login(site.people[role])
    return client.get(reverse(name, kwargs=where))


def draft_of(site, effect=-1.5):
    data = sealed_world.artefact(effect)
    named = {"name": "second", "data_sha256": "0" * 64, "commit": "0" * 40, "intended_use": "after R0 resection"}
    return registry.register(study=site.study, data=data, by=User.objects.system(), **named)


def everything_secret(sha256):
    """A report with a word that must not be told in every place that the public part leaves out."""
    said = json.loads(sealed_world.report(sha256))
    told = {"estimate": 0.7, "lower": 0.6, "upper": 0.8}
    said["held_out"] |= {"branches": {SECRET: told}, "compared": {SECRET: 1}, "early": told}
    said["by_center"] = {"R01": {"n": 90, "events": 40, "c_index": 0.63, "gain": 0.123456, "recommended": {SECRET: 3}}}
    said["external"] = {"n": 50, "events": 20, "c_index": told, "policy": {SECRET: 1}}
    said["risk_groups"] = {
        "low": {"n": 5, "curve": [[10, 0.9]]}, "high": {"n": 5, "curve": [[9, 0.8]]}, "high_against_low": None,
        "high_against_low_adjusted": {"hazard_ratio": 2, "lower": 1, "upper": 3, "p": 0.1, "adjusted_for": [SECRET]},
    }  # fmt: skip
    said |= {"missing": {SECRET: 0.2}, "selected_features": [SECRET], "shapley": {SECRET: 0.5}, "warnings": [SECRET], "alpha": 0.123456}
    said |= {"policy": {SECRET: 1}, "fusion": {SECRET: 1}, "branches": {SECRET: 1}, "arms": {SECRET: 1}, SECRET: SECRET}
    return said


@pytest.mark.parametrize("language", ["zh", "en"])
def test_public_part_is_chosen_key_by_key(language):
    """Teeth: the same word stands in every other part of the report, and on the full card."""
    report = everything_secret("a" * 64)
    part = public.of(report)
    assert SECRET not in json.dumps(part)
    assert "0.123456" not in json.dumps(part)
    assert public.of(part) == part
    shown = page.page(report, language, public=True)
    assert SECRET not in shown
    assert "0.640" in shown
    assert "[0.600, 0.680]" in shown
    rest = report | {"policy": {"compared": {}, "support": {"below_support": {}}}, "branches": {}}
    assert SECRET in page.page(rest, language)


def test_only_the_owner_sees_models(site, version):
    for name in site.people.keys() - {Role.MODEL_OWNER} - {each for each in site.people if each.endswith("02")}:
        assert ask(site, name, "models").status_code == 403, name
    for name in ("coordinator01", "investigator", "custodian", "data_manager"):
        assert ask(site, name, "model", uuid=version.uuid).status_code == 404, name
    assert ask(site, "coordinator01", "model-trainings").status_code == 403
    assert ask(site, "coordinator01", "model-statement", uuid=version.uuid).status_code == 404


@pytest.mark.parametrize(("language", "words"), [("en", ("By center", "locked")), ("zh-hans", ("各中心", "已锁定"))])
def test_owner_reads_state_and_card(site, version, language, words):
    choose_language(user=site.people["model_owner"], language=language)
    assert version.artefact_sha256 in ask(site, "model_owner", "models").content.decode()
    shown = ask(site, "model_owner", "model", uuid=version.uuid).content.decode()
    assert [word for word in (*words, "AC", "[0.600, 0.680]") if word not in shown] == []
    assert f"clinical_{version.artefact_sha256}" not in shown


def test_pages_are_the_same_whatever_a_model_recommends(db, tmp_path, settings):
    """BL-01: surgery for everybody or TACE for most; the reports differ wherever the rule is told, the pages in digests alone."""
    settings.VAR = tmp_path
    site, told = world.build(), []
    for effect in (0.0, -1.5):
        with transaction.atomic():
            sealed_world.prepare(site, sealed_world.artefact(effect))
            version = ModelVersion.objects.get()
            pages = [ask(site, "model_owner", "models"), ask(site, "model_owner", "model", uuid=version.uuid)]
            bodies = [CHANCE.sub("·", normalise.body(each.content, {}).decode()) for each in pages]
            told.append((version.artefact_sha256, [each.status_code for each in pages], bodies))
            transaction.set_rollback(True)
    (one, *same), (other, *likewise) = told
    assert one != other
    assert same == likewise
    assert same[0] == [200, 200]


def test_owner_takes_the_statement_that_two_custodians_sign(site):
    """The file from the page is what `model approve` signs and `model lock` takes; a locked model has none to sign."""
    system = User.objects.system()
    registry.retire(version=ModelVersion.objects.get(), reason="a new protocol", by=system)
    draft = draft_of(site)
    assert ask(site, "model_owner", "model-statement", uuid=draft.uuid).status_code == 404
    validated = registry.validate(version=draft, report=sealed_world.report(draft.artefact_sha256), by=system)
    said = json.loads(ask(site, "model_owner", "model-statement", uuid=draft.uuid).content)
    signatures = {letter: approval.sign(said, sealed_world.KEYS[letter]) for letter in "BC"}
    registry.lock(version=validated, signatures=signatures, by=system)
    assert ask(site, "model_owner", "model-statement", uuid=draft.uuid).status_code == 404


def begin(site, **task):
    return runs.begin(study=site.study, kind="strategy", data_sha256="1" * 64, task={"seed": "1", **task})


def test_killed_training_is_taken_up_again_as_the_same_run(site):
    """A run that was killed says nothing; who asks for the same goes on, who asks for something else begins anew."""
    run = begin(site)
    runs.heard(run, 3, 9)
    again = begin(site)
    assert (again.pk, again.done, again.total) == (run.pk, 3, 9)
    runs.stopped(again)
    assert begin(site).status == TrainingRun.Status.RUNNING
    assert begin(site, seed="2").pk != run.pk
    done = runs.trained(run, model_sha256="2" * 64)
    assert (done.done, done.total) == (9, 9)
    assert begin(site).pk != run.pk
    with pytest.raises(NotAllowedNow):
        runs.refused(run, said="too late")


def test_database_keeps_runs_whole(site):
    run = begin(site)
    for change in ({"done": 2, "total": 1}, {"status": "trained"}, {"model_sha256": "2" * 64}):
        with pytest.raises(IntegrityError, match="trainingrun_"), transaction.atomic():
            TrainingRun.objects.filter(pk=run.pk).update(**change)


def test_page_says_how_far_and_since_when_nothing_was_heard(site):
    run = begin(site)
    runs.heard(run, 3, 9)
    shown = ask(site, "model_owner", "models").content.decode()
    assert '<progress max="9" value="3"' in shown
    assert "data-poll" in shown
    TrainingRun.objects.filter(pk=run.pk).update(heard_at=timezone.now() - 2 * runs.SILENT)
    silent = ask(site, "model_owner", "model-trainings").content.decode()
    assert "data-poll" not in silent


def test_no_model_is_trained_where_a_real_study_is_blinded(site):
    """docs/blinding.md §2: model and prospective inputs never meet."""
    with audit.act(by=User.objects.system(), action="test"):
        Study.objects.filter(pk=site.study.pk).update(synthetic=False)
    with pytest.raises(ValidationError, match="TEST"):
        begin(site)


def train(site, path, out, *more):
    return call_command(
        "train", "strategy", "--tier", "0", "--data", str(path), "--out", str(out), "--study", site.study.code,
        "--replicates", "3", "--policy-replicates", "2", *more, stdout=StringIO(), stderr=StringIO(),
    )  # fmt: skip


def test_training_shows_on_the_page_from_its_begin_to_its_end(site, tmp_path, monkeypatch):
    """Six held-out jobs (two learners may be asked, one is refused) and the model itself; a refusal keeps its sentence."""
    path = tmp_path / "table.csv"
    synthetic.table(450, seed=5, centers=3, images=False).to_csv(path, index=False)
    told, heard = [], runs.heard
    monkeypatch.setattr(runs, "heard", lambda run, done, total: (told.append((done, total)), heard(run, done, total)))
    train(site, path, tmp_path / "out")
    run = TrainingRun.objects.get(study=site.study)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (run.status, run.model_sha256, run.data_sha256) == ("trained", report["model_sha256"], report["data_sha256"])
    assert told == [(done, told[-1][1]) for done in range(told[-1][1])]
    assert run.done == run.total == told[-1][1]
    synthetic.table(60, seed=5, centers=3, images=False).to_csv(path, index=False)
    with pytest.raises(SystemExit):
        train(site, path, tmp_path / "other")
    refused = TrainingRun.objects.exclude(pk=run.pk).get()
    assert refused.status == "refused"
    assert "cannot be estimated" in refused.said


def test_interrupted_training_is_stopped(site, tmp_path, monkeypatch):
    path = tmp_path / "table.csv"
    synthetic.table(450, seed=5, centers=3, images=False).to_csv(path, index=False)

    def interrupt(run, done, total):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "heard", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(site, path, tmp_path / "out")
    assert TrainingRun.objects.get().status == "stopped"
