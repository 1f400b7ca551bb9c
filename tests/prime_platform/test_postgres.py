"""The embedded cluster: what survives, what is refused, what stays out of its log (RL-04, SE-07, SE-09)."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from prime_platform.embedded import logins, postgres
from prime_platform.embedded.postgres import Cluster, NotServing

UID = 64100 if os.geteuid() == 0 else None


@pytest.fixture
def base() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="prime-pg-test-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@contextmanager
def served(cluster: Cluster) -> Iterator[None]:
    with postgres.held(cluster):
        postgres.prepare(cluster)
        server = postgres.start(cluster)
        try:
            yield
        finally:
            postgres.stop(server)


def test_restart_keeps_data_and_passwords_and_runs_durably(base: Path) -> None:
    """RL-04: fsync, full_page_writes and synchronous_commit are on, and no login can be told otherwise by a file."""
    cluster = Cluster(base / "pg", UID)
    with served(cluster):
        first = logins.ensure(cluster, base / "secrets")
        with psycopg.connect(first["owner"]) as owner:
            owner.execute("create table kept as select 7 as n")
            assert postgres.durability_faults(owner) == []
            assert owner.execute("show data_checksums").fetchone() == ("on",)
            assert owner.execute("show listen_addresses").fetchone() == ("",)
    with served(cluster):
        assert logins.ensure(cluster, base / "secrets") == first
        with psycopg.connect(first["owner"]) as owner:
            assert owner.execute("select n from kept").fetchall() == [(7,)]


def test_nobody_signs_in_without_the_password(base: Path) -> None:
    """SE-09: the socket is open to everybody, the cluster is not."""
    cluster = Cluster(base / "pg", UID, durable=False)
    with served(cluster):
        url = urlsplit(logins.ensure(cluster, base / "secrets")["web"])
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url._replace(netloc=url.netloc.replace(url.password or "", "guess")).geturl(), connect_timeout=10)
        assert {file.stat().st_mode & 0o777 for file in (base / "secrets").iterdir()} == {0o600}


def test_values_of_a_failed_statement_stay_out_of_the_log(base: Path) -> None:
    """SE-07: neither the statement, nor its parameters, nor the row of a violated constraint."""
    cluster = Cluster(base / "pg", UID, durable=False)
    with served(cluster):
        urls = logins.ensure(cluster, base / "secrets")
        with psycopg.connect(urls["owner"], autocommit=True) as owner:
            owner.execute("create table people (name text unique)")
            owner.execute("insert into people values (%s)", ("Zhang San",))
            with pytest.raises(psycopg.errors.UniqueViolation):
                owner.execute("insert into people values (%s)", ("Zhang San",))
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                owner.execute("select 'Zhang San'::int")
    assert "Zhang" not in cluster.log.read_text()


def test_path_too_long_for_a_socket_falls_back_to_a_recorded_short_one(base: Path) -> None:
    deep = base / ("d" * 60) / ("e" * 60)
    deep.mkdir(parents=True)
    for each in (deep, deep.parent):
        each.chmod(0o711)
    cluster = Cluster(deep / "pg", UID, durable=False)
    with served(cluster):
        urls = logins.ensure(cluster, base / "secrets")
        with psycopg.connect(urls["worker"]) as worker:
            assert worker.execute("select current_user").fetchone() == ("prime_worker",)
        directory = postgres.socket_directory(cluster)
        assert directory.parent == Path("/tmp")
        assert postgres.socket_directory(cluster) == directory
    shutil.rmtree(directory)
    assert postgres.socket_directory(cluster) != directory
    shutil.rmtree(postgres.socket_directory(cluster))


def test_lock_file_of_a_dead_server_that_names_a_living_process_is_no_obstacle(base: Path) -> None:
    """After a restart of the machine the number in postmaster.pid belongs to something else."""
    cluster = Cluster(base / "pg", UID, durable=False)
    with served(cluster):
        pass
    (cluster.data / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster.data}\n")
    cluster.give(cluster.data / "postmaster.pid")
    with served(cluster), postgres.superuser(cluster) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_second_launcher_is_refused(base: Path) -> None:
    cluster = Cluster(base / "pg", UID)
    with postgres.held(cluster), pytest.raises(NotServing, match="already being served"), postgres.held(cluster):
        pass


def test_half_made_data_directory_is_made_anew(base: Path) -> None:
    """A kill in the middle of initdb leaves nothing that the next start would take for a cluster."""
    cluster = Cluster(base / "pg", UID, durable=False)
    (cluster.base / "data.new").mkdir(parents=True)
    (cluster.base / "data.new" / "PG_VERSION").write_text("18\n")
    with served(cluster), postgres.superuser(cluster) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root could start it as root")
def test_root_is_not_a_user_for_postgres(base: Path) -> None:
    with pytest.raises(NotServing, match="refuses to run as root"):
        postgres.prepare(Cluster(base / "pg", None))
