"""The supervisor with real processes and a clock of our own."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prime_platform.embedded import tether
from prime_platform.embedded.console import Console
from prime_platform.embedded.supervise import Child, Supervisor

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def shell(script: str) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: tether.spawn(["/bin/sh", "-c", script], env=ENVIRONMENT, cwd="/", output=subprocess.PIPE, death=tether.KILLED)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def supervisor(tmp_path: Path, clock: Clock) -> Supervisor:
    return Supervisor(Console(tmp_path), clock=clock)


def settle(supervisor: Supervisor, child: Child) -> None:
    """Wait for the running process of `child` to end and be noticed."""
    while child.process is not None:
        supervisor.console.pump(0.01)
        supervisor.tick()


def test_dead_child_comes_back_after_doubling_pauses_up_to_thirty_seconds(supervisor: Supervisor, clock: Clock) -> None:
    child = Child("short", shell("exit 3"))
    supervisor.add(child)
    pauses = []
    for _ in range(7):
        supervisor.tick()
        settle(supervisor, child)
        pauses.append(child.pause)
        clock.now += child.pause
    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_child_does_not_come_back_before_its_pause_is_over(supervisor: Supervisor, clock: Clock) -> None:
    child = Child("short", shell("exit 3"))
    supervisor.add(child)
    supervisor.tick()
    settle(supervisor, child)
    clock.now += 0.9
    supervisor.tick()
    assert child.process is None


def test_a_good_minute_clears_the_record(supervisor: Supervisor, clock: Clock) -> None:
    child = Child("long", shell("exit 3"), pause=16.0)
    supervisor.add(child)
    supervisor.tick()
    clock.now += 61
    settle(supervisor, child)
    assert child.pause == 1


def test_child_that_runs_once_stays_away_after_success_and_is_repeated_after_failure(supervisor: Supervisor, clock: Clock) -> None:
    good, bad = Child("good", shell("exit 0"), once=True), Child("bad", shell("exit 1"), once=True)
    for child in (good, bad):
        supervisor.add(child)
    supervisor.tick()
    settle(supervisor, good)
    settle(supervisor, bad)
    clock.now += 3600
    supervisor.tick()
    assert good.process is None
    assert bad.process is not None
    supervisor.stop_all()


def test_program_that_is_not_there_is_tried_again_later(supervisor: Supervisor) -> None:
    child = Child("absent", lambda: tether.spawn(["/no/such/program"], env={}, cwd="/", output=subprocess.PIPE))
    supervisor.add(child)
    supervisor.tick()
    assert child.process is None
    assert child.pause == 1


def test_what_will_not_end_when_asked_is_ended_with_its_own_children(tmp_path: Path) -> None:
    """Stopping is bounded: SIGKILL follows, and reaches the grandchildren."""
    supervisor = Supervisor(Console(tmp_path))
    child = Child("stubborn", shell("trap '' TERM; sleep 600 & echo $! ; wait; sleep 600"), patience=0.3)
    supervisor.add(child)
    supervisor.tick()
    log = tmp_path / "stubborn.log"
    while not log.exists():
        supervisor.console.pump(0.05)
    grandchild = int(log.read_text())
    supervisor.stop_all()
    assert child.process is None
    while Path(f"/proc/{grandchild}").exists() and Path(f"/proc/{grandchild}/stat").read_text().split()[2] != "Z":
        time.sleep(0.01)


def test_stages_end_in_order(tmp_path: Path) -> None:
    """What others stand on ends last."""
    supervisor = Supervisor(Console(tmp_path))
    ended = tmp_path / "ended"
    for name, stage in (("ground", 2), ("middle", 1), ("top", 0)):
        script = f"trap 'echo {name} >> {ended}; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
        supervisor.add(Child(name, shell(script), stage=stage))
    supervisor.tick()
    while len(list(tmp_path.glob("*.log"))) < 3:
        supervisor.console.pump(0.05)
    supervisor.stop_all()
    assert ended.read_text().split() == ["top", "middle", "ground"]


def test_second_stop_signal_changes_nothing(supervisor: Supervisor) -> None:
    with supervisor.listening():
        supervisor._preparing = False
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
    assert supervisor.asked


def test_step_returns_the_exit_status_and_keeps_the_words(supervisor: Supervisor, tmp_path: Path) -> None:
    assert supervisor.step("greet", shell("echo one; printf two; exit 5")) == 5
    supervisor.console.pump(0.1)
    assert (tmp_path / "greet.log").read_text() == "one\ntwo\n"
