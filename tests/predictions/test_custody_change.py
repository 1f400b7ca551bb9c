"""Custodians of a study: named on proof, replaced by the two who stay, and every seal still what the ledger says (SL-01, blinding §7)."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import prime_verify
from accounts.models import User
from analysis import custodianship, custody_change
from analysis.custody import program
from predictions import outside, registry, seal_check, sealing_keys
from predictions.models import Rewrap, Seal
from predictions.sealing_keys import PrivateKey
from tests import world
from tests.gates import rules
from tests.predictions import sealed_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def site(tmp_path, settings):
    settings.VAR = tmp_path / "var"
    settings.VAR.mkdir()
    return world.build()


def files(folder, **keys):
    for name, key in keys.items():
        (folder / f"{name}.key").write_bytes(sealing_keys.write_private(key))
        (folder / f"{name}.pub").write_text(json.dumps(key.public.as_json()))


def proved(folder, name):
    """The custodian answers the platform's challenge on his own device."""
    call_command("custody", "challenge", str(folder / f"{name}.pub"), "--out", str(folder / f"{name}.challenge"))
    asked, key, proof = (str(folder / f"{name}.{ending}") for ending in ("challenge", "key", "proof"))
    assert program.main(["prove", asked, "--key", key, "--out", proof]) == 0


def test_three_custodians_are_named_on_proof(site, tmp_path):
    keys = {letter: PrivateKey.generate() for letter in "abc"}
    files(tmp_path, **keys)
    for letter in "abc":
        proved(tmp_path, letter)
    named = {letter: [f"person {letter}", str(tmp_path / f"{letter}.pub"), str(tmp_path / f"{letter}.proof")] for letter in "abc"}
    given = [word for letter in "abc" for word in (f"--{letter}", *named[letter])]
    wrong = [word.replace("b.proof", "a.proof") for word in given]
    with pytest.raises(CommandError, match="B has not proved"):
        call_command("custody", "activate", "--study", site.study.code, *wrong)
    call_command("custody", "activate", "--study", site.study.code, *given)
    assert registry.custodians(site.study)["B"] == keys["b"].public


def test_real_study_takes_no_custodian_without_proof(site):
    site.study.synthetic = False
    keys = {letter: (letter, key.public) for letter, key in sealed_world.KEYS.items()}
    with pytest.raises(ValidationError, match="proves that he holds"):
        registry.activate(study=site.study, keys=keys, by=User.objects.system())
    with pytest.raises(ValidationError, match="does not hold the role"):
        custody_change.request(
            study=site.study, replaced="C", person="coordinator01", key=sealed_world.KEYS["A"].public, reason="x", requester="y", days=1,
            by=User.objects.system(),
        )  # fmt: skip


def test_custodian_is_replaced_and_every_seal_stays(site, tmp_path):
    """Challenge, request, two signatures, peel, wrap, enter: the old key opens nothing, the new one everything, nothing is out of order."""
    sealed_world.prepare(site, rules.surgery_alone())
    for center in ("01", "02"):
        sealed_world.complete(site, center)
    call_command("infer", "--once")
    files(tmp_path, **{letter: sealed_world.KEYS[letter] for letter in "ABC"}, new=PrivateKey.generate())
    proved(tmp_path, "new")
    request, bundle, half, wraps = (str(tmp_path / name) for name in ("request.json", "bundle", "half", "wraps"))
    code = site.study.code
    call_command(
        "custody", "replace", "--study", code, "--letter", "C", "--person", "custodian-four", "--key", str(tmp_path / "new.pub"), "--proof",
        str(tmp_path / "new.proof"), "--reason", "lost", "--requester", "data_manager", "--out", request,
    )  # fmt: skip
    for letter in "AB":
        assert program.main(["approve", request, "--key", str(tmp_path / f"{letter}.key"), "--out", str(tmp_path / f"{letter}.sig")]) == 0
    approvals = f"{tmp_path / 'A.sig'},{tmp_path / 'B.sig'}"
    call_command("custody", "bundle", "--study", code, "--request", request, "--approvals", approvals, "--out", bundle)
    assert program.main(["handover-peel", bundle, "--key", str(tmp_path / "A.key"), "--out", half]) == 0
    assert program.main(["handover-wrap", half, "--key", str(tmp_path / "B.key"), "--out", wraps]) == 0
    call_command("custody", "enter", wraps, "--study", code, "--request", request)

    new = sealing_keys.read_private((tmp_path / "new.key").read_bytes())
    assert registry.custodians(site.study)["C"] == new.public
    assert Rewrap.objects.count() == Seal.objects.count() == 2
    assert list(seal_check.verify()) == []
    rows = outside.ledger.rows(code)
    assert custodianship.named(rows, rows[-1].index)["C"].person == "custodian-four"
    written = outside.export(study=code, out=tmp_path / "out")
    held = prime_verify.read_bundle(next(path for path in written if "restricted" in path.name))
    assert prime_verify.faults([held], []) == []
    with pytest.raises(CommandError, match="these are no new wraps"):
        call_command("custody", "enter", half, "--study", code, "--request", request)


def test_changed_new_wrap_is_named(site, tmp_path):
    test_custodian_is_replaced_and_every_seal_stays(site, tmp_path)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE predictions_rewrap SET wrap_ac = set_byte(wrap_ac, 9, get_byte(wrap_ac, 9) # 1)")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert len([fault for fault in seal_check.verify() if "its wraps since row" in fault]) == 2
