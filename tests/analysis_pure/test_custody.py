"""Custody over the years: the drill, the handover of a key, and a program that needs no network and no platform (SL-01, DI-07)."""

import json
import os
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from accounts import chain
from accounts.canonical import digest
from analysis import custodianship, handover, opening, opening_check
from analysis.custody import asking, program
from analysis.opening_bundle import BundleRefused
from predictions import sealing_keys
from predictions.sealing_envelope import PAIRS, Envelope, enclose
from predictions.sealing_keys import PrivateKey
from tests.analysis_pure import opened_study
from tests.analysis_pure.opened_study import KEYS, NOW, STUDY, at, predict, sealed_study

REPOSITORY = Path(__file__).parents[2]
FORBIDDEN = ("django", "psycopg", "celery", "kombu")
WATCHED = f"""
import sys
from analysis.custody.program import main
status = main(sys.argv[1:])
loaded = [name for name in {FORBIDDEN!r} if name in sys.modules]
assert not loaded, loaded
sys.exit(status)
"""


def run(*arguments):
    """The program in this process: exit status."""
    return program.main(["--lang", "en", *map(str, arguments)])


@pytest.fixture
def devices(tmp_path):
    """Each custodian's own device with the key made there."""
    for letter, key in KEYS.items():
        (tmp_path / letter).mkdir()
        (tmp_path / letter / "key").write_bytes(sealing_keys.write_private(key))
        (tmp_path / f"{letter}.pub").write_text(json.dumps(key.public.as_json()))
    return tmp_path


@pytest.mark.parametrize("pair", PAIRS)
def test_drill_shows_that_a_pair_can_open(devices, pair, capsys):
    drill, half = devices / "drill", devices / "half"
    assert run("drill-make", *(devices / f"{letter}.pub" for letter in "ABC"), "--out", drill) == 0
    word = capsys.readouterr().out.split()[-1]
    assert run("drill-peel", drill, "--pair", pair, "--key", devices / pair[0] / "key", "--out", half) == 0
    assert run("drill-open", drill, "--pair", pair, "--half", half, "--key", devices / pair[1] / "key") == 0
    assert capsys.readouterr().out.split()[-1] == word


def test_drill_shows_a_lost_key(devices, capsys):
    """A custodian who made a new key, or restored the wrong file, learns it now and not at the opening."""
    drill, half, other = devices / "drill", devices / "half", devices / "other"
    other.write_bytes(sealing_keys.write_private(PrivateKey.generate()))
    assert run("drill-make", *(devices / f"{letter}.pub" for letter in "ABC"), "--out", drill) == 0
    assert run("drill-peel", drill, "--pair", "AB", "--key", other, "--out", half) == 1
    assert run("drill-peel", drill, "--pair", "AB", "--key", devices / "A" / "key", "--out", half) == 0
    assert run("drill-open", drill, "--pair", "AB", "--half", half, "--key", other) == 1
    assert "does not open this layer" in capsys.readouterr().err


NEW = PrivateKey.generate()


def asked(made, **change):
    head = made.rows[-1]
    return {
        "v": 1, "purpose": "replace", "study": STUDY, "requester": "manager", "reason": "left the hospital", "made_at": at(900),
        "expires_at": at(1210), "pair": "AB", "replaced": "C", "new": {"person": "custodian-four", "key": NEW.public.as_json()},
        "seals": sorted(made.seals), "head": {"index": head.index, "h": head.head.hex()},
    } | change  # fmt: skip


def bundle(made, request=None, **change):
    request = request or asked(made)
    approvals = {letter: opening.approve(digest(request), KEYS[letter]) for letter in "AB"}
    parts = {"request": request, "approvals": approvals, "rows": tuple(made.rows), "seals": made.seals} | change
    return handover.pack(handover.Handover(**parts))


def handed_over(made):
    """The study after C was replaced by another person."""
    request = asked(made)
    half = handover.peel(bundle(made, request), KEYS["A"], now=NOW)
    wraps = handover.read_result(handover.wrap(half, KEYS["B"], now=NOW), KEYS["B"].public, digest(request))
    made.seals = {index: Envelope(made.seals[index].ciphertext, each) for index, each in wraps.items()}
    named = {
        letter: {"person": each.person, "key": each.key.as_json()} for letter, each in handover.after(tuple(made.rows), request).items()
    }
    made.append("activation", {"custodians": named, "wraps": {str(index): made.seals[index].wraps_digest for index in wraps}}, 1120)
    made.anchor(1120)
    return made


@pytest.mark.parametrize("pair", PAIRS)
def test_after_a_handover_every_pair_of_now_opens_and_the_old_key_nothing(pair, monkeypatch):
    made = handed_over(sealed_study())
    now = KEYS | {"C": NEW}
    monkeypatch.setitem(opened_study.KEYS, "C", NEW)  # who approves from now on
    data = made.bundle(made.request(pair=pair), cut=_cut(made, now), artefacts=_artefacts(now))
    opened = opening.open_half(opening.peel(data, now[pair[0]], now=NOW), now[pair[1]], predict, now=NOW)
    assert [seal.fault for seal in opened.seals] == [""] * 5
    for index, envelope in made.seals.items():
        for wrapped in ("AC", "BC"):
            with pytest.raises(sealing_keys.KeyRefused):
                OLD_C.decrypt(envelope.wraps[wrapped], b"")
        assert index


OLD_C = KEYS["C"]


def _cut(made, keys):
    public = {letter: key.public for letter, key in keys.items()}
    return enclose(made.cut, opening_check.cut_associated(STUDY, sha256(made.cut).hexdigest()), public)


def _artefacts(keys):
    public = {letter: key.public for letter, key in keys.items()}
    associated = opening_check.artefact_associated(STUDY, opened_study.MODEL)
    return {opened_study.MODEL: enclose(opened_study.ARTEFACT, associated, public)}


def test_ledger_says_who_holds_what_before_and_after():
    made = handed_over(sealed_study())
    last = made.rows[-1].index
    assert custodianship.named(made.rows, last - 1)["C"].key == OLD_C.public
    assert custodianship.named(made.rows, last)["C"].person == "custodian-four"
    assert sorted(custodianship.rewrapped(made.rows, last)) == sorted(made.seals)
    assert custodianship.rewrapped(made.rows, last - 1) == {}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pair": "AC"}, "the two who stay"),
        ({"expires_at": at(1199)}, "expired"),
        ({"requester": "custodian-one"}, "may not approve"),
        ({"new": {"person": "custodian-two", "key": NEW.public.as_json()}}, "two of the three keys"),
        ({"new": {"person": "custodian-four", "key": KEYS["A"].public.as_json()}}, "one of those that there are"),
        ({"seals": [4]}, "exactly the seals"),
        ({"head": {"index": 9, "h": "0" * 64}}, "head"),
        ({"study": "OTHER"}, "not that of OTHER"),
    ],
)
def test_handover_is_refused(change, reason):
    made = sealed_study()
    with pytest.raises(BundleRefused, match=reason):
        handover.peel(bundle(made, asked(made, **change)), KEYS["A"], now=NOW)


def test_handover_needs_both_who_stay_in_their_turn():
    made = sealed_study()
    request = asked(made)
    alone = {"A": opening.approve(digest(request), KEYS["A"])}
    with pytest.raises(BundleRefused, match="B has not approved"):
        handover.peel(bundle(made, request, approvals=alone), KEYS["A"], now=NOW)
    data = bundle(made, request)
    for key in (KEYS["B"], KEYS["C"], NEW):
        with pytest.raises(BundleRefused, match="this is another key"):
            handover.peel(data, key, now=NOW)
    half = handover.peel(data, KEYS["A"], now=NOW)
    for key in (KEYS["A"], KEYS["C"], NEW):
        with pytest.raises(BundleRefused, match="this is another key"):
            handover.wrap(half, key, now=NOW)
    with pytest.raises(BundleRefused, match="was not made by the first"):
        handover.wrap(data, KEYS["B"], now=NOW)


def test_swapped_envelope_and_foreign_result_are_refused():
    made = sealed_study()
    request, (one, other) = asked(made), sorted(made.seals)[:2]
    swapped = made.seals | {one: made.seals[other], other: made.seals[one]}
    with pytest.raises(BundleRefused, match=f"seal {one}"):
        handover.peel(bundle(made, request, seals=swapped), KEYS["A"], now=NOW)
    result = handover.wrap(handover.peel(bundle(made, request), KEYS["A"], now=NOW), KEYS["B"], now=NOW)
    with pytest.raises(BundleRefused, match="for this request"):
        handover.read_result(result, KEYS["B"].public, "0" * 64)
    with pytest.raises(BundleRefused, match="for this request"):
        handover.read_result(result, KEYS["A"].public, digest(request))
    with pytest.raises(BundleRefused, match="a byte was changed"):
        handover.unpack(bundle(made, request) + b" ")
    rolled_back = chain.Anchor(3, b"\0" * 32, at(4))
    with pytest.raises(BundleRefused, match="another head"):
        handover.peel(bundle(made, request), KEYS["A"], now=NOW, received=(rolled_back,))


def test_administrator_who_names_keys_of_his_own_opens_nothing(monkeypatch):
    """Whoever controls accounts and ledger can put other names and keys in force, and sign with them: what was sealed stays closed."""
    made, own = sealed_study(), {letter: PrivateKey.generate() for letter in "ABC"}
    named = {letter: {"person": f"account {letter}", "key": key.public.as_json()} for letter, key in own.items()}
    made.append("activation", {"custodians": named}, 1110)
    made.anchor(1110)
    for letter, key in own.items():
        monkeypatch.setitem(opened_study.KEYS, letter, key)
    with pytest.raises(BundleRefused, match="does not open this layer"):
        opening.peel(made.bundle(), own["A"], now=NOW)


def test_person_who_types_no_commands_is_asked(devices, monkeypatch, capsys):
    """The same act as `prove … --key … --out …`, in Chinese, the file names taken as they stand."""
    public, secret = KEYS["A"].public, os.urandom(32)
    (devices / "A" / "challenge").write_bytes(sealing_keys.challenge(public, secret))
    monkeypatch.chdir(devices / "A")
    answers = iter(["x", "2", "challenge", "key", ""])
    monkeypatch.setattr(asking.arguments, "__defaults__", (lambda question: next(answers), print))
    assert program.main(["--lang", "zh"]) == 0
    assert sealing_keys.proves(json.loads((devices / "A" / "proof.json").read_text()), public, secret)
    assert "密钥" in capsys.readouterr().out


def test_every_act_of_a_custodian_is_offered():
    offered = {name for name, _words, _questions in asking.menu()}
    assert offered == set(program.ACTS) - {"drill-make", "confirm"}


def alone(folder, *arguments, wrapper=()):
    """The program as on a laptop: no settings, no database, only these files; it fails when it loads Django or a database driver."""
    command = [*wrapper, sys.executable, "-c", WATCHED, "--lang", "en", *map(str, arguments)]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "HOME": str(folder), "LANG": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)


def without_network():
    """A wrapper that leaves a process no network interface, or a skip with the reason."""
    wrapper = ["unshare", "--net", "--map-root-user"]
    tried = shutil.which("unshare") and subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
    if not tried:
        pytest.skip("this machine lets nobody make a network namespace (unshare --net): the program was not run without interfaces")
    return wrapper


def test_opening_works_without_interfaces_and_without_a_database(devices):
    wrapper = without_network()
    asked_ = "import json, socket; print(json.dumps([name for _, name in socket.if_nameindex()]))"
    seen = subprocess.run([*wrapper, sys.executable, "-c", asked_], capture_output=True, text=True, check=True)
    assert set(json.loads(seen.stdout)) <= {"lo"}
    now, made = time.time_ns() // 1000, sealed_study()
    (devices / "bundle").write_bytes(made.bundle(made.request(made_at=now - 10**6, expires_at=now + 10**9)))
    peeled = alone(devices, "peel", "bundle", "--key", "A/key", "--out", "half", wrapper=wrapper)
    assert peeled.returncode == 0, peeled.stderr
    predictor = "tests.analysis_pure.opened_study:predict"
    opened = alone(devices, "open", "half", "--key", "B/key", "--out", "result", "--predictor", predictor, wrapper=wrapper)
    assert opened.returncode == 0, opened.stderr
    assert json.loads((devices / "result" / "report.json").read_text())["seals"]["mismatches"] == []


def test_key_is_made_and_proved_on_little(devices):
    """Making a key loads neither the statistics nor the models."""
    made = alone(devices, "keygen", "--out", "mine")
    assert made.returncode == 0, made.stderr
    loaded = "import sys; from analysis.custody import program, keys; print(sorted({'numpy', 'scipy', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", loaded], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout == "[]\n"
