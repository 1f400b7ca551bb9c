"""Pytest plugin: a real PostgreSQL for the session, known to Django's settings before they are read, started when first needed.

Each session has a cluster of its own under the temporary directory, without TCP and gone at the end, also when pytest is killed.
PRIME_TEST_URLS_DIR (the `secrets` directory of a running `python -m prime_platform.embedded serve DIR`) lends one instead.
PRIME_TEST_DB names the test database, so that several sessions can share a lent cluster.

The migrated database is kept under .pytest_cache, keyed by the migrations, and copied by later sessions: they migrate nothing then.
"""

import atexit
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prime_platform.embedded import logins, postgres

CHECKOUT = Path(__file__).resolve().parent.parent
DATABASE = f"test_prime_{os.environ.get('PRIME_TEST_DB', 'main')}"
FOREIGN = ("DATABASE_URL", "CELERY_BROKER_URL", "STORAGE_URL", "SECRET_KEY", "PRIME_PUBLIC_URL", "PRIME_DEMO")
A_DAY = 86_400
_session: dict[str, Any] = {}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Decide where the database will be before pytest-django reads the settings."""
    base = Path(tempfile.mkdtemp(prefix="prime-test-"))
    base.chmod(0o711)
    _session["base"] = base
    atexit.register(_clean_up, os.getpid())
    if lent := os.environ.get("PRIME_TEST_URLS_DIR"):
        _session["urls"] = logins.read_urls(Path(lent))
    else:
        _session["cluster"] = postgres.Cluster(base / "pg", uid=64100 if os.geteuid() == 0 else None, durable=False)
        _session["kept"] = kept = _keeping_place()
        if kept.exists():
            shutil.copytree(kept / "secrets", base / "secrets")
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


def template() -> str:
    """The name of the migrated database that test databases are copied from: another one for other migrations or packages."""
    hashed = hashlib.sha256((CHECKOUT / "requirements.lock").read_bytes())
    for file in sorted(CHECKOUT.glob("*/migrations/*.py")):
        hashed.update(file.relative_to(CHECKOUT).as_posix().encode() + b"\0" + file.read_bytes())
    return f"prime_template_{hashed.hexdigest()[:16]}"


def _keeping_place() -> Path:
    return CHECKOUT / ".pytest_cache" / f"{template()}_{os.geteuid()}"


def urls() -> dict[str, str]:
    """{login's short name: URL} of the running cluster; starts it when this is the first to ask."""
    if "cluster" in _session and "server" not in _session:
        cluster, stack = _session["cluster"], contextlib.ExitStack()
        stack.enter_context(postgres.held(cluster))
        if _session["kept"].exists():
            _take_over(cluster, _session["kept"])
        postgres.prepare(cluster)
        _session["server"] = server = postgres.start(cluster)
        stack.callback(postgres.stop, server)
        logins.ensure(cluster, _session["base"] / "secrets", for_tests=True)
        _session["stack"] = stack
    return dict(_session["urls"])


def own() -> postgres.Cluster | None:
    """The session's own cluster, running; None where one was lent."""
    urls()
    return _session.get("cluster")


def _take_over(cluster: postgres.Cluster, kept: Path) -> None:
    """Begin with the files of an earlier session's cluster."""
    shutil.copy2(kept / "superuser", cluster.base / "superuser")
    shutil.copytree(kept / "data", cluster.data)
    for path in [cluster.data, *cluster.data.rglob("*")]:
        cluster.give(path)


def keep(name: str) -> None:
    """Let later sessions begin with this one's cluster as it will be when it has ended, unless a migration was edited meanwhile."""
    _session["worth_keeping"] = "cluster" in _session and _session["kept"].name.startswith(name)


def _keep_files(base: Path, kept: Path) -> None:
    """Copy the stopped cluster beside its place and rename: it is there wholly or not at all. Those of yesterday go."""
    partial = kept.with_name(f"{kept.name}.{os.getpid()}")
    shutil.copytree(base / "pg" / "data", partial / "data")
    shutil.copytree(base / "secrets", partial / "secrets")
    shutil.copy2(base / "pg" / "superuser", partial / "superuser")
    for older in kept.parent.glob("prime_template_*"):
        if time.time() - older.stat().st_mtime > A_DAY:
            shutil.rmtree(older, ignore_errors=True)
    with contextlib.suppress(OSError):  # another session was first
        partial.rename(kept)
    shutil.rmtree(partial, ignore_errors=True)


def _clean_up(session: int) -> None:
    """Stop what was started and remove its files; a forked child of a test leaves them alone."""
    if os.getpid() != session:
        return
    if "stack" in _session:
        _session["stack"].close()
    if _session.get("worth_keeping"):
        _keep_files(_session["base"], _session["kept"])
    shutil.rmtree(_session["base"], ignore_errors=True)
