"""The embedded cluster and its logins, on a real server (SE-09, RL-04)."""

from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from accounts.models import Installation, LedgerWriter, User
from tests import cluster


@pytest.mark.django_db
def test_test_database_is_a_real_postgresql_18() -> None:
    with connection.cursor() as cursor:
        cursor.execute("show server_version_num")
        assert int(cursor.fetchone()[0]) >= 180000


def test_each_login_enters_its_own_database_only(django_db_setup: None) -> None:
    """SE-09: the web process cannot open the broker's database, the broker not the main one."""
    urls = cluster.urls()
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(urlsplit(urls["web"])._replace(path="/broker").geturl(), connect_timeout=10)
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(urlsplit(urls["broker"])._replace(path="/prime").geturl(), connect_timeout=10)


def test_logins_are_no_superusers_and_own_nothing_of_the_cluster(login_connection) -> None:
    """SE-09: least privilege."""
    for role in ("web", "worker", "infer"):
        row = (
            login_connection(role)
            .execute("select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls from pg_roles where rolname = current_user")
            .fetchone()
        )
        assert row == (False,) * 5


@pytest.mark.django_db(transaction=True)
def test_a_second_login_sees_what_was_committed(login_connection) -> None:
    """The fixture other walls are tested with: rows written by the owner, read by somebody else's own connection."""
    with connection.cursor() as cursor:
        cursor.execute("create table if not exists seen (n int)")
        cursor.execute("grant select on seen to prime_worker")
        cursor.execute("insert into seen values (7)")
    assert login_connection("worker").execute("select n from seen").fetchall() == [(7,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        login_connection("web").execute("select n from seen")
    with connection.cursor() as cursor:
        cursor.execute("drop table seen")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("time", ["first", "second"])
def test_first_rows_are_there_again_after_a_flush(time: str) -> None:
    """Whichever of the two runs second runs after a flush: the platform's own user and the installation must be back."""
    assert Installation.objects.count() == 1
    assert User.objects.system().username == "system"
    LedgerWriter.objects.all().delete()
