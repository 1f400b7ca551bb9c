"""`manage.py up` on this machine: real processes, killed for real (architecture §3; SE-09, RL-04)."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from prime_platform.embedded import tether
from tests.prime_platform.installation import CHECKOUT, Installation

pytestmark = pytest.mark.journey
NOBODY = 65534


@contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that every user can pass through; pytest's own are closed to all but one."""
    directory = Path(tempfile.mkdtemp(prefix="prime-up-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def platform() -> Iterator[Installation]:
    """One installation that every test finds running after `start()`."""
    with open_directory() as directory:
        installation = Installation(directory / "var")
        yield installation
        installation.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A place for one more installation."""
    with open_directory() as directory:
        yield directory


def test_second_start_says_where_the_first_one_is(platform: Installation) -> None:
    platform.start()
    status, words = platform.refused()
    assert status == 2
    assert "already running" in words
    assert f"http://127.0.0.1:{platform.ports['PRIME_HTTP_PORT']}" in words


def test_taken_port_is_named_with_its_variable_before_anything_starts(platform: Installation, place: Path) -> None:
    platform.start()
    status, words = platform.refused(PRIME_VAR=str(place / "var"))
    assert status == 2
    assert "Set PRIME_HTTP_PORT to a free port" in words
    assert not (place / "var" / "pg").exists()


def test_children_know_their_own_login_and_nobody_elses(platform: Installation) -> None:
    """SE-09: web, worker, beat and inference; the beat has no database but the broker's."""
    platform.start()
    secrets = {file.stem: file.read_text() for file in (platform.var / "secrets").glob("*.url")}
    allowed = {"gunicorn": {"web", "broker"}, "worker": {"worker", "broker"}, "beat": {"broker"}, "infer": {"infer"}}
    for word, mine in allowed.items():
        _until(lambda word=word: platform.child(word) != 0)  # the test before may have killed it
        environment = "\0".join(platform.environment(platform.child(word)).values())
        assert {name for name, url in secrets.items() if url in environment} == mine
    assert "SECRET_KEY" not in platform.environment(platform.child("worker"))


def test_killed_postgres_comes_back_with_its_data(platform: Installation) -> None:
    """RL-04: an answered commit survives kill -9 of the server."""
    before = platform.start()["installation"]
    owner = (platform.var / "secrets" / "owner.url").read_text()
    with psycopg.connect(owner) as connection:
        connection.execute("create table if not exists kept (n int)")
        connection.execute("insert into kept values (42)")
    server = platform.child("postgres")
    os.kill(server, signal.SIGKILL)
    _until(lambda: platform.child("postgres") not in (0, server))
    assert platform.wait_until_ready()["installation"] == before
    with psycopg.connect(owner) as connection:
        assert (42,) in connection.execute("select n from kept").fetchall()
        connection.execute("drop table kept")


def test_killed_worker_is_started_again(platform: Installation) -> None:
    platform.start()
    worker = platform.child("worker")
    os.kill(worker, signal.SIGKILL)
    _until(lambda: any("worker" in arguments for pid, arguments in platform.processes().items() if pid > worker))


def test_killed_up_takes_everything_along_and_the_next_start_finds_its_data(platform: Installation) -> None:
    before = platform.start()["installation"]
    assert platform.stop(signal.SIGKILL) == -signal.SIGKILL
    _until(lambda: not platform.processes())
    assert platform.start()["installation"] == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_everything(platform: Installation, number: signal.Signals) -> None:
    platform.start()
    assert platform.stop(number) == 0
    assert not platform.processes()


def test_posture_is_shown(platform: Installation) -> None:
    """What one machine does not protect against is said, not hidden."""
    said = platform.start()["posture"]
    assert "one_machine" in said
    assert "plain_http" in said
    assert ("shared_user" in said) == (os.geteuid() != 0 or not _usable_by_others(sys.executable))


def test_ordinary_user_can_run_it(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("every other test of this file runs as an ordinary user already")
    if not _usable_by_others(sys.executable):
        pytest.skip(f"{sys.executable} cannot be run by other users")
    var = place / "var"
    var.mkdir()
    os.chown(var, NOBODY, NOBODY)
    installation = Installation(var, user=NOBODY)
    try:
        assert "shared_user" in installation.start()["posture"]
        assert installation.stop() == 0
    finally:
        installation.close()


def test_closed_state_directory_is_refused_with_advice(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root runs the parts as other users")
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    status, words = Installation(closed / "var").refused()
    assert status == 2
    assert "Set PRIME_VAR to a place others can pass through" in words


def test_child_dies_with_its_parent() -> None:
    """The kernel ends a child whose parent was killed without a chance to say so."""
    program = (
        "import os, subprocess, time\nfrom prime_platform.embedded import tether\n"
        "child = tether.spawn(['/bin/sleep', '600'], env={}, cwd='/', output=subprocess.DEVNULL, death=tether.KILLED)\n"
        "print(child.pid, flush=True)\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    _until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def _usable_by_others(python: str) -> bool:
    return os.geteuid() == 0 and tether.can_reach(Path(python).resolve(), uid=NOBODY, execute=True)


def _until(holds: Callable[[], bool], *, patience: float = 40.0) -> None:
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)
