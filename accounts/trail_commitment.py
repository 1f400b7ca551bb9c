"""The commitment to the trail: rows and hash of every audit table, entered on the ledger each day (docs/blinding.md §5, AU-02).

A superuser with `session_replication_role = replica` fires no trigger: he can change a value and remove the audit row that told of it.
What he cannot change is a head that left the house after the rows were committed here. Each record covers all rows up to a last key,
so that a later one never contradicts an earlier one; keys are handed out before their rows are visible, so the last key is taken once
every transaction that could still fill a gap below it has ended.
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from django.apps import apps
from django.db import connection, transaction
from pghistory.models import Event

from accounts import chain, ledger
from accounts.models import AccessRecord

KIND = "audit_head"
PATIENCE = 30.0  # seconds until the transactions of before have ended
PINNED = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'"
COLUMNS = """
SELECT attname, attnum FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND attnum <= %s AND NOT attisdropped ORDER BY attnum
"""
EVERY = 32767  # more columns than a table can have


class StillWriting(Exception):
    """A transaction of before is still open: its audit rows cannot be committed to yet; ask again later."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What a record says of one table: `rows` rows up to the key `last`, in the `columns` columns up to the number `until`."""

    columns: int
    until: int
    last: int
    rows: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        return cls(*(value[name] for name in ("columns", "until", "last", "rows", "sha256")))


def tables() -> dict[str, str]:
    """Every table of the trail with its key: the histories of all models, and what was read, exported or refused."""
    histories = {model._meta.db_table: "pgh_id" for model in apps.get_models() if issubclass(model, Event) and model._meta.managed}
    return histories | {AccessRecord._meta.db_table: "id"}


def last_at(study: str) -> int | None:
    """The time (microseconds) of the newest commitment on a study's ledger, or None."""
    return max((row.at for row in ledger.rows_of_kind(study, KIND)), default=None)


def commit(*, study: str, at: datetime | None = None) -> ledger.Appended:
    """Enter the state of the trail on a study's ledger: the tables that this login may read. Raises StillWriting."""
    until = _settled(_readable())
    found = {table: _committed(table, last) for table, last in until.items()}
    body = {"v": 1, "rows": sum(each.rows for each in found.values()), "tables": {name: each.as_json() for name, each in found.items()}}
    return ledger.append(study=study, kind=KIND, body=body, at=at)


def verify() -> Iterator[str]:
    """One sentence for each table of which a ledger says something else; the first record that does not hold is named."""
    said: dict[str, list[tuple[Committed, str]]] = defaultdict(list)
    for study in ledger.studies():
        for row in ledger.rows_of_kind(study, KIND):
            where = f"row {row.index} of {study} ({chain.instant(row.at):%Y-%m-%d})"
            for table, value in json.loads(row.body)["tables"].items():
                said[table].append((Committed.from_json(value), where))
    for table, commitments in sorted(said.items()):
        fault = _first_fault(table, commitments)
        if fault:
            yield f"{table}: {fault}"


def _first_fault(table: str, commitments: list[tuple[Committed, str]]) -> str:
    if table not in tables():
        return f"the trail that {commitments[0][1]} speaks of is gone"
    ordered = sorted(commitments, key=lambda pair: pair[0].last)
    before = 0
    for shape in {(each.columns, each.until) for each, _ in ordered}:
        wanted = [(each, where) for each, where in ordered if (each.columns, each.until) == shape]
        for (each, where), found in zip(wanted, _digests(table, shape[1], [one.last for one, _ in wanted]), strict=True):
            if found is None or found.columns != each.columns:
                return f"a column was removed since {where}: its rows cannot be held against it"
            if found.rows != each.rows:
                return (
                    f"{where} committed {each.rows} rows up to number {each.last}, {found.rows} are here; between {before} and {each.last}"
                )
            if found.sha256 != each.sha256:
                return f"a row after number {before}, up to {each.last}, is not the one that {where} committed"
            before = each.last
    return ""


def _readable() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM unnest(%s::text[]) AS name WHERE has_table_privilege(name, 'SELECT')", [sorted(tables())])
        return {name: tables()[name] for (name,) in cursor.fetchall()}


def _settled(keys: dict[str, str]) -> dict[str, int]:
    """The last key of each table below which no row can appear any more."""
    with connection.cursor() as cursor:
        last = {}
        for table, key in keys.items():
            cursor.execute(f'SELECT coalesce(max({key}), 0) FROM "{table}"')  # noqa: S608 - names of our own models
            (last[table],) = cursor.fetchone()
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        (next_one,) = cursor.fetchone()
        deadline = time.monotonic() + PATIENCE
        while True:
            cursor.execute("SELECT count(*) FROM pg_snapshot_xip(pg_current_snapshot()) AS open WHERE open < %s::xid8", [next_one])
            if cursor.fetchone() == (0,):
                return last
            if time.monotonic() > deadline:
                raise StillWriting
            time.sleep(0.2)


def _committed(table: str, last: int) -> Committed:
    found = _digests(table, EVERY, [last])[0]
    if found is None:
        raise LookupError(f"{table} has no column")
    return found


def _digests(table: str, until: int, lasts: list[int]) -> list[Committed | None]:
    """What a table holds up to each of some keys (in order), in its columns up to the number `until`; None where it has none."""
    key = tables()[table]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(PINNED)
        cursor.execute(COLUMNS, [table, until])
        named = cursor.fetchall()
        if not named:
            return [None] * len(lasts)
        listed = ", ".join(f'"{name}"' for name, _ in named)
        asked = f'DECLARE trail NO SCROLL CURSOR FOR SELECT {key}, ROW({listed})::text FROM "{table}" WHERE {key} <= %s ORDER BY {key}'  # noqa: S608
        cursor.execute(asked, [max(lasts)])
        found = _running(_fetched(cursor), lasts)
        cursor.execute("CLOSE trail")
    return [Committed(len(named), named[-1][1], last, rows, sha256) for last, (rows, sha256) in zip(lasts, found, strict=True)]


def _running(rows: Iterator[tuple[int, str]], lasts: list[int]) -> list[tuple[int, str]]:
    """Number and hash of the rows up to each of some keys, in one pass: H over u64 length ‖ text of every row."""
    hashed, count, found = hashlib.sha256(), 0, []
    waiting = next(rows, None)
    for last in lasts:
        while waiting is not None and waiting[0] <= last:
            text = waiting[1].encode()
            hashed.update(len(text).to_bytes(8, "big") + text)
            count, waiting = count + 1, next(rows, None)
        found.append((count, hashed.hexdigest()))
    return found


def _fetched(cursor: Any) -> Iterator[tuple[int, str]]:
    while True:
        cursor.execute("FETCH 2000 FROM trail")
        rows = cursor.fetchall()
        if not rows:
            return
        yield from rows
