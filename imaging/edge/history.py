"""The association history: who called, when, from where, as whom, and what became of it. One JSON object per line.

It holds no patient data. Nothing that is answered to a sender depends on it.
"""

import json
import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

from imaging.edge import clock

log = logging.getLogger(__name__)
LARGEST = 8 * 2**20


class History:
    """Appends to a file that is set aside (one older file is kept) when it reaches 8 MiB."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, what: str, **facts: Any) -> None:
        """Append one line; a disk that cannot take it costs the line, not the association."""
        line = json.dumps({"at": clock.now().isoformat(timespec="milliseconds"), "what": what} | facts) + "\n"
        try:
            if self.path.exists() and self.path.stat().st_size > LARGEST:
                self.path.replace(self.path.with_suffix(".older.jsonl"))
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            log.warning("association history not written: %s", error.strerror)


def tail(path: Path, count: int) -> list[dict[str, Any]]:
    """The last `count` lines, oldest first; a line that a crash cut short is left out."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in deque(file, count) if line.endswith("}\n")]
