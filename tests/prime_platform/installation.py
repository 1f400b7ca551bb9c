"""A whole platform started by `manage.py up` in a directory of its own, for tests that look at it from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
BARE = {"PRIME_DEMO": "0", "PRIME_SECOND_FACTOR": "0"}
"""No demonstration, and people sign in by their passwords alone: the second factor is walked through in tests of its own."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """One state directory and the `up` that runs in it, or does not."""

    def __init__(self, var: Path, *, user: int | None = None, python: str = sys.executable) -> None:
        self.var, self.user, self.python = var, user, python
        self.ports = {name: free_port() for name in ("PRIME_HTTP_PORT", "PRIME_DICOM_PORT", "PRIME_EDGE_PORT")}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = var.with_name(f"{var.name}.said")

    def command(self, *, output: int | IO[bytes] = subprocess.PIPE, **changes: str) -> subprocess.Popen[bytes]:
        """Start `manage.py up` here, whatever else runs."""
        known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        settings = {"PRIME_VAR": str(self.var), **BARE, **{name: str(port) for name, port in self.ports.items()}}
        identity: dict[str, Any] = {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}
        return subprocess.Popen(
            [self.python, "manage.py", "up"],
            cwd=CHECKOUT,
            env=known | settings | changes,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **identity,
        )

    def refused(self, **changes: str) -> tuple[int, str]:
        """Exit status and words of a start that is expected to end by itself."""
        process = self.command(**changes)
        words, _ = process.communicate(timeout=PATIENCE)
        return process.returncode, words.decode()

    def start(self) -> dict[str, Any]:
        """Start, unless it runs already, and return what /readyz says once it is ready."""
        if self.process is None or self.process.poll() is not None:
            with self.log.open("ab") as said:
                self.process = self.command(output=said)
        return self.wait_until_ready()

    def wait_until_ready(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            status, said = self.readyz()
            if status == 200:
                return said
            assert self.process is not None
            assert self.process.poll() is None, self.said()[-2000:]
            time.sleep(0.3)
        raise AssertionError(f"not ready: {said}\n{self.said()[-2000:]}")

    def readyz(self) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports['PRIME_HTTP_PORT']}/readyz", timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except (urllib.error.URLError, OSError):
            return 0, {}

    def processes(self) -> dict[int, list[str]]:
        """{pid: arguments} of every live process whose environment or arguments name this state directory."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                arguments = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
                if os.fsencode(self.var) in arguments + environment and arguments:
                    found[int(entry.name)] = arguments.decode().split("\0")
        return found

    def environment(self, pid: int) -> dict[str, str]:
        pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    def child(self, word: str) -> int:
        """The oldest process that runs the program or subcommand `word`; 0 when none does."""
        found = self.processes().items()
        return min((pid for pid, arguments in found if any(word == Path(argument).name for argument in arguments)), default=0)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send `up` a signal and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self.process = None
        return status

    def close(self) -> None:
        if self.process is not None:
            self.stop()

    def said(self) -> str:
        """What `up` and its children wrote to the terminal."""
        return self.log.read_text()
