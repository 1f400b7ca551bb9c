"""Whoever knows a pseudonym, a treatment and every day it may have been on still recognises no public record (SL-02, blinding §5)."""

import hashlib
import json
from datetime import date, timedelta

import pytest

from accounts import chain, ledger
from accounts.canonical import canonical
from accounts.models import LedgerRow
from predictions import outside
from predictions.decision import Strategy
from tests.analysis_pure import opened_study

NUMBER, REF = "01-0001-01", "0" * 32
DAYS = [date(2026, 1, 1) + timedelta(day) for day in range(1500)]


def body(strategy: str, day: date) -> bytes:
    """A record of what happened to one patient, all of it known to the guesser but strategy and day."""
    return canonical({"study_number": NUMBER, "ref": REF, "on": day.isoformat(), "strategy": strategy})


def study(*, salted: bool) -> opened_study.Study:
    """A chain in which the record of the patient stands at row 4; the unsalted mutant commits with a nonce of zeros."""
    made = opened_study.study()
    said = body("TACE", DAYS[777])
    nonce = hashlib.sha256(b"drawn once, by the platform").digest() if salted else bytes(32)
    before = made.rows[-1]
    given = {"index": before.index + 1, "at": opened_study.at(60), "kind": "treatment_known", "body": said, "nonce": nonce}
    made.rows.append(chain.extend(before.head, **given))
    return made


def recognised(made: opened_study.Study) -> list[tuple[str, date]]:
    """Every guess whose digest stands in the public bundle: with no salt, with zeros, with what the guesser knows as a salt."""
    lines = [json.loads(line) for line in _public(outside.pack(opened_study.STUDY, made.rows, made.anchors)).splitlines()]
    shown = {line[name] for line in lines for name in ("C", "h")}
    row, found, guesses = made.rows[-1], [], 0
    salts = [bytes(32), hashlib.sha256(NUMBER.encode()).digest(), row.head, made.rows[-2].head]
    for strategy in Strategy:
        for day in DAYS:
            guess, guesses = body(strategy, day), guesses + 1
            plain = hashlib.sha256(guess).hexdigest()
            tried = [plain, *(_commitment(salt, row, guess) for salt in salts)]
            found += [(strategy, day)] * any(each in shown for each in tried)
    assert guesses == 4 * 1500
    return found


def _commitment(salt: bytes, row: chain.Row, guess: bytes) -> str:
    return chain.commitment(nonce=salt, index=row.index, at=row.at, kind=row.kind, body=guess).hex()


def _public(bundle: bytes) -> bytes:
    begin = bundle.index(b'{"C"')
    return bundle[begin : bundle.index(b"\0", begin)]


def test_six_thousand_guesses_recognise_nothing():
    assert recognised(study(salted=True)) == []


def test_unsalted_mutant_is_recognised():
    """Teeth: the same guesses find the treatment and its day where the salt was left out."""
    assert recognised(study(salted=False)) == [("TACE", DAYS[777])]


@pytest.mark.django_db
def test_platform_draws_a_salt_for_each_row():
    """The same record twice in a chain, and in the chain of another study: no two salts or commitments are alike, and no salt is weak."""
    for study_ in ("ONE", "TWO"):
        ledger.append(study=study_, kind="genesis", body={"study": study_, "synthetic": False})
        for _ in range(100):
            ledger.append(study=study_, kind="plan", body={"n": 1})
    rows = list(LedgerRow.objects.order_by("study", "index"))
    salts = [bytes(row.nonce) for row in rows]
    assert {len(salt) for salt in salts} == {32}
    assert len({bytes(row.commitment) for row in rows}) == len(set(salts)) == len(rows) == 202
    halves = {half for salt in salts for half in (salt[:16], salt[16:])}
    assert len(halves) == 2 * len(rows), "half a salt is drawn as well as the other"
    ones = sum(int.from_bytes(salt).bit_count() for salt in salts)
    assert abs(ones - len(rows) * 128) < 6 * (len(rows) * 256 / 4) ** 0.5, "as many ones as coins give, within six standard deviations"


@pytest.mark.parametrize("name", ["C", "h"])
def test_public_lines_are_read(name):
    made = study(salted=True)
    lines = [json.loads(line) for line in _public(outside.pack(opened_study.STUDY, made.rows, made.anchors)).splitlines()]
    assert len(lines) == len(made.rows)
    assert len({line[name] for line in lines}) == len(lines)
