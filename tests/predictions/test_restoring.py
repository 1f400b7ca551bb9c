"""A restored database never forks the ledger in silence: it takes back what is missing, or two custodians say that it forks (DI-07)."""

import json
import shutil

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from accounts import anchors, heads, ledger
from analysis.custody import program
from predictions import features, outside, restoring, seal_check, sealing_keys
from predictions.models import Seal
from prime_platform import verification
from tests import world
from tests.gates import rules
from tests.predictions import sealed_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def restored(settings, tmp_path):
    """Two batches of one seal each; then the database of after the first came back, the files and the holder's copies stayed."""
    settings.VAR = tmp_path / "var"
    site = world.build()
    sealed_world.prepare(site, rules.surgery_alone())
    site.patients = [sealed_world.complete(site, center) for center in ("01", "02")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("predictions.features.take", _only(site.patients[0]))
        call_command("infer", "--once")
    first = ledger.rows(site.study.code)[-1].index
    call_command("infer", "--once")
    shutil.copytree(outside.folder(site.study.code), tmp_path / "holder")
    site.before = [row.head for row in ledger.rows(site.study.code)]
    as_superuser(
        f"DELETE FROM predictions_seal WHERE ledger_index > {first}", f"DELETE FROM accounts_ledgerrow WHERE index > {first}",
        "DELETE FROM predictions_batch WHERE id NOT IN (SELECT batch_id FROM predictions_seal)",
    )  # fmt: skip
    return site


def _only(person):
    """What is due is one patient only, as on a day on which the other's inputs were not there yet."""
    whole = features.take
    return lambda participant, tier: whole(participant, tier) if participant.pk == person.pk else None


def as_superuser(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def posts(site):
    """What a coordinator's browser is answered to a harmless form."""
    client = Client()
    client.force_login(site.people["coordinator01"])
    return client.post(reverse("understand-date"), {"text": "1 March 2026"}).status_code, client.get(reverse("participants")).status_code


def test_restored_database_seals_nothing_and_writes_nothing(restored):
    free = posts(restored)
    with pytest.raises(CommandError, match="behind a head"):
        call_command("infer", "--once")
    assert Seal.objects.count() == 1
    assert free[0] != 409
    assert posts(restored) == (409, 200)


def test_missing_rows_and_seals_are_taken_back_as_they_were(restored, tmp_path):
    code, bundles = restored.study.code, sorted(map(str, (tmp_path / "holder" / "restricted").iterdir()))
    with pytest.raises(CommandError, match="tail was cut"):
        call_command("restore", "check", "--study", code, "--heads", str(tmp_path / "holder" / "heads"))
    assert posts(restored)[0] == 409
    with pytest.raises(CommandError, match="no beginning|tail was cut"):
        call_command("restore", "take-back", bundles[0], "--study", code)
    call_command("restore", "take-back", *bundles, "--study", code, "--heads", str(tmp_path / "holder" / "heads"))
    rows = ledger.rows(code)
    assert [row.head for row in rows[:-1]] == restored.before
    assert rows[-1].kind == "restore"
    assert Seal.objects.count() == 2
    assert list(seal_check.verify()) == []
    assert list(verification.ledgers()) == []
    assert posts(restored)[0] != 409
    call_command("infer", "--once")
    assert Seal.objects.count() == 2


def test_chain_that_went_on_by_itself_is_not_taken_on(restored, tmp_path):
    code = restored.study.code
    ledger.append(study=code, kind="plan", body={"plan": "0" * 64}, at=restored.study.ledger_time())
    bundles = sorted(map(str, (tmp_path / "holder" / "restricted").iterdir()))
    with pytest.raises(CommandError, match="no beginning of that in the bundles"):
        call_command("restore", "take-back", *bundles, "--study", code)


def test_fork_needs_two_custodians_and_stays_on_the_ledger(restored, tmp_path):
    code = restored.study.code
    for letter, key in sealed_world.KEYS.items():
        (tmp_path / f"{letter}.key").write_bytes(sealing_keys.write_private(key))
    request = tmp_path / "fork.json"
    why = ("--requester", "data_manager", "--reason", "bundles burnt", "--pair", "AC")
    call_command("restore", "fork-request", "--study", code, *why, "--out", str(request))
    assert json.loads(request.read_bytes())["lost"]["h"] == restored.before[-1].hex()
    for letter in "AC":
        signed = ["approve", str(request), "--key", str(tmp_path / f"{letter}.key"), "--out", str(tmp_path / f"{letter}.sig")]
        assert program.main(signed) == 0
    with pytest.raises(CommandError, match="two custodians have not"):
        call_command("restore", "fork", str(request), "--study", code, "--approvals", str(tmp_path / "A.sig"))
    call_command("restore", "fork", str(request), "--study", code, "--approvals", f"{tmp_path / 'A.sig'},{tmp_path / 'C.sig'}")
    assert ledger.said_last(code, "restore", "fork")["h"] == restored.before[-1].hex()
    assert restoring.behind(code) == []
    assert posts(restored)[0] != 409
    [kept] = anchors.folder(code).glob("given-up-*")
    assert len(list(kept.iterdir())) == 2
    held = heads.read(tmp_path / "holder" / "heads")
    assert restoring.behind(code, held) != []  # who held the other chain's head still sees it


def test_seal_whose_patient_is_not_in_the_restored_database_is_named(restored, tmp_path):
    gone = restored.patients[1]
    as_superuser(f"UPDATE studies_participant SET study_number = '99-0000-00' WHERE id = {gone.pk}")
    bundles = sorted((tmp_path / "holder" / "restricted").iterdir())
    by = restored.people["data_manager"]
    missed = restoring.take_back(study=restored.study, bundles=bundles, received=[], by=by)
    assert len(missed) == 1
    assert gone.study_number in missed[0]
    assert ["the ledger knows it, and it is gone" in fault for fault in seal_check.verify()] == [True]
