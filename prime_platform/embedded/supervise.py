"""Keeps a set of children alive: restarts what dies, ends all of them in order when asked.

A dead child comes back after 1, 2, 4 … 30 seconds; a minute of good health clears its record. Ending goes by stage: every child of a
stage is asked politely, then told, before the next stage begins, so that nothing loses the ground it stands on.
"""

import contextlib
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prime_platform.embedded.console import Console

LONGEST_PAUSE, GOOD_HEALTH = 30.0, 60.0


@dataclass
class Child:
    """One process to keep alive, or (`once`) to run until it has succeeded.

    `stage` orders the ending (lower ends first), `patience` bounds it in seconds.
    """

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    stage: int = 0
    patience: float = 10.0
    once: bool = False
    ending: Sequence[signal.Signals] = (signal.SIGTERM, signal.SIGKILL)
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    due: float = 0.0
    pause: float = 0.0
    restarts: int = 0

    def died(self, now: float) -> None:
        """Note the end of the process and when it is to come back."""
        healthy = now - self.since >= GOOD_HEALTH
        self.pause = 1.0 if healthy or not self.pause else min(self.pause * 2, LONGEST_PAUSE)
        self.process, self.due = None, now + self.pause
        self.restarts += 1


class StopAsked(BaseException):
    """SIGTERM, SIGINT or SIGHUP came while something was being prepared."""


class Supervisor:
    """Runs steps and children; single-threaded, because children are tied to the thread that made them."""

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.clock = console, clock
        self.children: list[Child] = []
        self.asked = False
        self._preparing = True

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take stop signals from here on; a second one changes nothing."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, *_: object) -> None:
        if self.asked:
            return
        self.asked = True
        if self._preparing:
            raise StopAsked

    def step(self, name: str, start: Callable[[], subprocess.Popen[bytes]]) -> int:
        """Run one process to its end, passing on its words; its exit status."""
        process = start()
        self.console.listen(name, process)
        try:
            while not _ended(process):
                self.console.pump(0.1)
        finally:
            _bury(process)
            self.console.finish(process)
        return process.returncode

    def add(self, child: Child) -> None:
        """Keep `child` alive from now on; one that already runs is taken over."""
        child.since = self.clock()
        self.children.append(child)

    def watch(self) -> None:
        """Start and restart children until asked to stop."""
        self._preparing = False
        while not self.asked:
            self.tick()
            self.console.pump(0.3)

    def tick(self) -> None:
        """One look at every child: note the dead, start the due."""
        now = self.clock()
        for child in self.children:
            if child.process is not None and _ended(child.process):
                status = _bury(child.process)
                self.console.finish(child.process)
                child.died(now)
                if child.once and status == 0:
                    child.due = math.inf
                    continue
                self.console.say(f"{child.name} ended ({_told(status)}); it comes back in {child.pause:.0f} s")
            if child.process is None and now >= child.due:
                self._start(child)

    def _start(self, child: Child) -> None:
        child.since = self.clock()
        try:
            child.process = child.start()
        except Exception as error:  # a child that cannot be started is a child that died
            child.died(self.clock())
            self.console.say(f"{child.name} did not start: {error}")
            return
        self.console.listen(child.name, child.process)

    def stop_all(self) -> None:
        """End every child, stage by stage."""
        self._preparing = False
        for stage in sorted({child.stage for child in self.children}):
            self._end([child for child in self.children if child.stage == stage and child.process is not None])

    def _end(self, children: list[Child]) -> None:
        for harder in range(max((len(child.ending) for child in children), default=0)):
            running = [child for child in children if child.process is not None and not _ended(child.process)]
            for child in running:
                child.process.send_signal(child.ending[min(harder, len(child.ending) - 1)])  # type: ignore[union-attr]
            deadline = self.clock() + max((child.patience for child in running), default=0)
            while any(child.process is not None and not _ended(child.process) for child in running) and self.clock() < deadline:
                self.console.pump(0.1)
        for child in children:
            if child.process is not None:
                _bury(child.process)
                self.console.finish(child.process)
                child.process = None


def _ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process has ended; it is left unreaped, so that its number and its group stay its own."""
    return process.returncode is not None or os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _bury(process: subprocess.Popen[bytes]) -> int:
    """End whatever is left in the session of a child, the child included, and return its exit status."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _told(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
