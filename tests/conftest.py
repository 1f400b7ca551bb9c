"""What every test stands on: the real migrated and granted database, and real second logins."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

from prime_platform.embedded import logins
from tests import cluster

WHOLE_PLATFORMS = ("tests/journeys/", "tests/prime_platform/test_up.py")
LONG = (*WHOLE_PLATFORMS, "tests/gates/test_twin_worlds.py", "tests/gates/test_addresses.py")
"""What takes longest begins first, so that the two workers end together."""


class ByFile(LoadScopeScheduling):
    """Two workers share a run by file; whatever starts a whole platform or a browser goes to one of them, one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        return "whole platforms" if nodeid.startswith(WHOLE_PLATFORMS) else nodeid.split("::", maxsplit=1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After the shuffle: the long files first."""
    items.sort(key=lambda item: next((place for place, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG)))


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> None:
    """Argon2 is slow on purpose; tests make hundreds of people."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """What a command narrowed in this process is no matter of the next test."""
    os.umask(0o022)
    yield
    os.umask(0o022)


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Have the cluster running and name this session's database before it is created."""
    cluster.urls()
    with psycopg.connect(_owner("postgres"), autocommit=True) as owner:
        known = owner.execute("select 1 from pg_database where datname = %s", (cluster.template(),)).fetchone()
    connection.settings_dict["TEST"] |= {"NAME": cluster.DATABASE, "TEMPLATE": cluster.template() if known else None}


def _owner(database: str) -> str:
    return urlsplit(cluster.urls()["owner"])._replace(path=f"/{database}").geturl()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Migrate, then grant, as every start of the platform does; let tear-down empty append-only tables."""
    with django_db_blocker.unblock():
        connection.ensure_connection()
        logins.allow_connections(connection.connection, cluster.DATABASE, like=logins.MAIN)
        call_command("grants", verbosity=0)
        if connection.settings_dict["TEST"]["TEMPLATE"] is None:
            _make_template()
        _flush_to(_keep_first_rows())


def _make_template() -> None:
    """Keep a copy of the migrated database for the sessions to come."""
    connection.close()
    with psycopg.connect(_owner("postgres"), autocommit=True) as owner, contextlib.suppress(psycopg.errors.DuplicateDatabase):
        owner.execute(f'create database "{cluster.template()}" template "{cluster.DATABASE}"')
    cluster.keep(cluster.template())


def _keep_first_rows() -> list[str]:
    """Copy the rows that migrations and grants made (the system user, the installation) to a schema of their own; the tables' names."""
    kept = []
    with connection.cursor() as cursor:
        cursor.execute("create schema first_rows")
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute(f'create table first_rows."{table}" as table "{table}"')
            cursor.execute(f'select exists (select 1 from first_rows."{table}")')
            if cursor.fetchone()[0]:
                kept.append(table)
            else:
                cursor.execute(f'drop table first_rows."{table}"')
    return kept


MUCH = 4 * 2**20
"""Bytes of a table from which truncating everything is quicker than deleting rows."""


def _flush_to(kept: list[str]) -> None:
    """Have Django's tear-down of transactional tests go back to the first rows, past the triggers that refuse it.

    Switching triggers off takes a right that only the owner of a test cluster has. Deleting the few rows of a test takes a tenth of
    the time of truncating two hundred tables.
    """
    truncate = connection.ops.execute_sql_flush

    def flush_as_replica(sql_list: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set session_replication_role = replica")
            try:
                sizes = _sizes(cursor)
                if max(sizes.values(), default=0) > MUCH:
                    truncate(sql_list)
                else:
                    cursor.execute(";".join(f'delete from "{table}"' for table in sizes))
                for table in kept:
                    cursor.execute(f'insert into "{table}" select * from first_rows."{table}"')
            finally:
                cursor.execute("set session_replication_role = origin")

    connection.ops.execute_sql_flush = flush_as_replica  # type: ignore[method-assign]


def _sizes(cursor: Any) -> dict[str, int]:
    """The tables that have ever held a row since they were last truncated, with their bytes."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    cursor.execute(
        "select relname, pg_relation_size(oid) from pg_class"
        " where relnamespace = 'public'::regnamespace and relname = any(%s) and pg_relation_size(oid) > 0",
        [names],
    )
    return dict(cursor.fetchall())


@pytest.fixture
def login_connection(django_db_setup: None) -> Iterator[Callable[[str], psycopg.Connection[Any]]]:
    """Open real connections to the test database: login_connection("web") signs in as prime_web (owner, web, worker, infer).

    They commit at once and see committed rows only, so a test that writes first needs `django_db(transaction=True)`.
    """
    opened: list[psycopg.Connection[Any]] = []

    def sign_in(role: str) -> psycopg.Connection[Any]:
        parts = urlsplit(cluster.urls()[role])
        url = parts._replace(path=f"/{cluster.DATABASE}").geturl()
        opened.append(psycopg.connect(url, autocommit=True, connect_timeout=10))
        return opened[-1]

    yield sign_in
    for each in opened:
        each.close()
