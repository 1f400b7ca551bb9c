"""`docker/make-secrets` and `docker/logins.sh`, run on a cluster of their own by somebody who is no superuser (SE-09)."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest

from prime_platform.embedded import logins, postgres
from prime_platform.embedded.postgres import Cluster

DOCKER = Path(__file__).resolve().parents[2] / "docker"
UID = 64100 if os.geteuid() == 0 else None
SITE = {name: login for name, (login, database) in logins.LOGINS.items() if database == logins.MAIN}
ADMIN = "create role admin login createrole createdb password 'of the managed cluster'"


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A copy of docker/ with its secrets made."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    made = Path(tempfile.mkdtemp(prefix="prime-docker-test-"))
    made.chmod(0o711)
    for name in ("make-secrets", "logins.sh"):
        shutil.copy(DOCKER / name, made)
    (made / ".env").write_text("PRIME_HOST=prime.example\n")
    subprocess.run(["./make-secrets"], cwd=made, check=True, capture_output=True)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def urls(directory: Path) -> Iterator[dict[str, str]]:
    """The addresses that `logins.sh` has made good, with the test's cluster as their host."""
    cluster = Cluster(directory / "pg", UID, durable=False)
    with postgres.held(cluster):
        postgres.prepare(cluster)
        server = postgres.start(cluster)
        try:
            with postgres.superuser(cluster) as connection:
                connection.execute(ADMIN)
            host = str(postgres.socket_directory(cluster))
            environment = {
                "PATH": f"{postgres._binaries()}:{os.environ['PATH']}",
                "PGHOST": host, "PGUSER": "admin", "PGPASSWORD": "of the managed cluster", "SECRETS": str(directory / "secrets"),
            }  # fmt: skip
            subprocess.run(["sh", directory / "logins.sh"], env=environment, check=True, capture_output=True)
            made = {name: (directory / "secrets" / f"{name}.url").read_text() for name in SITE}
            yield {name: url.replace("@postgres:", f"@{quote(host, safe='')}:") for name, url in made.items()}
        finally:
            postgres.stop(server)


def test_secrets_are_kept_when_made_again_and_closed_to_others(directory):
    before = {path.name: path.read_bytes() for path in (directory / "secrets").iterdir()}
    subprocess.run(["./make-secrets"], cwd=directory, check=True, capture_output=True)
    assert before == {path.name: path.read_bytes() for path in (directory / "secrets").iterdir()}
    assert (directory / "secrets").stat().st_mode & 0o777 == 0o700
    assert {urlsplit(before[f"{name}.url"].decode()).username for name in SITE} == set(SITE.values())
    assert len({urlsplit(before[f"{name}.url"].decode()).password for name in SITE}) == len(SITE)


def test_owner_owns_the_database_and_the_others_own_and_see_nothing(urls):
    with psycopg.connect(urls["owner"]) as owner:
        owner.execute("create table clinical (n int)")
    for name in SITE.keys() - {"owner"}:
        with psycopg.connect(urls[name]) as login:
            assert login.execute("select current_database()").fetchone() == ("prime",)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                login.execute("select * from clinical")


def test_no_login_has_a_right_of_the_whole_cluster_or_a_member(urls):
    with psycopg.connect(urls["owner"]) as owner:
        rights = "rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls"
        assert owner.execute(f"select count(*) from pg_roles where rolname like 'prime%%' and ({rights})").fetchone() == (0,)
        members = "select count(*) from pg_auth_members where roleid = 'prime_owner'::regrole and (inherit_option or set_option)"
        assert owner.execute(members).fetchone() == (0,)
