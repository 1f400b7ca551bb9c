"""One instant, one line of identities and one commit for two worlds: what differs between them is then no matter of time or chance.

Frozen are the program's clock, the database's (`now()` and its sisters are found in a schema that stands before pg_catalog,
also by trigger functions and column defaults), the uuid4 that names rows, and the sequences of bigint keys. Nonces, keys,
wraps and tokens stay as random as they are.
"""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace

import django.core.signing
import django.http.response
import django.utils.cache
import pytest
from django.apps import apps
from django.db import connection, transaction
from django.utils import timezone

from accounts import release

INSTANT = datetime(2026, 3, 2, 1, 30, tzinfo=UTC)
CLOCKS = ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp")
FUNCTIONS = (
    "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proconfig::text LIKE '%search_path%'"
)
DEFAULTS = """
SELECT d.adrelid::regclass::text, a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE pg_get_expr(d.adbin, d.adrelid) ~ '(now|timestamp)\\(\\)'
"""
SEQUENCES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
DRAWN = (
    "SELECT quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value FROM pg_sequences WHERE last_value IS NOT NULL"
    " AND schemaname = 'public'"
)
FIRST_KEY = 1_000_000


@contextmanager
def world() -> Iterator[pytest.MonkeyPatch]:
    """A transaction of the test database in which time and identities are fixed, undone at its end."""
    with pytest.MonkeyPatch.context() as patch, transaction.atomic():
        _stop_the_defaults(patch)
        patch.setattr(timezone, "now", lambda: INSTANT)
        patch.setattr(release, "commit", lambda: "c" * 40)  # a checkout may move on during a long run
        for module in (django.utils.cache, django.http.response, django.core.signing):  # expiry of pages and cookies, signed messages
            patch.setattr(module, "time", SimpleNamespace(time=INSTANT.timestamp))
        patch.setattr(uuid, "os", SimpleNamespace(urandom=_counted()))
        _stop_the_database()
        yield patch
        transaction.set_rollback(True)


@contextmanager
def trying() -> Iterator[None]:
    """What is tried meanwhile leaves nothing: its rows are undone, and keys and identities go on as if none had been drawn."""
    with pytest.MonkeyPatch.context() as patch, transaction.atomic(), connection.cursor() as cursor:
        patch.setattr(uuid, "os", SimpleNamespace(urandom=_counted("tried")))
        cursor.execute(DRAWN)
        drawn = cursor.fetchall()
        yield
        _draw_from(drawn)
        transaction.set_rollback(True)


def _draw_from(drawn: list[tuple[str, int]]) -> None:
    with connection.cursor() as cursor:
        for sequence, last in drawn:
            cursor.execute("SELECT setval(%s, %s)", [sequence, last])


def _stop_the_defaults(patch: pytest.MonkeyPatch) -> None:
    """A column whose default is the clock has held the clock itself since its class was made."""
    for model in apps.get_models():
        for column in model._meta.local_fields:
            if column.default is timezone.now:
                patch.setitem(column.__dict__, "_get_default", lambda: INSTANT)


def _counted(kind: str = "row") -> object:
    """What uuid4 draws from: the same bytes in the same order, in every world."""
    drawn = 0

    def urandom(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.sha256(f"{kind} {drawn}".encode()).digest()[:size]

    return urandom


def _stop_the_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA stopped")
        for name in CLOCKS:
            cursor.execute(
                f"CREATE FUNCTION stopped.{name}() RETURNS timestamptz LANGUAGE sql IMMUTABLE"
                f" AS $$ SELECT '{INSTANT.isoformat()}'::timestamptz $$"
            )
        cursor.execute("SET LOCAL search_path = stopped, pg_catalog, public")
        cursor.execute(FUNCTIONS)
        for (function,) in cursor.fetchall():
            cursor.execute(f"ALTER FUNCTION {function} SET search_path = stopped, pg_catalog, public, pg_temp")
        cursor.execute(DEFAULTS)
        for table, column, _ in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" SET DEFAULT stopped.now()')
        cursor.execute(SEQUENCES)
        _draw_from([(sequence, FIRST_KEY) for (sequence,) in cursor.fetchall()])
