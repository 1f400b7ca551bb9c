"""What `manage.py verify` finds with anchors at hand: also what a chain alone cannot show (SL-04)."""

import shutil

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts import anchors, ledger
from prime_platform import verification


@pytest.fixture
def chain(db, tmp_path, settings):
    """Five rows, anchored at the last."""
    settings.VAR = tmp_path
    ledger.append(study="S", kind="genesis", body={"study": "S", "synthetic": False})
    for number in range(4):
        ledger.append(study="S", kind="plan", body={"n": number})
    anchors.write(study="S", at=timezone.now())


def as_superuser(statement):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


def found():
    return list(verification.ledgers())


def test_anchored_chain_holds(chain):
    assert found() == []


def test_cut_tail_is_named_with_an_anchor_and_unseen_without(chain, tmp_path):
    as_superuser("DELETE FROM accounts_ledgerrow WHERE index = 4")
    assert any("4" in fault for fault in found())
    shutil.rmtree(tmp_path / "anchors")
    assert found() == []


def test_vanished_chain_is_named(chain):
    as_superuser("DELETE FROM accounts_ledgerrow")
    assert found()


def test_damaged_anchor_is_named(chain, tmp_path):
    [file] = (tmp_path / "anchors" / "S").iterdir()
    file.write_bytes(b"{}")
    assert found()[0].startswith("anchors of S")


def test_command_ends_with_one_when_a_byte_is_not_what_it_was(chain, capsys):
    call_command("verify")
    as_superuser("UPDATE accounts_ledgerrow SET body = set_byte(body, 2, 88) WHERE index = 2")
    with pytest.raises(SystemExit) as ended:
        call_command("verify", "--json")
    assert ended.value.code == 1
    assert "row 2" in capsys.readouterr().out
