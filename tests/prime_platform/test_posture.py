"""What of an installation a real study must not have: each alone keeps it in draft (docs/blinding.md §7, BL-05, SE-07)."""

import json
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import translation

from accounts import anchors, chain, people
from accounts.models import Heartbeat, User
from accounts.transitions import NotAllowedNow
from analysis.custody import program
from predictions import outside, registry, sealing_keys
from predictions.sealing_keys import PrivateKey
from prime_platform import posture
from prime_platform.embedded import postgres
from studies import setup
from studies.vocabulary import Phase
from tests import cluster
from tests.predictions import sealed_world
from tests.studies import world as worlds

SOUND = posture.Facts(
    demo_flag=False, demo_people=0, demo_keys=False, debug=False, https=True, second_factor=True, inference_apart=True, logins_apart=True,
    strong_logins=(), talkative=(), custodians_proven=True, outside_anchor=True,
)  # fmt: skip
ALONE = {
    "demo": {"demo_flag": True},
    "demo_people": {"demo_people": 1},
    "demo_keys": {"demo_keys": True},
    "debug": {"debug": True},
    "plain_http": {"https": False},
    "one_factor": {"second_factor": False},
    "shared_user": {"inference_apart": False},
    "shared_login": {"logins_apart": False},
    "superuser_login": {"strong_logins": ("prime_web",)},
    "talkative_database": {"talkative": ("log_statement",)},
    "custodians_unproven": {"custodians_proven": False},
    "no_outside_anchor": {"outside_anchor": False},
}


def test_every_violation_is_tried():
    assert set(ALONE) == set(posture.WORDS)
    assert posture.violations(SOUND) == {}


@pytest.fixture
def real(db, monkeypatch):
    """A real study whose protocol is decided."""
    found = worlds.build("REAL", synthetic=False)
    monkeypatch.setattr(setup, "undecided", lambda study: [])
    return found


@pytest.mark.parametrize("code", ALONE)
def test_each_violation_alone_refuses_activation(real, monkeypatch, code):
    monkeypatch.setattr(posture, "facts", lambda study: replace(SOUND, **ALONE[code]))
    assert list(posture.violations(posture.facts(None))) == [code]
    with pytest.raises(NotAllowedNow, match=r".+") as refused:
        setup.advance_phase(study=real.study, to=Phase.ACCRUAL, by=real.system)
    assert str(refused.value) == str(posture.WORDS[code][1])


def test_sound_installation_may_begin(real, monkeypatch):
    monkeypatch.setattr(posture, "facts", lambda study: SOUND)
    assert setup.advance_phase(study=real.study, to=Phase.ACCRUAL, by=real.system).phase == Phase.ACCRUAL


def test_synthetic_study_is_asked_nothing(db):
    assert worlds.build().study.phase == Phase.ACCRUAL


@pytest.mark.django_db
def test_real_study_is_never_founded_beside_a_demonstration(settings, tmp_path):
    """A demonstration never becomes production: flag, people and keys each refuse it."""
    settings.VAR, settings.PRIME_DEMO = tmp_path, True
    given = {"title_zh": "研", "title_en": "Real", "protocol_id": "hcc_adjuvant", "accrual_from": "2026-01-01", "by": User.objects.system()}
    with pytest.raises(NotAllowedNow, match="PRIME_DEMO=0"):
        setup.create_study(code="REAL", **given)
    settings.PRIME_DEMO = False
    (tmp_path / "demo-custodians").mkdir()
    with translation.override("en"), pytest.raises(NotAllowedNow, match="Keys of demonstration"):
        setup.create_study(code="REAL", **given)
    (tmp_path / "demo-custodians").rmdir()
    people.create_user(username="demo", display_name="demo", password="correct horse", by=User.objects.system(), is_demo=True)
    with translation.override("en"), pytest.raises(NotAllowedNow, match="People of the demonstration"):
        setup.create_study(code="REAL", **given)
    setup.create_study(code="SYN", synthetic=True, **given)


@pytest.mark.django_db
def test_facts_are_looked_up(settings, tmp_path):
    """Each fact changes with the thing itself."""
    settings.VAR, settings.PRIME_DEMO, settings.DEBUG, settings.HTTPS = tmp_path, False, True, True
    found = posture.facts()
    assert (found.demo_flag, found.debug, found.https, found.inference_apart, found.logins_apart) == (False, True, True, True, False)
    assert (found.custodians_proven, found.outside_anchor, found.talkative, found.strong_logins) == (None, None, (), ())
    for name in ("worker", "infer"):
        Heartbeat.objects.create(name=name, at="2026-01-01T00:00Z", detail={"login": f"prime_{name}"})
    assert posture.facts().logins_apart
    Heartbeat.objects.filter(name="infer").update(detail={"login": "prime_owner"})
    assert not posture.facts().logins_apart
    (tmp_path / "infer").mkdir(mode=0o700)
    (tmp_path / "infer" / "model.json").touch()
    (tmp_path / "home" / "web").mkdir(parents=True)
    assert not posture.facts().inference_apart


@pytest.mark.django_db
def test_each_thing_itself_is_seen(settings, tmp_path):
    """Teeth: what stands in `ALONE` as a fact is found where it is the case, and nothing else with it."""
    settings.VAR, settings.PRIME_DEMO, settings.HTTPS, settings.PRIME_SECOND_FACTOR = tmp_path, False, True, True
    sound = posture.facts()
    for name, value, changed in (
        ("PRIME_DEMO", True, {"demo_flag": True}),
        ("DEBUG", True, {"debug": True}),
        ("HTTPS", False, {"https": False}),
        ("PRIME_SECOND_FACTOR", False, {"second_factor": False}),
    ):
        before = getattr(settings, name)
        setattr(settings, name, value)
        assert posture.facts() == replace(sound, **changed)
        setattr(settings, name, before)
    people.create_user(username="demo", display_name="demo", password="correct horse", by=User.objects.system(), is_demo=True)
    assert posture.facts() == replace(sound, demo_people=1)
    (tmp_path / "demo-custodians").mkdir()
    assert posture.facts() == replace(sound, demo_people=1, demo_keys=True)


@pytest.fixture
def operator(db):
    """The superuser of the tests' own server."""
    if not (made := cluster.own()):
        pytest.skip("a lent server has no superuser for tests")
    with postgres.superuser(made, cluster.DATABASE) as connected:
        yield connected


@pytest.mark.parametrize("attribute", ["SUPERUSER", "BYPASSRLS", "CREATEROLE"])
def test_login_that_may_do_more_is_seen(operator, attribute):
    """Teeth: each right alone, given to one login."""
    assert posture.facts().strong_logins == ()
    operator.execute(f"ALTER ROLE prime_infer {attribute}")
    try:
        assert posture.facts().strong_logins == ("prime_infer",)
    finally:
        operator.execute(f"ALTER ROLE prime_infer NO{attribute}")


@pytest.mark.parametrize("name", posture.QUIET)
def test_each_talkative_setting_is_seen(operator, name):
    """Teeth: each setting alone, turned up for this session."""
    assert posture.facts().talkative == ()
    loud = {"log_statement": "all", "log_min_error_statement": "error"}.get(name, "-1")
    operator.execute(f"GRANT SET ON PARAMETER {name} TO prime_owner")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, true)", [name, loud])
        assert posture.facts().talkative == (name,)
    finally:
        operator.execute(f"REVOKE SET ON PARAMETER {name} FROM prime_owner")


@pytest.mark.django_db
def test_talkative_database_is_noticed():
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name = 'log_statement'")
        assert cursor.fetchone() == ("none",)
    assert posture.QUIET.keys() >= {"log_statement", "log_parameter_max_length"}


@pytest.mark.django_db
def test_command_says_every_violation(capsys, settings, tmp_path):
    settings.VAR = tmp_path
    study = worlds.build().study
    with pytest.raises(SystemExit) as ended:
        call_command("verify", "--posture", "--study", study.code, "--json")
    assert ended.value.code == 1
    said = json.loads(capsys.readouterr().out)["faults"]
    assert list(said) == ["posture"]
    assert {sentence.split(":")[0] for sentence in said["posture"]} >= {"demo", "plain_http", "one_factor", "no_outside_anchor"}
    with pytest.raises(CommandError, match="no study"):
        call_command("verify", "--posture", "--study", "NONE")


@pytest.mark.django_db
def test_holder_confirms_a_head_and_it_counts_as_outside(settings, tmp_path):
    """The receipt is signed by the holder with the holder's own clock; another hand, another study and a second time are refused."""
    settings.VAR = tmp_path / "var"
    study = worlds.build().study
    anchors.write(study=study.code, at=study.now())
    newest = anchors.read(study.code)[-1]
    head, key, other = tmp_path / "head.json", PrivateKey.generate(), PrivateKey.generate()
    head.write_bytes(outside.head_json(study.code, newest))
    for name, each in (("holder", key), ("other", other)):
        (tmp_path / f"{name}.key").write_bytes(sealing_keys.write_private(each))
        (tmp_path / f"{name}.pub").write_text(json.dumps(each.public.as_json()))
    receipt = tmp_path / "receipt.json"
    assert program.main(["confirm", str(head), "--key", str(tmp_path / "holder.key"), "--out", str(receipt)]) == 0
    given = ("outside", "receive", str(receipt), "--holder", "university", "--study")
    with pytest.raises(CommandError, match="not signed by this holder"):
        call_command(*given, study.code, "--key", str(tmp_path / "other.pub"))
    call_command(*given, study.code, "--key", str(tmp_path / "holder.pub"))
    [kept] = anchors.received(study.code)
    assert (kept.index, kept.head) == (newest.index, newest.head)
    assert anchors.outside(study.code, synthetic=False) == [kept]
    assert len(anchors.outside(study.code, synthetic=True)) == 2
    assert outside.ledger.said_last(study.code, "anchor", "holder") == "university"
    assert posture.facts(study).outside_anchor
    with pytest.raises(CommandError, match="already"):
        call_command(*given, study.code, "--key", str(tmp_path / "holder.pub"))
    forged = sealing_keys.confirm_head(key, {"study": study.code, "index": newest.index, "h": "0" * 64}, newest.at)
    with pytest.raises(outside.ReceiptRefused, match="another head"):
        outside.receive(study=study.code, holder="x", public=key.public, receipt=json.dumps(forged).encode())
    assert chain.instant(kept.at)


@pytest.mark.django_db
def test_custodians_of_a_study_are_proven_or_not(settings, tmp_path):
    settings.VAR = tmp_path
    study = worlds.build().study
    keys = {letter: (letter, each.public) for letter, each in sealed_world.KEYS.items()}
    assert posture.facts(study).custodians_proven is False
    registry.activate(study=study, keys=keys, by=User.objects.system(), proven=True)
    assert posture.facts(study).custodians_proven is True
