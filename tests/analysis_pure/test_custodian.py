"""The custodian's program, with no database (UB-01, SL-01)."""

import csv
import io
import json
import os
import stat
import subprocess
import sys
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from accounts.canonical import canonical
from analysis.opening_bundle import unpack
from predictions import replay, sealing_keys
from predictions.training import artefact
from tests.analysis_pure import opened_study
from tests.analysis_pure.opened_study import KEYS, sealed_study

REPOSITORY = Path(__file__).parents[2]
PREDICTOR = "tests.analysis_pure.opened_study:predict"


@dataclass(frozen=True)
class Said:
    """What one run of the program answered."""

    returncode: int
    stdout: str
    stderr: str


def process(*arguments: object) -> Said:
    """Run the program where no database can be reached and nothing but the repository is known."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "LANG": "C.UTF-8"}
    command = [sys.executable, "-W", "error", "manage.py", "custodian", *map(str, arguments)]
    ran = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, timeout=120, check=False)
    return Said(ran.returncode, ran.stdout, ran.stderr)


def custodian(*arguments: object) -> Said:
    """The same program in this process; a test without the database mark lets no query pass."""
    said = io.StringIO()
    try:
        call_command("custodian", *map(str, arguments), stdout=said)
    except CommandError as error:
        return Said(error.returncode, said.getvalue(), str(error))
    return Said(0, said.getvalue(), "")


@pytest.fixture
def devices(tmp_path: Path) -> dict[str, Path]:
    """Each custodian's own device with the key made there."""
    found = {}
    for letter, key in KEYS.items():
        found[letter] = tmp_path / letter
        found[letter].mkdir()
        (found[letter] / "key").write_bytes(sealing_keys.write_private(key))
    return found


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    made, now = sealed_study(), time.time_ns() // 1000
    path = tmp_path / "bundle.tar"
    path.write_bytes(made.bundle(made.request(made_at=now - 10**6, expires_at=now + 10**9)))
    return path


def test_keygen_makes_one_private_file_and_never_replaces_it(tmp_path):
    out = tmp_path / "custodian.key"
    first = custodian("keygen", "--out", out)
    assert first.returncode == 0, first.stderr
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    public = sealing_keys.PublicKey.from_json(json.loads((tmp_path / "custodian.key.pub").read_text()))
    assert public.fingerprint in first.stdout
    assert sealing_keys.read_private(out.read_bytes()).public == public
    before = out.read_bytes()
    assert custodian("keygen", "--out", out).returncode == 2
    assert out.read_bytes() == before


def test_keygen_locks_the_file_with_a_passphrase_that_prove_needs(tmp_path):
    out, right, wrong = tmp_path / "key", tmp_path / "right", tmp_path / "wrong"
    right.write_text("肝癌 four words\n", encoding="utf-8")
    wrong.write_text("four words\n", encoding="utf-8")
    assert custodian("keygen", "--out", out, "--passphrase-file", right).returncode == 0
    public = sealing_keys.PublicKey.from_json(json.loads(Path(f"{out}.pub").read_text()))
    secret = os.urandom(32)
    (tmp_path / "challenge").write_bytes(sealing_keys.challenge(public, secret))
    asked = ("prove", tmp_path / "challenge", "--key", out, "--out", tmp_path / "proof")
    assert "passphrase" in custodian(*asked, "--passphrase-file", wrong).stderr
    assert custodian(*asked, "--passphrase-file", right).returncode == 0
    assert sealing_keys.proves(json.loads((tmp_path / "proof").read_text()), public, secret)


def test_two_devices_open_a_bundle_one_after_the_other(devices, bundle):
    half, out = devices["A"] / "half", devices["B"] / "out"
    peeled = process("peel", bundle, "--key", devices["A"] / "key", "--out", half)
    assert peeled.returncode == 0, peeled.stderr
    opened = process("open", half, "--key", devices["B"] / "key", "--out", out, "--predictor", PREDICTOR)
    assert opened.returncode == 0, opened.stderr
    assert json.loads((out / "report.json").read_text())["seals"]["mismatches"] == []
    with (out / "tags.csv").open() as file:
        assert [row["state"] for row in csv.DictReader(file)][:2] == ["CONSISTENT", "INCONSISTENT"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_refusals_answer_no_with_their_reason_and_write_nothing(devices, bundle, tmp_path):
    out = tmp_path / "out"
    wrong_turn = custodian("peel", bundle, "--key", devices["B"] / "key", "--out", out)
    unpeeled = custodian("open", bundle, "--key", devices["B"] / "key", "--out", out, "--predictor", PREDICTOR)
    other = tmp_path / "other.tar"
    other.write_bytes(b"no tar")
    foreign = custodian("peel", other, "--key", devices["A"] / "key", "--out", out)
    assert [each.returncode for each in (wrong_turn, unpeeled, foreign)] == [1, 1, 1]
    assert "first layer of pair AB is that of A" in wrong_turn.stderr
    assert "has not peeled" in unpeeled.stderr
    assert "no opening bundle" in foreign.stderr
    assert not out.exists()


def test_missing_file_and_missing_program_are_faults_of_use(devices, bundle, tmp_path):
    half = tmp_path / "half"
    assert custodian("peel", tmp_path / "none", "--key", devices["A"] / "key", "--out", half).returncode == 2
    assert custodian("peel", bundle, "--key", devices["A"] / "key", "--out", half).returncode == 0
    opened = custodian("open", half, "--key", devices["B"] / "key", "--out", tmp_path / "out", "--predictor", "no.such:thing")
    assert opened.returncode == 2
    assert "no.such:thing" in opened.stderr


def test_approval_made_by_the_program_is_the_one_the_bundle_needs(devices, bundle, tmp_path):
    held = unpack(bundle.read_bytes())
    request = tmp_path / "request.json"
    request.write_bytes(canonical(held.request))
    signed = custodian("approve", request, "--key", devices["A"] / "key", "--out", tmp_path / "A.sig")
    assert signed.returncode == 0, signed.stderr
    assert "final analysis" in signed.stdout
    assert (tmp_path / "A.sig").read_bytes() == held.approvals["A"]
    assert sha256(request.read_bytes()).hexdigest() == held.request_digest


def test_mismatch_is_printed_and_the_answer_is_no(devices, tmp_path):
    """UB-03: a program that gives something else than what was sealed."""
    made, now = sealed_study(), time.time_ns() // 1000
    path, half, out = tmp_path / "bundle.tar", tmp_path / "half", tmp_path / "out"
    path.write_bytes(made.bundle(made.request(made_at=now - 10**6, expires_at=now + 10**9)))
    assert custodian("peel", path, "--key", devices["A"] / "key", "--out", half).returncode == 0
    opened = custodian("open", half, "--key", devices["B"] / "key", "--out", out, "--predictor", "tests.analysis_pure.other_model:predict")
    assert opened.returncode == 1
    assert "seal 4 of 01-0001-01: S of SURG differs by" in opened.stderr
    assert len(json.loads((out / "report.json").read_text())["seals"]["mismatches"]) == 4


def test_recipient_reads_the_result_and_own_heads_are_asked(devices, tmp_path):
    made, now = sealed_study(), time.time_ns() // 1000
    recipient, path, half, out = sealing_keys.PrivateKey.generate(), tmp_path / "bundle.tar", tmp_path / "half", tmp_path / "out"
    (tmp_path / "key").write_bytes(sealing_keys.write_private(recipient))
    asked = made.request(made_at=now - 10**6, expires_at=now + 10**9, recipients={"dmc": recipient.public.as_json()})
    path.write_bytes(made.bundle(asked))
    mail = tmp_path / "mail"
    mail.mkdir()
    (mail / "1.json").write_bytes(made.anchors[0].encode())
    assert custodian("peel", path, "--key", devices["A"] / "key", "--out", half, "--heads", mail).returncode == 0
    assert custodian("open", half, "--key", devices["B"] / "key", "--out", out, "--predictor", PREDICTOR).returncode == 0
    assert [each.name for each in out.iterdir()] == ["dmc.enc"]
    assert custodian("read", out / "dmc.enc", "--key", devices["A"] / "key", "--out", tmp_path / "no").returncode == 1
    assert custodian("read", out / "dmc.enc", "--key", tmp_path / "key", "--out", tmp_path / "read").returncode == 0
    expected = ["analysis.json", "analysis_cut.csv", "predictions.csv", "report.json", "tags.csv"]
    assert sorted(each.name for each in (tmp_path / "read").iterdir()) == expected
    (mail / "2.json").write_bytes(b"{}")
    assert custodian("peel", path, "--key", devices["A"] / "key", "--out", tmp_path / "half2", "--heads", mail).returncode == 2


def test_program_of_the_batch_replays_by_default(devices, tmp_path):
    """A model with one input: each strategy shifts the log hazard, surgery alone has no term of its own."""
    fit = artefact.Terms({0: 0.5, 1: -0.9, 2: -0.2, 3: -0.4}, (0.2, 0.4, 0.6))
    evenly = tuple((0.0, 0.0) for _ in range(4))
    model = artefact.StrategyModel("1", 90, 0.03, ("clinical_afp",), (1.0,), (1.0,), (0.5,), fit, (fit,) * 3, evenly, (5.0,))
    program = replay.Software("d" * 40, "e" * 64)
    now, made = time.time_ns() // 1000, opened_study.study(artefact.dump(model))
    for number, value in (("01-0001-01", "1.5"), ("01-0002-02", None), ("01-0003-03", "9.0")):
        inputs = [{"name": "clinical_afp", "on": "2025-12-20", "treatment_known": False}]
        content = canonical({"tier": "1", "clinical": {"clinical_afp": value}, "inputs": inputs})
        made.seal(number, content, 10, said=replay.predict(artefact.dump(model), content, program))
    made.anchor(11)
    made.freeze([opened_study.line(number, "TACE") for number in ("01-0001-01", "01-0002-02", "01-0003-03")])
    path, half, out = tmp_path / "bundle.tar", tmp_path / "half", tmp_path / "out"
    path.write_bytes(made.bundle(made.request(made_at=now - 10**6, expires_at=now + 10**9)))
    assert custodian("peel", path, "--key", devices["A"] / "key", "--out", half).returncode == 0
    opened = custodian("open", half, "--key", devices["B"] / "key", "--out", out)
    assert opened.returncode == 0, opened.stderr
    with (out / "tags.csv").open() as file:
        assert [(row["state"], row["reason"]) for row in csv.DictReader(file)] == [
            ("CONSISTENT", ""),
            ("CONSISTENT", ""),
            ("NOT_EVALUABLE", "ABSTAIN"),
        ]
