"""Who may sign in to which database: one login per kind of process, each with its own random password (SE-09).

The owner migrates and grants; web, worker and infer own nothing; the broker has a database of its own. What each may do inside the
main database is decided by `manage.py grants`; here it is only decided who may connect.
"""

import contextlib
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from psycopg import Connection, sql

from prime_platform.embedded.postgres import PORT, Cluster, socket_directory, superuser, write_private

MAIN, BROKER = "prime", "broker"
LOGINS = {
    "owner": ("prime_owner", MAIN),
    "web": ("prime_web", MAIN),
    "worker": ("prime_worker", MAIN),
    "infer": ("prime_infer", MAIN),
    "broker": ("prime_broker", BROKER),
}
OWNERS = {MAIN: "prime_owner", BROKER: "prime_broker"}


def write_urls(cluster: Cluster, directory: Path) -> dict[str, str]:
    """Write one URL file per login (0600) and return {short name: URL}; passwords already there are kept."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    host = quote(str(socket_directory(cluster)), safe="")
    urls = {}
    for name, (login, database) in LOGINS.items():
        file = directory / f"{name}.url"
        url = f"postgresql://{login}:{_password(file)}@{host}:{PORT}/{database}"
        if not file.exists() or file.read_text() != url:
            write_private(file, url)
        urls[name] = url
    return urls


def read_urls(directory: Path) -> dict[str, str]:
    """{short name: URL} of the logins whose files are in `directory`."""
    return {name: (directory / f"{name}.url").read_text().strip() for name in LOGINS}


def _password(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        if kept := urlsplit(file.read_text().strip()).password:
            return kept
    return secrets.token_urlsafe(24)


def ensure(cluster: Cluster, directory: Path, *, for_tests: bool = False) -> dict[str, str]:
    """Make the databases and logins of a running cluster as the URL files say; safe to repeat.

    `for_tests` lets the owner create test databases and switch triggers off in tear-down, and nobody else.
    """
    urls = write_urls(cluster, directory)
    with superuser(cluster) as connection:
        for name, (login, _) in LOGINS.items():
            _login(connection, login, urlsplit(urls[name]).password or "")
        for database, owner in OWNERS.items():
            if not connection.execute("select 1 from pg_database where datname = %s", (database,)).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(database), sql.Identifier(owner)))
        for database in (MAIN, BROKER, "postgres", "template1"):
            allow_connections(connection, database)
        if for_tests:
            connection.execute("alter role prime_owner createdb")
            connection.execute("grant connect on database postgres to prime_owner")
            connection.execute("grant set on parameter session_replication_role to prime_owner")
    return urls


def _login(connection: Connection[Any], login: str, password: str) -> None:
    """Make the login, or set it back to what it should be; the server sees the scram verifier only."""
    verifier = connection.pgconn.encrypt_password(password.encode(), login.encode(), b"scram-sha-256").decode()
    known = connection.execute("select 1 from pg_roles where rolname = %s", (login,)).fetchone()
    verb = sql.SQL("alter role" if known else "create role")
    rights = sql.SQL("login nosuperuser nocreatedb nocreaterole noreplication nobypassrls")
    connection.execute(sql.SQL("{} {} {} password {}").format(verb, sql.Identifier(login), rights, sql.Literal(verifier)))


def allow_connections(connection: Connection[Any], database: str, *, like: str = "") -> None:
    """Let in only the logins that belong to `database` (or to the database it is a copy of: `like`)."""
    name = sql.Identifier(database)
    connection.execute(sql.SQL("revoke all on database {} from public").format(name))
    for login, home in LOGINS.values():
        if home == (like or database):
            connection.execute(sql.SQL("grant connect on database {} to {}").format(name, sql.Identifier(login)))


def usable(directory: Path) -> bool:
    """Say whether this process may read the URL files there."""
    return os.access(directory / "owner.url", os.R_OK)
