"""What every test stands on: the real migrated and granted database, and real second logins."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command, get_commands
from django.db import connection

from prime_platform.embedded import logins
from tests import cluster


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Have the cluster running and name this session's database before it is created."""
    cluster.urls()
    settings.DATABASES["default"]["TEST"]["NAME"] = cluster.DATABASE
    connection.settings_dict["TEST"]["NAME"] = cluster.DATABASE


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Migrate, then grant, as every start of the platform does; let tear-down empty append-only tables."""
    with django_db_blocker.unblock():
        connection.ensure_connection()
        logins.allow_connections(connection.connection, cluster.DATABASE, like=logins.MAIN)
        if "grants" in get_commands():
            call_command("grants")
    _flush_without_triggers()


def _flush_without_triggers() -> None:
    """Let only the TRUNCATE of Django's own tear-down pass the triggers that refuse it (a right of the test cluster's owner)."""
    flush = connection.ops.execute_sql_flush

    def flush_as_replica(sql_list: list[str]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("set session_replication_role = replica")
            try:
                flush(sql_list)
            finally:
                cursor.execute("set session_replication_role = origin")

    connection.ops.execute_sql_flush = flush_as_replica  # type: ignore[method-assign]


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
