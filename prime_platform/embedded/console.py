"""The output of the children: one line at a time, with its sender's name, on the terminal and in var/logs."""

import contextlib
import os
import selectors
import subprocess
import sys
from pathlib import Path

LOG_LIMIT = 10_000_000
READ = 65_536


class Console:
    """Collects the pipes of many processes in one thread."""

    def __init__(self, logs: Path, *, width: int = 7) -> None:
        self.logs, self.width = logs, width
        self._selector = selectors.DefaultSelector()
        self._rest: dict[int, bytes] = {}

    def listen(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Read from now on what `process` writes to its pipe."""
        if process.stdout is None:
            return
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, name)

    def pump(self, timeout: float) -> None:
        """Pass on what has come, or wait up to `timeout` seconds for something."""
        for key, _ in self._selector.select(timeout):
            if self._read(key) == b"":
                self._selector.unregister(key.fileobj)

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on the last words of a process that has ended, and let go of its pipe."""
        if process.stdout is None or process.stdout.closed:
            return
        key = self._selector.get_map().get(process.stdout)
        if key is not None:
            while self._read(key):
                pass
            self._selector.unregister(process.stdout)
        process.stdout.close()

    def _read(self, key: selectors.SelectorKey) -> bytes | None:
        """Take one piece from a pipe and pass on its whole lines; None when it has nothing now, b"" when it is closed."""
        try:
            data = os.read(key.fd, READ)
        except BlockingIOError:
            return None
        *lines, rest = (self._rest.pop(key.fd, b"") + data).split(b"\n")
        if rest and data:
            self._rest[key.fd] = rest
        elif rest:
            lines.append(rest)
        for line in lines:
            self._pass_on(key.data, line)
        return data

    def say(self, text: str, name: str = "up") -> None:
        """Write our own words, line by line."""
        for line in text.splitlines():
            self._pass_on(name, line.encode())

    def page(self, text: str) -> None:
        """Write a page for the reader as it is."""
        with contextlib.suppress(OSError):
            print(text, flush=True)

    def _pass_on(self, name: str, line: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads the terminal any more; the log goes on
            print(f"{name:<{self.width}}| {line.decode(errors='replace')}", flush=True)
        file = self.logs / f"{name}.log"
        with contextlib.suppress(FileNotFoundError):
            if file.stat().st_size > LOG_LIMIT:
                file.rename(file.with_suffix(".log.1"))
        with file.open("ab") as log:
            log.write(line + b"\n")


def complain(text: str) -> None:
    """Say on standard error why nothing was started."""
    print(text, file=sys.stderr, flush=True)
