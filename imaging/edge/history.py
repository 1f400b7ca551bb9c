"""The association history: who called, when, from where, as whom, and what became of it. One JSON object per line.

It holds no patient data. Nothing that is answered to a sender depends on it.
"""

import json
import logging
import math
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from imaging.edge import clock

log = logging.getLogger(__name__)
LARGEST = 8 * 2**20
SELDOM_SECONDS, SELDOM_KINDS = 60, 1000


class History:
    """Appends to a file that is set aside (one older file is kept) when it reaches 8 MiB."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seldom: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def add_seldom(self, what: str, **facts: Any) -> None:
        """Append a line that strangers can cause: the same one at most once a minute, with how many `times` it would have stood here."""
        key, now = json.dumps([what, facts]), time.monotonic()
        with self._lock:
            if len(self._seldom) > SELDOM_KINDS:
                self._seldom.clear()
            written, times = self._seldom.get(key, (-math.inf, 0))
            due = now - written >= SELDOM_SECONDS
            self._seldom[key] = (now, 0) if due else (written, times + 1)
        if due:
            self.add(what, **facts, times=times + 1)

    def add(self, what: str, **facts: Any) -> None:
        """Append one line; a disk that cannot take it costs the line, not the association."""
        line = json.dumps({"at": clock.now().isoformat(timespec="milliseconds"), "what": what} | facts) + "\n"
        try:
            with self._lock:
                self._append(line.encode())
        except OSError as error:
            log.warning("association history not written: %s", error.strerror)

    def _append(self, line: bytes) -> None:
        if self.path.exists() and self.path.stat().st_size > LARGEST:
            self.path.replace(self.path.with_suffix(".older.jsonl"))
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def tail(path: Path, count: int) -> list[dict[str, Any]]:
    """The last `count` lines, oldest first; a line that a crash cut short is left out."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in deque(file, count) if line.endswith("}\n")]
