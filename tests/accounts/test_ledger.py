"""The ledger's door: who may append what, one line whatever happens, every flipped byte named (SL-03)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction
from psycopg import errors

from accounts import ledger
from accounts.models import LedgerRow

START = datetime(2026, 1, 1, tzinfo=UTC)


def genesis(study: str = "S", *, synthetic: bool = False) -> ledger.Appended:
    return ledger.append(study=study, kind="genesis", body={"study": study, "synthetic": synthetic}, at=START if synthetic else None)


@pytest.mark.django_db
def test_appended_rows_verify():
    genesis()
    for n in range(3):
        ledger.append(study="S", kind="plan", body={"n": n})
    assert [row.index for row in ledger.rows("S")] == [0, 1, 2, 3]
    assert ledger.verify("S") == []


@pytest.mark.django_db
@pytest.mark.parametrize("column", ["body", "nonce", "commitment", "h"])
@pytest.mark.parametrize("index", [0, 1, 2])
def test_verify_names_one_flipped_byte(column, index):
    """A superuser's edit, with triggers off, in any column of any row."""
    genesis()
    ledger.append(study="S", kind="plan", body={"n": 1})
    ledger.append(study="S", kind="lock", body={"n": 2})
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            f"UPDATE accounts_ledgerrow SET {column} = set_byte({column}, 5, get_byte({column}, 5) # 1) WHERE index = %s", [index]
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    faults = ledger.verify("S")
    assert faults
    assert any(f"row {index}" in fault for fault in faults)


@pytest.mark.django_db
def test_chain_starts_with_its_genesis():
    with pytest.raises(DatabaseError, match="first record is the genesis"), transaction.atomic():
        ledger.append(study="S", kind="plan", body={})
    genesis()
    with pytest.raises(DatabaseError), transaction.atomic():
        genesis()


@pytest.mark.django_db
def test_time_may_be_given_to_a_synthetic_chain_only():
    """formats c: its clock moves on and never back; another chain refuses any time."""
    genesis("DEMO", synthetic=True)
    ledger.append(study="DEMO", kind="plan", body={}, at=START + timedelta(days=30))
    with pytest.raises(DatabaseError, match="never runs backwards"), transaction.atomic():
        ledger.append(study="DEMO", kind="plan", body={}, at=START + timedelta(days=29))
    genesis("REAL")
    with pytest.raises(DatabaseError, match="SYNTHETIC"), transaction.atomic():
        ledger.append(study="REAL", kind="plan", body={}, at=START)
    assert ledger.verify("DEMO") == []


@pytest.mark.django_db
def test_genesis_cannot_smuggle_a_time_in():
    with pytest.raises(DatabaseError, match="SYNTHETIC"), transaction.atomic():
        ledger.append(study="REAL", kind="genesis", body={"synthetic": False}, at=START)


APPEND = "SELECT new_index FROM ledger_append('S', %s, '{}'::bytea, sha256('x'), %s)"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("login", sorted(ledger.WRITERS))
def test_login_appends_its_own_kinds_and_no_other(login_connection, login):
    genesis()
    site = login_connection(login.removeprefix("prime_"))
    for kind in ("genesis", "opening", "restore", "seal", "cut", "anchor", "window_closed"):
        if kind in ledger.WRITERS[login]:
            assert site.execute(APPEND, [kind, None]).fetchone()[0] > 0
        else:
            with pytest.raises(errors.InsufficientPrivilege, match="may not append"):
                site.execute(APPEND, [kind, None])


@pytest.mark.django_db(transaction=True)
def test_fifty_writers_make_one_line():
    """SL-03: concurrent appends stand in one gapless chain."""
    genesis()

    def write(n: int) -> None:
        try:
            with transaction.atomic():
                ledger.append(study="S", kind="plan", body={"n": n})
                if n % 5 == 0:
                    transaction.set_rollback(True)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(write, range(50)))
    assert [row.index for row in LedgerRow.objects.order_by("index")] == list(range(41))
    assert ledger.verify("S") == []
