"""The edge as one command: both halves, kept alive, each in a process of its own, until SIGTERM.

A half that dies comes back after 1, 2, 4 … 30 seconds, and the other one does not notice. Kill this process, and both die with it.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from imaging.edge.halves import EVERY
from imaging.edge.home import Home
from imaging.edge.opening import DONE, FAULT

log = logging.getLogger(__name__)
ROOT = Path(__file__).resolve().parents[2]
LOOK_SECONDS, STOP_SECONDS = 0.1, 30.0
LONGEST_PAUSE, GOOD_HEALTH = 30.0, 60.0


class Half:
    """One half: its process, and when it comes back."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name, self.directory = name, directory
        self.process: subprocess.Popen[bytes] | None = None
        self.since = self.due = self.pause = 0.0

    def look(self, now: float) -> bool:
        """Start it when it is due, note its end; False when the first thing it said was that it cannot run as things are."""
        if self.process is None:
            if now >= self.due:
                self.process, self.since = subprocess.Popen(command(self.name, self.directory, tied=True), env=surroundings()), now
            return True
        status = self.process.poll()
        if status is None:
            return True
        first, self.process = not self.pause, None
        self.pause = 1.0 if first or now - self.since >= GOOD_HEALTH else min(2 * self.pause, LONGEST_PAUSE)
        self.due = now + self.pause
        if first and status == FAULT:
            return False
        log.error("%s ended with status %d; it comes back in %.0f s", self.name, status, self.pause)
        return True

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self.process is not None:
            self.process.terminate()

    def end(self) -> None:
        """Wait for it, and kill it when that takes too long: nothing that was acknowledged is lost by that."""
        if self.process is not None:
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def run(home: Home) -> int:
    """Both halves until SIGTERM or SIGINT; the exit status: 2 when one of them cannot run as things are (it said why)."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with home.only_one("edge"):
        halves = [Half(name, home.directory) for name in EVERY]
        possible = True
        while possible and not stopping.is_set():
            possible = all([half.look(time.monotonic()) for half in halves])
            stopping.wait(LOOK_SECONDS)
        for half in halves:
            half.ask_to_stop()
        for half in halves:
            half.end()
    return DONE if possible else FAULT


def only(home: Home, name: str) -> None:
    """Become one half; the other one runs elsewhere over the same directory. Does not return."""
    words = command(name, home.directory, tied=False)
    os.execve(words[0], words, surroundings())  # noqa: S606 - our own interpreter


def command(name: str, directory: Path, *, tied: bool) -> list[str]:
    """The command line of a half; `tied` to this process it dies with it."""
    parent = [str(os.getpid())] if tied else []
    return [sys.executable, "-W", "ignore", "-m", "imaging.edge.halves", name, str(directory.resolve()), *parent]


def surroundings() -> dict[str, str]:
    """Our own environment, in which our modules are found wherever the command was given."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
