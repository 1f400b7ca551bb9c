"""What a set-up wrote into the empty test database, kept as rows and written again without running it a second time.

No rule is skipped over: what a set-up writes was checked when it was first written, in this session, by the write functions and the
triggers themselves. Tables are copied with triggers off, which takes a right that
only the owner of a test cluster has.
"""

import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connection
from django.utils import timezone

from studies.models import Study

COLUMNS = """SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"""
FIRST = "SELECT count(*) FROM pg_class WHERE relnamespace = 'first_rows'::regnamespace AND relname = %s"


@dataclass(frozen=True)
class Rows:
    """The rows of one table in PostgreSQL's text format of COPY."""

    table: str
    columns: str
    text: bytes


T = TypeVar("T")
_kept: dict[Hashable, tuple[list[Rows], Any]] = {}


def once(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` gives, with its rows in the database: those of the session's first call with this `key`, where there is no study yet.

    `make` writes nothing but rows, and draws nothing that a second call would have to draw anew.
    """
    if Study.objects.exists():
        return make()
    key = (key, timezone.localdate())
    if key in _kept:
        rows, made = _kept[key]
        _write(rows)
        return copy.deepcopy(made)
    made = make()
    _kept[key] = _read(), copy.deepcopy(made)
    return made


def _read() -> list[Rows]:
    """The rows of every table beyond those that migrations and grants made."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute(COLUMNS, [table])
            (columns,) = cursor.fetchone()
            cursor.execute(FIRST, [table])
            beyond = f" EXCEPT SELECT {columns} FROM first_rows.{table}" if cursor.fetchone() != (0,) else ""
            with cursor.copy(f"COPY (SELECT {columns} FROM {table}{beyond}) TO STDOUT") as copy:
                text = b"".join(bytes(part) for part in copy)
            if text:
                found.append(Rows(table, columns, text))
    return found


def _write(rows: list[Rows]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for each in rows:
            with cursor.copy(f"COPY {each.table} ({each.columns}) FROM STDIN") as copy:
                copy.write(each.text)
        cursor.execute("SET session_replication_role = origin")
