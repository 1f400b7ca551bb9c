"""Whoever knows a pseudonym, a treatment and every day it may have been on still recognises no public record (SL-02, blinding §5)."""

import hashlib
import json
from datetime import date, timedelta

import pytest

from accounts import chain
from accounts.canonical import canonical
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
    row, found = made.rows[-1], []
    salts = [bytes(32), hashlib.sha256(NUMBER.encode()).digest(), row.head, made.rows[-2].head]
    for strategy in Strategy:
        for day in DAYS:
            guess = body(strategy, day)
            plain = hashlib.sha256(guess).hexdigest()
            tried = [plain, *(_commitment(salt, row, guess) for salt in salts)]
            found += [(strategy, day)] * any(each in shown for each in tried)
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


@pytest.mark.parametrize("name", ["C", "h"])
def test_public_lines_are_read(name):
    made = study(salted=True)
    lines = [json.loads(line) for line in _public(outside.pack(opened_study.STUDY, made.rows, made.anchors)).splitlines()]
    assert len(lines) == len(made.rows)
    assert len({line[name] for line in lines}) == len(lines)
