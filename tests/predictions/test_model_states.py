"""Draft, validated, locked by two custodians, retired; and whom a model may be asked about (MD-04, MD-05, PM-05, PR-06)."""

import hashlib
import json
from io import StringIO

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, transaction

from accounts import audit, ledger
from accounts.models import User
from accounts.transitions import NotAllowedNow
from predictions import approval, batch, intended_use, registry
from predictions.models import ModelVersion, Seal
from predictions.sealing_keys import PrivateKey, write_private
from predictions.training.artefact import ArtefactRefused
from predictions.training.learners.portable import Linear, floats
from predictions.training.prime.model_file import KINDS, PrimeModel
from tests.predictions import sealed_world
from tests.predictions.sealed_world import KEYS, SOFTWARE, complete

Status = ModelVersion.Status


def registered(site, effect=-1.5):
    """Another model of the same tier, as a draft."""
    data = sealed_world.artefact(effect)
    sealed_world.place(data)
    system = User.objects.system()
    named = {"name": "second", "data_sha256": "0" * 64, "commit": "0" * 40, "intended_use": "after R0 resection"}
    return registry.register(study=site.study, data=data, by=system, **named)


def validated(site):
    version = registered(site)
    return registry.validate(version=version, report=sealed_world.report(version.artefact_sha256), by=User.objects.system())


def locked(site):
    return ModelVersion.objects.get(study=site.study, status=Status.LOCKED)


def run(site):
    return batch.run(study=site.study, at=site.study.now(), software=SOFTWARE, seconds=0.1, hold=False)


def test_states_and_what_follows_what():
    assert {
        Status.DRAFT: {Status.VALIDATED, Status.RETIRED},
        Status.VALIDATED: {Status.LOCKED, Status.RETIRED},
        Status.LOCKED: {Status.RETIRED},
        Status.RETIRED: set(),
    } == ModelVersion.TRANSITIONS


@pytest.mark.parametrize(
    ("signers", "sentence"),
    [
        ({}, "two of the three"),
        ({"A": "A"}, "two of the three"),
        ({"A": "A", "B": "B", "C": "C"}, "two of the three"),
        ({"A": "A", "B": "A"}, "custodian B is not"),
        ({"A": "A", "D": "B"}, "two of the three"),
    ],
)
def test_lock_needs_the_signatures_of_two_custodians(site, signers, sentence):
    version = validated(site)
    said = registry.to_sign(version)
    signatures = {letter: approval.sign(said, KEYS[key]) for letter, key in signers.items()}
    with pytest.raises(approval.ApprovalRefused, match=sentence):
        registry.lock(version=version, signatures=signatures, by=User.objects.system())
    version.refresh_from_db()
    assert version.status == Status.VALIDATED


@pytest.mark.parametrize("change", [{"model": "f" * 64}, {"tier": "1"}, {"report": "2" * 64}, {"use": "anybody"}])
def test_signature_on_another_statement_locks_nothing(site, change):
    version = validated(site)
    said = registry.to_sign(version)
    signatures = {"A": approval.sign(said, KEYS["A"]), "B": approval.sign(said | change, KEYS["B"])}
    with pytest.raises(approval.ApprovalRefused, match="custodian B"):
        registry.lock(version=version, signatures=signatures, by=User.objects.system())


def test_draft_is_not_locked(site):
    version = registered(site)
    said = registry.to_sign(version)
    with pytest.raises(NotAllowedNow):
        registry.lock(version=version, signatures={one: approval.sign(said, KEYS[one]) for one in "AB"}, by=User.objects.system())


def test_database_itself_locks_nothing_unsigned(site):
    """Also not by an update that goes round the function."""
    registry.retire(version=locked(site), reason="a new protocol", by=User.objects.system())
    version = validated(site)
    with pytest.raises(IntegrityError, match="signed_by_two"), transaction.atomic(), audit.act(by=User.objects.system(), action="x"):
        ModelVersion.objects.filter(pk=version.pk).update(status=Status.LOCKED)


def test_lock_is_declared_with_its_signatures(site):
    [row] = [row for row in ledger.rows(site.study.code) if row.kind == "model_declared"]
    body = json.loads(row.body)
    version = locked(site)
    assert body["model"] == version.artefact_sha256
    assert approval.pair(registry.to_sign(version), body["signatures"], registry.custodians(site.study)) == "AC" == version.signed_by


def test_second_locked_version_cannot_seal_who_is_sealed(site):
    """PR-06, MD-05: the next model seals the next patients only."""
    first = complete(site)
    run(site)
    registry.retire(version=locked(site), reason="a new protocol", by=User.objects.system())
    second = sealed_world.lock(registered(site))
    newcomer = complete(site)
    run(site)
    assert {(seal.participant_id, seal.model_id == second.pk) for seal in Seal.objects.all()} == {(first.pk, False), (newcomer.pk, True)}
    seal = Seal.objects.get(participant=first)
    seal.pk, seal.uuid, seal.model = None, "00000000-0000-4000-8000-000000000001", second
    with pytest.raises(IntegrityError, match="seal_one_confirmatory_per_tier"), transaction.atomic():
        seal.save(force_insert=True)


def test_retired_model_seals_nobody_and_needs_a_reason(site):
    with pytest.raises(ValidationError, match="Say why"):
        registry.retire(version=locked(site), reason=" ", by=User.objects.system())
    registry.retire(version=locked(site), reason="recalled", by=User.objects.system())
    complete(site)
    assert run(site) is None


def test_model_goes_through_its_states_by_command(site, tmp_path):
    """Register, statement, two signatures on devices of their own, lock; the next batch seals by it."""

    def model(*arguments):
        out = StringIO()
        call_command("model", *arguments, stdout=out)
        return out.getvalue()

    registry.retire(version=locked(site), reason="a new protocol", by=User.objects.system())
    trained = tmp_path / "trained"
    trained.mkdir()
    data = sealed_world.artefact(-1.5)
    sha256 = hashlib.sha256(data).hexdigest()
    (trained / "model.json").write_bytes(data)
    (trained / "report.json").write_bytes(sealed_world.report(sha256))
    study = ["--study", site.study.code]
    model("register", "--trained", str(trained), "--name", "second", "--use", "after R0 resection", "--commit", "0" * 40, *study)
    one = [*study, "--model", sha256[:12]]
    model("statement", "--out", str(tmp_path / "statement.json"), *one)
    for letter in "BC":
        (tmp_path / f"{letter}.key").write_bytes(write_private(KEYS[letter]))
        said = model("approve", str(tmp_path / "statement.json"), "--key", str(tmp_path / f"{letter}.key"), "--out", str(tmp_path / letter))
        assert f"model: {sha256}" in said
    assert "locked for tier 0 by custodians BC" in model(
        "lock", "--signature", f"B={tmp_path / 'B'}", "--signature", f"C={tmp_path / 'C'}", *one
    )
    complete(site)
    run(site)
    assert Seal.objects.get().model.artefact_sha256 == sha256
    assert "locked     BC  second" in model("list", *study)
    model("retire", "--reason", "recalled", *one)


def test_command_refuses_with_a_sentence(site, tmp_path):
    trained = tmp_path / "trained"
    trained.mkdir()
    (trained / "model.json").write_bytes(b"{}")
    (trained / "report.json").write_text('{"model_sha256": "x"}')
    arguments = ["register", "--trained", str(trained), "--name", "n", "--use", "u", "--commit", "0" * 40, "--study", site.study.code]
    with pytest.raises(CommandError, match="of another model"):
        call_command("model", *arguments)
    with pytest.raises(CommandError, match="0 models of the study"):
        call_command("model", "retire", "--reason", "x", "--model", "ffff", "--study", site.study.code)
    (trained / "report.json").write_text(json.dumps({"model_sha256": hashlib.sha256(b"{}").hexdigest(), "data_sha256": "0" * 64}))
    with pytest.raises(CommandError, match="no strategy model"):
        call_command("model", *arguments)


@pytest.mark.parametrize(
    ("report", "sentence"),
    [
        (b"{}", "no report of a training"),
        (b"half", "no report of a training"),
        (sealed_world.report("f" * 64), "of another model"),
    ],
)
def test_model_is_not_validated_by_a_report_that_is_not_its_own(site, report, sentence):
    with pytest.raises(ValidationError, match=sentence):
        registry.validate(version=registered(site), report=report, by=User.objects.system())


PRIME = {
    kind: PrimeModel(name, 30 if kind == "prime-s" else 0, (), Linear(floats([]), 0.0, logistic=False)) for kind, name in KINDS.items()
}
ALL = intended_use.TREATMENTS


@pytest.mark.parametrize(
    ("kind", "resected", "treatments", "days", "sentence"),
    [
        ("prime-r", True, ALL, None, "was resected"),
        ("prime-s", True, ALL, 40, "was resected"),
        ("prime-r", False, ALL - {"immune"}, None, "immune is missing"),
        ("prime-r", False, ALL, 5, "on treatment"),
        ("prime-s", False, ALL, None, "from day 30"),
        ("prime-s", False, ALL, 29, "from day 30"),
        ("prime-r", False, ALL, None, None),
        ("prime-s", False, ALL, 30, None),
    ],
)
def test_patient_outside_the_population_is_refused(kind, resected, treatments, days, sentence):
    """PM-05"""
    patient = intended_use.Situation(resected, treatments, days)
    if sentence is None:
        intended_use.check(PRIME[kind], patient)
        return
    with pytest.raises(intended_use.OutOfIntendedUse, match=sentence) as refused:
        intended_use.ask(PRIME[kind], patient, {})
    assert refused.value.code == "OUT_OF_INTENDED_USE"


def test_prime_model_is_never_registered_for_seals(site):
    """models.md §1: PRIME seals no prospective adjuvant prediction."""
    from predictions.training.prime import model_file

    fused = Linear(floats(["1.0"]), 0.0, logistic=True)
    data = model_file.dump(PrimeModel(KINDS["prime-r"], 0, (), fused))
    with pytest.raises(ArtefactRefused):
        registry.register(
            study=site.study, name="prime", data=data, data_sha256="0" * 64, commit="0" * 40, intended_use="x", by=User.objects.system()
        )


def test_key_of_nobody_signs_nothing(site):
    version = validated(site)
    said = registry.to_sign(version)
    signatures = {"A": approval.sign(said, KEYS["A"]), "B": approval.sign(said, PrivateKey.generate())}
    with pytest.raises(approval.ApprovalRefused, match="custodian B"):
        registry.lock(version=version, signatures=signatures, by=User.objects.system())
