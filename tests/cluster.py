"""Pytest plugin: a real PostgreSQL for the session, known to Django's settings before they are read, started when first needed.

Each session has a cluster of its own under the temporary directory, without TCP and gone at the end, also when pytest is killed.
PRIME_TEST_URLS_DIR (the `secrets` directory of a running `python -m prime_platform.embedded serve DIR`) lends one instead.
PRIME_TEST_DB names the test database, so that several sessions can share a lent cluster.
"""

import atexit
import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prime_platform.embedded import logins, postgres

DATABASE = f"test_prime_{os.environ.get('PRIME_TEST_DB', 'main')}"
FOREIGN = ("DATABASE_URL", "CELERY_BROKER_URL", "STORAGE_URL", "SECRET_KEY", "PRIME_PUBLIC_URL", "PRIME_DEMO")
_session: dict[str, Any] = {}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Decide where the database will be before pytest-django reads the settings."""
    base = Path(tempfile.mkdtemp(prefix="prime-test-"))
    base.chmod(0o711)
    _session["base"] = base
    atexit.register(_clean_up, os.getpid())
    lent = os.environ.get("PRIME_TEST_URLS_DIR")
    if lent:
        _session["urls"] = logins.read_urls(Path(lent))
    else:
        _session["cluster"] = postgres.Cluster(base / "pg", uid=64100 if os.geteuid() == 0 else None, durable=False)
        _session["urls"] = logins.write_urls(_session["cluster"], base / "secrets")
    for name in FOREIGN:
        os.environ.pop(name, None)
    (base / "var" / "static").mkdir(parents=True)
    os.environ["PRIME_VAR"] = str(base / "var")
    os.environ["DATABASE_URL"] = _session["urls"]["owner"]
    os.environ["CELERY_BROKER_URL"] = "memory://"
    os.environ["SECRET_KEY"] = "tests only, public"
    sys.addaudithook(_refuse_the_outside)
    return (yield)


def _refuse_the_outside(event: str, details: tuple[Any, ...]) -> None:
    """Tests talk to this machine only."""
    if event == "socket.connect" and isinstance(details[1], tuple) and details[1][0] not in ("127.0.0.1", "::1", "localhost"):
        raise PermissionError(f"tests may not connect to {details[1][0]}")


def urls() -> dict[str, str]:
    """{login's short name: URL} of the running cluster; starts it when this is the first to ask."""
    if "cluster" in _session and "server" not in _session:
        cluster, stack = _session["cluster"], contextlib.ExitStack()
        stack.enter_context(postgres.held(cluster))
        postgres.prepare(cluster)
        _session["server"] = server = postgres.start(cluster)
        stack.callback(postgres.stop, server)
        logins.ensure(cluster, _session["base"] / "secrets", for_tests=True)
        _session["stack"] = stack
    return dict(_session["urls"])


def _clean_up(session: int) -> None:
    """Stop what was started and remove its files; a forked child of a test leaves them alone."""
    if os.getpid() != session:
        return
    if "stack" in _session:
        _session["stack"].close()
    shutil.rmtree(_session["base"], ignore_errors=True)
