"""What outside holders find with the bundles and heads they keep, by the platform's check and the one-file program alike (SL-04, SL-06)."""

import io
import json
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts import anchors, chain, heads, prime_verify
from accounts.canonical import canonical
from predictions import outside
from predictions.models import Seal
from prime_platform import verification
from tests import world
from tests.analysis_pure import opened_study
from tests.gates import rules
from tests.predictions import sealed_world

HOUR, DAY = 3600 * 10**6, 86400 * 10**6


@dataclass
class Kept:
    """A study as somebody shows it, and the heads that we received from it before."""

    study: opened_study.Study
    received: list[heads.Head]

    def shown(self, **change):
        return replace(self.study, **change)


@pytest.fixture
def kept():
    """Five seals, each row's head received an hour after it was made."""
    study = opened_study.sealed_study()
    return Kept(study, [heads.Head(row.head, row.at + HOUR // 2, row.index, opened_study.STUDY) for row in study.rows])


def relinked(rows):
    """Every hash made to fit again, as whoever holds the database can."""
    head, fitting = chain.NO_HEAD, []
    for index, row in enumerate(rows):
        fitting.append(chain.extend(head, nonce=row.nonce, index=index, at=row.at, kind=row.kind, body=row.body))
        head = fitting[-1].head
    return fitting


def platform(study, received=()):
    """What the platform's own check says of a shown chain."""
    resolved, faults = heads.resolve(received, [row.link for row in study.rows])
    return sorted(faults + chain.verify(study.rows, [*study.anchors, *resolved]))


def program(study, folder, received=(), earlier=()):
    """What the one-file program says of the bundle of a shown chain."""
    kinds = {row.index: row for row in study.rows if row.kind == "seal"}
    names = {index: json.loads(kinds[index].body)["snapshot"] for index in study.seals.keys() & kinds.keys()}
    sealed = {index: (study.seals[index], name, study.snapshots[name]) for index, name in names.items()}
    folder.mkdir(exist_ok=True)
    path = folder / "shown.restricted.tar"
    path.write_bytes(outside.pack(opened_study.STUDY, study.rows, study.anchors, sealed))
    given = [{"h": head.h.hex(), "at": head.at, "index": head.index, "study": head.study} for head in received]
    return sorted(prime_verify.faults([prime_verify.read_bundle(each) for each in (path, *earlier)], given, gap=10**6))


def test_untouched_study_holds_by_both(kept, tmp_path):
    assert platform(kept.study, kept.received) == []
    assert program(kept.study, tmp_path, kept.received) == []


def edited(study):
    study.rows[5] = replace(study.rows[5], body=b'{"other":1}')


def deleted(study):
    del study.rows[2]


def inserted(study):
    study.rows.insert(6, study.rows[5])


def reordered(study):
    study.rows[4], study.rows[5] = study.rows[5], study.rows[4]


INSIDE = {
    edited: (5, {"its record does not give its commitment"}),
    deleted: (3, {"its head does not follow from the row before it", "stands where row 2 belongs"}),
    inserted: (5, {"its head does not follow from the row before it", "stands where row 6 belongs"}),
    reordered: (4, {"its head does not follow from the row before it", "stands where row 5 belongs"}),
}
"""Attack → the first row that cannot be what it was, as it is called where it stands now, and what is wrong with it."""


@pytest.mark.parametrize("attack", INSIDE)
def test_chain_alone_shows_it(kept, tmp_path, attack):
    """Without any head: an edit, a deletion, an insertion, an exchange, each at its row and no earlier; the same sentences by both."""
    attack(kept.study)
    said = platform(kept.shown(anchors=[]))
    assert first_named(said) == INSIDE[attack]
    assert [fault for fault in program(kept.shown(anchors=[], seals={}), tmp_path) if "what was sealed" not in fault] == said


def cut_tail(study):
    return study.rows[:-2], study.seals


def rewritten(study):
    rows = [*study.rows[:5], replace(study.rows[5], body=canonical({**json.loads(study.rows[5].body), "tier": "0"})), *study.rows[6:]]
    return relinked(rows), study.seals


def rolled_back_and_resealed(study):
    """The backup of before the seals, and the same patients sealed again with other content."""
    again = opened_study.study(opened_study.ARTEFACT)
    again.rows = study.rows[:4]
    for number, content in (("01-0001-01", opened_study.snapshot("2.0")), ("01-0002-02", opened_study.snapshot("2.5"))):
        again.seal(number, content, 10)
    study.snapshots |= again.snapshots
    return again.rows, again.seals


def clock_set_back(study):
    """The last row says a week less than it was."""
    rows = [*study.rows[:-1], replace(study.rows[-1], at=study.rows[-1].at - 7 * DAY)]
    return relinked(rows), study.seals


def ciphertext_destroyed(study):
    """A seal and its row are gone, as if it had never been."""
    rows = relinked([*study.rows[:6], *study.rows[7:]])
    return rows, {index - (index > 6): envelope for index, envelope in study.seals.items() if index != 6}


ONLY_WITH_HEADS = {
    cut_tail: (8, "its tail was cut"),
    rewritten: (5, "holds another head: the chain was rewritten at or before this row"),
    rolled_back_and_resealed: (4, "holds another head: the chain was rewritten at or before this row"),
    clock_set_back: (9, "but an outside anchor of later time did not know it"),
    ciphertext_destroyed: (6, "holds another head: the chain was rewritten at or before this row"),
}
"""Attack → the first row that is not what left the house, and how it is named."""


def first_named(faults):
    """The first row that is named, and everything that is said of it."""
    named = [(int(fault.split()[1].rstrip(":")), fault.split(": ", 1)[1]) for fault in faults]
    first = min(row for row, _said in named)
    return first, {said for row, said in named if row == first}


@pytest.mark.parametrize("attack", ONLY_WITH_HEADS)
def test_only_heads_outside_show_it(kept, tmp_path, attack):
    """Who holds the database and its anchors makes everything fit: no fault. The same against heads that left the house: named."""
    rows, seals = attack(kept.study)
    shown = kept.shown(rows=rows, seals=seals, anchors=[])
    assert platform(shown) == []
    assert program(shown, tmp_path) == []
    received = kept.received
    if attack is clock_set_back:  # the head of before had come in time, that of the changed row is new
        received = [heads.Head(kept.study.rows[-2].head, kept.study.rows[-1].at - HOUR // 2, kept.study.rows[-2].index, opened_study.STUDY)]
    said = platform(shown, received)
    first, words = first_named(said)
    assert (first, len(words)) == (ONLY_WITH_HEADS[attack][0], 1)
    assert words.pop().endswith(ONLY_WITH_HEADS[attack][1])
    assert program(shown, tmp_path, received) == said


def test_head_of_a_hospital_names_no_row_and_is_looked_for(kept, tmp_path):
    unnumbered = [replace(head, index=None) for head in kept.received]
    assert platform(kept.study, unnumbered) == program(kept.study, tmp_path, unnumbered) == []
    rows, seals = cut_tail(kept.study)
    shown = kept.shown(rows=rows, seals=seals, anchors=[])
    said = platform(shown, unnumbered)
    assert len(said) == 2
    assert all("is that of no row" in fault for fault in said)
    assert program(shown, tmp_path, unnumbered) == said


def test_fork_between_two_kept_bundles_is_named(kept, tmp_path):
    earlier = tmp_path / "earlier.public.tar"
    earlier.write_bytes(outside.pack(opened_study.STUDY, kept.study.rows, []))
    rows, seals = rewritten(kept.study)
    said = program(kept.shown(rows=rows, seals=seals, anchors=[]), tmp_path / "new", earlier=[earlier])
    assert said == ["row 5: two bundles hold different heads: the chain was forked at or before this row"]


def test_changed_ciphertext_wrap_and_snapshot_are_named_by_the_program(kept, tmp_path):
    study = kept.study
    index = min(study.seals)
    spoilt = replace(study.seals[index], ciphertext=b"\0" + study.seals[index].ciphertext[1:])
    assert program(kept.shown(seals=study.seals | {index: spoilt}), tmp_path) == [
        f"row {index}: its ciphertext is not the one on the ledger"
    ]
    wraps = study.seals[index].wraps | {"AC": bytes(2304)}
    turned = replace(study.seals[index], wraps=wraps)
    assert program(kept.shown(seals=study.seals | {index: turned}), tmp_path) == [f"row {index}: its wraps are not those on the ledger"]
    left = {number: envelope for number, envelope in study.seals.items() if number != index}
    assert f"row {index}: no bundle holds what was sealed" in program(kept.shown(seals=left), tmp_path)


def test_gap_between_heads_is_named_by_both(kept):
    stamps = [chain.Anchor(place, bytes(32), place * 5 * DAY) for place in range(3)]
    assert list(heads.gaps(stamps, 5)) == []
    assert list(heads.gaps(stamps, 4)) == prime_verify.gap_faults([stamp.at for stamp in stamps], 4)
    assert len(list(heads.gaps(stamps, 4))) == 2


def test_program_needs_nothing_but_python(kept, tmp_path):
    """Run as a data monitoring committee would: the file alone, in isolated mode, in an empty directory."""
    alone = tmp_path / "alone"
    call_command("outside", "verifier", "--out", str(alone), stdout=io.StringIO())
    bundle, mail = tmp_path / "b.public.tar", tmp_path / "mail"
    bundle.write_bytes(outside.pack(opened_study.STUDY, kept.study.rows, kept.study.anchors))
    mail.mkdir()
    (mail / "1.json").write_bytes(outside.head_json(opened_study.STUDY, kept.study.anchors[0], numbered=False))

    def run(*arguments):
        command = [sys.executable, "-I", "prime_verify.py", *map(str, arguments)]
        return subprocess.run(command, cwd=alone, capture_output=True, text=True, env={"PYTHONIOENCODING": "utf-8"}, check=False)

    held = run(bundle, "--heads", mail, "--gap", 10**6)
    assert held.returncode == 0, held.stdout + held.stderr
    assert "一切相符" in held.stdout
    (mail / "2.json").write_bytes(outside.head_json(opened_study.STUDY, chain.Anchor(99, bytes(32), 5)))
    refused = run(bundle, "--heads", mail, "--gap", 10**6, "--json")
    assert refused.returncode == 1
    assert "its tail was cut" in json.loads(refused.stdout)["faults"][0]
    (mail / "3.json").write_bytes(b"{}")
    assert run(bundle, "--heads", mail).returncode == 2
    assert "import accounts" not in (alone / "prime_verify.py").read_text()


@pytest.fixture
def installation(db, tmp_path, settings):
    """A study of two seals whose inference process has anchored and written its bundles, and a holder's own copy of all that."""
    settings.VAR = tmp_path / "var"
    settings.VAR.mkdir()
    site = world.build()
    sealed_world.prepare(site, rules.surgery_alone())
    for center in ("01", "02"):
        sealed_world.complete(site, center)
    call_command("infer", "--once")
    shutil.copytree(outside.folder(site.study.code), tmp_path / "holder")
    return site


def as_superuser(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_each_batch_writes_heads_and_bundles_once(installation):
    site, where = installation, outside.folder(installation.study.code)
    written = {path.relative_to(where).as_posix(): stat.S_IMODE(path.stat().st_mode) for path in where.rglob("*") if path.is_file()}
    assert sorted(mode for name, mode in written.items() if "restricted" not in name) == [0o644] * 3
    assert [mode for name, mode in written.items() if "restricted" in name] == [0o600]
    assert stat.S_IMODE((where / "restricted").stat().st_mode) == 0o700
    center = json.loads(next((where / "centers").iterdir()).read_bytes())
    assert set(center) == {"v", "study", "h", "at"}
    call_command("infer", "--once")
    assert len(list(where.rglob("*.tar"))) == 2
    sealed_world.complete(site, "01")
    call_command("infer", "--once")
    bundles = [prime_verify.read_bundle(path) for path in sorted(where.rglob("*.restricted.tar"))]
    assert [len(bundle["seals"]) for bundle in bundles] == [2, 1]
    assert min(bundles[1]["records"]) == max(bundles[0]["records"]) + 1
    assert prime_verify.faults(bundles, []) == []
    assert prime_verify.faults([bundles[1]], []) == []


def test_public_bundle_tells_neither_kind_nor_patient(installation):
    data = next((outside.folder(installation.study.code) / "public").iterdir()).read_bytes()
    assert b"seal" not in data
    assert not any(seal.participant.study_number.encode() in data for seal in Seal.objects.all())


def test_rollback_of_the_database_is_found_against_the_holders_heads(installation, tmp_path, capsys):
    """A restored older database that sealed somebody again: `verify` holds, `verify --heads` does not, and the program says the same."""
    last = Seal.objects.order_by("-ledger_index").first()
    as_superuser(f"DELETE FROM predictions_seal WHERE ledger_index >= {last.ledger_index}",
                 f"DELETE FROM accounts_ledgerrow WHERE index >= {last.ledger_index}")  # fmt: skip
    shutil.rmtree(anchors.folder(installation.study.code))
    assert list(verification.ledgers()) == []
    with pytest.raises(SystemExit):
        call_command("verify", "--heads", str(tmp_path / "holder" / "heads"), "--json")
    said = json.loads(capsys.readouterr().out)["faults"]["heads"]
    assert len(said) == 1
    assert "its tail was cut" in said[0]
    outside.export(study=installation.study.code, out=tmp_path / "again")
    bundle = prime_verify.read_bundle(next((tmp_path / "again").glob("*.restricted.tar")))
    held = prime_verify.read_heads(tmp_path / "holder" / "heads")
    assert [f"ledger of {installation.study.code}: {fault}" for fault in prime_verify.faults([bundle], held)] == said


def test_missing_study_empty_folder_and_foreign_file_are_said(installation, tmp_path):
    mail = tmp_path / "mail"
    mail.mkdir()
    assert "holds no head" in verification.against(mail, 3)[0]
    (mail / "x.json").write_bytes(outside.head_json("GONE", chain.Anchor(0, bytes(32), 0)))
    assert "ledger of GONE" in verification.against(mail, 3)[0]
    (mail / "y.json").write_bytes(b"[]")
    with pytest.raises(CommandError, match="is no head"):
        call_command("verify", "--heads", str(mail))


def test_missing_seal_row_is_named(installation):
    """SL-03: the ledger knows a seal that no table holds."""
    seal = Seal.objects.order_by("ledger_index").first()
    as_superuser(f"DELETE FROM predictions_seal WHERE id = {seal.pk}")
    assert verification.faults()["seals"] == [f"seal {seal.ledger_index} of {installation.study.code}: the ledger knows it, and it is gone"]


def test_folder_of_bundles_is_not_the_webs(installation):
    assert Path(outside.folder(installation.study.code) / "restricted").stat().st_mode & 0o077 == 0
