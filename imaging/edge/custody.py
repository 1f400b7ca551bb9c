"""What this edge can say it holds, for storage commitment: read again from the disk and hashed again, not remembered (NW-10).

Held is what lies here with the content it was taken in with, and what the platform's signed receipt says is archived. What was discarded by
rule is not held. The listener asks from the association's thread; parsing runs in the limited process.
"""

import logging
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from pydicom import dcmread

from imaging.edge import examination, state
from imaging.edge.dicom.commitment import Asked, Judged, Reference, parse
from imaging.edge.home import Home
from imaging.edge.sandbox import Sandbox, SandboxFault

log = logging.getLogger(__name__)

NOT_HERE, OTHER_CLASS, NOT_AS_IT_CAME = 0x0112, 0x0119, 0x0110
INTAKE_SECONDS, LOOK_SECONDS = 30.0, 0.1
BATCH = 200
_PLACED = ("waiting", "packing", "packed", "quarantined")


class Custody:
    """Judges what is held; one question at a time, whoever asks."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._lock = threading.Lock()

    def asked(self, data: bytes, *, implicit: bool) -> Asked | None:
        """What a dataset asks; None when it cannot be read within limits."""
        with self._lock, closing(Sandbox()) as sandbox:
            try:
                return sandbox.run(parse, data, implicit)
            except (SandboxFault, OSError) as fault:
                log.warning("a commitment was asked for in a way that cannot be read: %s", fault)
                return None

    def judged(self, asked: Asked) -> Judged:
        """Every instance asked about, after what was received before the question has been taken in."""
        self._wait_for_intake()
        with self._lock, closing(Sandbox()) as sandbox:
            fates = {
                reference: fate
                for at in range(0, len(asked.references), BATCH)
                for reference, fate in self._fates(sandbox, asked.references[at : at + BATCH]).items()
            }
        failed = {reference: fate for reference, fate in fates.items() if fate is not None}
        return Judged([reference for reference, fate in fates.items() if fate is None], failed)

    def _fates(self, sandbox: Sandbox, references: list[Reference]) -> dict[Reference, int | None]:
        with closing(state.connect(self.home.database)) as connection:
            rows = {reference: _row(connection, reference[1]) for reference in references}
        here = {reference: self._path(*row[:2]) for reference, row in rows.items() if row is not None and row[1] in _PLACED}
        try:
            again = dict(zip(here, sandbox.run(reread, list(here.values())), strict=True)) if here else {}
        except (SandboxFault, OSError) as fault:
            log.error("what is held could not be read again: %s", type(fault).__name__)
            again = {}
        return {reference: self._fate(reference, rows[reference], again.get(reference)) for reference in references}

    def _fate(self, reference: Reference, row: tuple[str, str, str] | None, again: tuple[str, str] | None) -> int | None:
        """None when it is held, else the reason."""
        if row is None:
            return NOT_HERE
        if row[1] == "archived" or ((again is None or not again[0]) and self._is_archived(row[0])):
            return None
        if again is None or not again[0] or again[0] != row[2]:
            log.error("an instance is not on the disk as it came; its sender is told so")
            return NOT_AS_IT_CAME
        return None if again[1] == reference[0] else OTHER_CLASS

    def _is_archived(self, name: str) -> bool:
        """Whether it went into the archive while we looked for it here."""
        with closing(state.connect(self.home.database)) as connection:
            return connection.execute("SELECT 1 FROM object WHERE name = ? AND state = 'archived'", (name,)).fetchone() is not None

    def _path(self, name: str, where: str) -> Path:
        here, there = (self.home.quarantine, self.home.spool) if where == "quarantined" else (self.home.spool, self.home.quarantine)
        return here / name if (here / name).exists() else there / name  # a person may just have decided about it

    def _wait_for_intake(self) -> None:
        begun, end = time.time(), time.monotonic() + INTAKE_SECONDS
        known = "SELECT name FROM object UNION SELECT name FROM resend UNION SELECT name FROM discard"
        while time.monotonic() < end:
            with closing(state.connect(self.home.database)) as connection:
                taken = {row[0] for row in connection.execute(known)}
            if not any(path.name not in taken and _is_older(path, begun) for path in self.home.spool.glob("*.dcm")):
                return
            time.sleep(LOOK_SECONDS)


def _row(connection: sqlite3.Connection, sop_instance: str) -> tuple[str, str, str] | None:
    """Name, state and content of an instance: the first version, or what is in quarantine where there is no other."""
    chosen = "SELECT name, state, content FROM object WHERE sop_uid = ? ORDER BY state = 'quarantined', received_at LIMIT 1"
    row = connection.execute(chosen, (sop_instance,)).fetchone()
    return None if row is None else (row["name"], row["state"], row["content"])


def reread(paths: list[Path]) -> list[tuple[str, str]]:
    """Content hash and SOP class of each file as it is now; empty where it cannot be read. Runs in the limited process."""
    return [_reread(path) for path in paths]


def _reread(path: Path) -> tuple[str, str]:
    try:
        dataset = dcmread(path)
        return examination.content_of(dataset), str(dataset.file_meta.MediaStorageSOPClassUID)
    except Exception:
        return "", ""


def _is_older(path: Path, moment: float) -> bool:
    try:
        return path.stat().st_mtime <= moment
    except FileNotFoundError:
        return False
