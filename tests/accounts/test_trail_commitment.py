"""What a superuser with the triggers off cannot do unseen: change a value, remove its audit row, write a row past the trail (AU-02)."""

import json
import shutil
from datetime import timedelta

import pytest
from django.db import connection

from accounts import anchors, ledger, rebuilding, trail_commitment
from accounts.models import AccessRecord, User
from predictions import outside
from prime_platform import tasks, verification
from studies import setup
from studies.models import Screening
from tests import world

pytestmark = pytest.mark.django_db
EVENTS = "studies_screeningevent"


@pytest.fixture
def line():
    """A screened patient, and the trail committed after that."""
    site = world.build()
    found = world.screened(site)
    trail_commitment.commit(study=site.study.code, at=site.study.ledger_time())
    return found


def as_superuser(*statements):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def found():
    return {"trail": list(trail_commitment.verify()), "tables": list(rebuilding.verify())}


def test_untouched_trail_holds(line):
    assert found() == {"trail": [], "tables": []}


def test_edited_surgery_date_whose_audit_row_is_removed_is_named(line):
    """Both halves: the date is not what the trail says, and the trail is not what was committed."""
    as_superuser(
        f"UPDATE studies_screening SET surgery_date = surgery_date - 5 WHERE id = {line.pk}",
        f"DELETE FROM {EVENTS} WHERE pgh_obj_id = {line.pk}",
    )
    said = found()
    assert said["tables"] == [f"studies_screening {line.pk}: it is there, and its trail does not know it"]
    assert len(said["trail"]) == 1
    assert said["trail"][0].startswith(f"{EVENTS}: row ")
    assert verification.faults()["trail"] == said["trail"]


def test_edit_alone_is_named_by_its_column_and_never_by_its_value(line):
    as_superuser(f"UPDATE studies_screening SET surgery_date = surgery_date - 5 WHERE id = {line.pk}")
    assert found() == {"trail": [], "tables": [f"studies_screening {line.pk}: surgery_date: not what its trail says"]}


def test_edit_of_value_and_audit_row_together_is_named_by_the_commitment(line):
    as_superuser(
        f"UPDATE studies_screening SET surgery_date = surgery_date - 5 WHERE id = {line.pk}",
        f"UPDATE {EVENTS} SET surgery_date = surgery_date - 5 WHERE pgh_obj_id = {line.pk}",
    )
    said = found()
    assert said["tables"] == []
    assert [fault.split(":")[0] for fault in said["trail"]] == [EVENTS]
    assert "is not the one that row" in said["trail"][0]


def test_edit_whose_commitment_is_written_anew_is_named_by_a_head_that_left_the_house(line, tmp_path, settings):
    """Value, audit row, committing row and the platform's own anchors all made to fit: nothing inside shows it, an outside head does."""
    settings.VAR = tmp_path
    study = line.center.study
    anchors.write(study=study.code, at=study.now())
    newest, mail = anchors.read(study.code)[-1], tmp_path / "mail"
    mail.mkdir()
    (mail / "1.json").write_bytes(outside.head_json(study.code, newest))
    assert verification.against(mail, 3) == []
    as_superuser(
        f"UPDATE studies_screening SET surgery_date = surgery_date - 5 WHERE id = {line.pk}",
        f"UPDATE {EVENTS} SET surgery_date = surgery_date - 5 WHERE pgh_obj_id = {line.pk}",
        f"DELETE FROM accounts_ledgerrow WHERE index = {newest.index}",
        f"SELECT studies_progress_refresh(ARRAY[{line.pk}]::bigint[])",
    )
    trail_commitment.commit(study=study.code, at=study.ledger_time())
    shutil.rmtree(anchors.folder(study.code))
    assert not any(verification.faults().values())
    said = verification.against(mail, 3)
    assert len(said) == 1
    assert f"row {newest.index}: " in said[0]
    assert "the chain was rewritten at or before this row" in said[0]


def test_removed_row_and_forged_audit_row_are_named(line):
    as_superuser("DELETE FROM studies_progress", f"DELETE FROM studies_screening WHERE id = {line.pk}")
    assert found()["tables"] == [f"studies_screening {line.pk}: its trail knows it, and it is gone"]
    as_superuser(f"UPDATE {EVENTS} SET pgh_label = 'delete' WHERE pgh_obj_id = {line.pk}")
    said = found()
    assert said["tables"] == []
    assert said["trail"]


def test_removed_access_record_is_named(line):
    AccessRecord.objects.create(kind="read", username="x", subject="y")
    study = line.center.study
    trail_commitment.commit(study=study.code, at=study.ledger_time())
    as_superuser("DELETE FROM accounts_accessrecord WHERE username = 'x'")
    assert [fault.split(":")[0] for fault in trail_commitment.verify()] == ["accounts_accessrecord"]


def test_later_commitments_leave_earlier_ones_true_and_new_columns_are_not_counted_back(line):
    """A migration that adds a column changes nothing that was committed; one that removes a column is named."""
    world_line = Screening.objects.get(pk=line.pk)
    trail_commitment.commit(study=world_line.center.study.code, at=world_line.center.study.ledger_time())
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {EVENTS} ADD COLUMN added text NOT NULL DEFAULT 'new'")
    assert found()["trail"] == []
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {EVENTS} DROP COLUMN surgery_date")
    assert "a column was removed" in next(trail_commitment.verify())


def test_body_holds_counts_and_hashes_only(line):
    row = ledger.rows_of_kind(line.center.study.code, "audit_head")[-1]
    said = json.loads(row.body)
    assert said["tables"][EVENTS]["rows"] == 1
    assert said["rows"] == sum(each["rows"] for each in said["tables"].values())
    assert {type(value) for each in said["tables"].values() for name, value in each.items() if name != "sha256"} == {int}


def test_sweep_commits_once_a_day():
    study = world.build().study
    tasks.sweep_trail()
    tasks.sweep_trail()
    assert len(ledger.rows_of_kind(study.code, "audit_head")) == 1
    setup.advance_clock(study=study, days=1, by=User.objects.system())
    tasks.sweep_trail()
    assert len(ledger.rows_of_kind(study.code, "audit_head")) == 2


@pytest.mark.django_db(transaction=True)
def test_open_transaction_delays_the_commitment(login_connection, monkeypatch):
    """A key below the last may still be filled by a transaction that has not ended."""
    monkeypatch.setattr(trail_commitment, "PATIENCE", 0.0)
    ledger.append(study="S", kind="genesis", body={"study": "S", "synthetic": False})
    writer = login_connection("web")
    with writer.transaction():
        writer.execute("INSERT INTO accounts_accessrecord (kind, username, subject, detail) VALUES ('read', '', '', '{}')")
        AccessRecord.objects.create(kind="read")
        with pytest.raises(trail_commitment.StillWriting):
            trail_commitment.commit(study="S")
    assert trail_commitment.commit(study="S").index == 1
    assert list(trail_commitment.verify()) == []


@pytest.mark.django_db(transaction=True)
def test_worker_may_commit_and_reads_no_trail_of_the_sealed_room(login_connection):
    worker = login_connection("worker")
    asked = "SELECT has_table_privilege(%s, 'SELECT')"
    readable = {table for table in trail_commitment.tables() if worker.execute(asked, [table]).fetchone()[0]}
    assert {EVENTS, "accounts_accessrecord"} <= readable
    assert not {table for table in readable if table.startswith(("predictions", "analysis"))}
    assert timedelta(hours=23) == tasks.COMMIT_EVERY
