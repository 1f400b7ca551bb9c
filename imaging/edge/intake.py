"""From a file in the spool to a row: each received instance is recorded exactly once, kept for a person, or discarded by rule.

A row is written first and the file moved or removed after it; the next step finishes what a crash came between.
"""

import json
import logging
import sqlite3
from pathlib import Path

from imaging.edge import durable, state
from imaging.edge.examination import Examined, examine
from imaging.edge.home import Home
from imaging.edge.sandbox import Sandbox, SandboxFault

log = logging.getLogger(__name__)


class Intake:
    """Takes the spool's files in, oldest first. Used by one thread only."""

    def __init__(self, home: Home, connection: sqlite3.Connection, sandbox: Sandbox) -> None:
        self.home, self.connection, self.sandbox = home, connection, sandbox
        self.center = home.settings["center"]

    def step(self) -> int:
        """Settle every file of the spool that is not settled yet; return how many were new."""
        bring_back(self.home, self.connection)
        present = {path.name: path for path in self.home.spool.glob("*.dcm")}
        if not present:
            return 0
        placed = {row[0] for row in self.connection.execute("SELECT name FROM object WHERE state IN ('waiting', 'packing', 'packed')")}
        new = 0
        for path in sorted((present[name] for name in present.keys() - placed), key=_age):
            if not self._settled(path):
                self._take(path)
                self._settled(path)
                new += 1
        return new

    def _take(self, path: Path) -> None:
        try:
            examined = self.sandbox.run(examine, path)
        except SandboxFault as fault:
            log.warning("an instance was quarantined: its examination ended with %s", fault)
            examined = Examined("quarantine", "limits" if str(fault) == "killed" else "unparseable")
        found = path.stat()
        record(self.connection, path.name, examined, received_at=found.st_mtime, size=found.st_size, center=self.center)

    def _settled(self, path: Path) -> bool:
        """Put a file where its row says; False when it has no row yet."""
        row = self.connection.execute("SELECT state FROM object WHERE name = ?", (path.name,)).fetchone()
        if row is None:
            gone = "SELECT 1 FROM resend WHERE name = :name UNION SELECT 1 FROM discard WHERE name = :name"
            if self.connection.execute(gone, {"name": path.name}).fetchone() is None:
                return False
            path.unlink()
        elif row["state"] == "quarantined":
            durable.move(path, self.home.quarantine / path.name)
        elif row["state"] == "archived":
            path.unlink(missing_ok=True)  # the forwarder removes it, too
        return True


def bring_back(home: Home, connection: sqlite3.Connection) -> None:
    """Move what a person released from the quarantine into the spool. Only the thread that takes in and packs moves files."""
    released = "SELECT DISTINCT o.name FROM object o JOIN act a ON a.subject = o.name AND a.what = 'released' WHERE o.state = 'waiting'"
    for (name,) in connection.execute(released).fetchall():
        if (held := home.quarantine / name).exists():
            durable.move(held, home.spool / name)


def record(connection: sqlite3.Connection, name: str, found: Examined, *, received_at: float, size: int, center: str) -> None:
    """Write the one row that a received file gets: object, resend or discard."""
    with state.change(connection):
        if found.verdict == "discard":
            connection.execute("INSERT INTO discard VALUES (?, ?, ?)", (name, found.reason, received_at))
            return
        ids = [(issuer or center, local_id) for issuer, local_id in found.ids]
        reason = found.reason or _clash(connection, found, ids)
        first = _same(connection, found, reason)
        if first is not None:
            connection.execute("INSERT INTO resend VALUES (?, ?, ?)", (name, first, received_at))
            return
        connection.execute(
            "INSERT INTO object (name, state, reason, received_at, size, sop_uid, series_uid, study_uid, modality, content)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (name, "quarantined" if reason else "waiting", reason, received_at, size, *_columns(found)),
        )
        if ids:
            face = (found.study_uid, *ids[0], found.person, found.study_date, found.description)
            connection.execute("INSERT OR IGNORE INTO face VALUES (?, ?, ?, ?, ?, ?)", face)
        rows = [(name, issuer, local_id, place == 0) for place, (issuer, local_id) in enumerate(ids)]
        connection.executemany("INSERT OR IGNORE INTO object_id VALUES (?, ?, ?, ?)", rows)


def _same(connection: sqlite3.Connection, found: Examined, reason: str | None) -> str | None:
    """The object of which this is a resend: same SOP Instance UID and content, held for the same reason or taken (perhaps by a person)."""
    if not found.content:
        return None
    row = connection.execute(
        "SELECT name FROM object WHERE sop_uid = ? AND content = ? AND (reason IS ? OR state <> 'quarantined') ORDER BY reason",
        (found.sop_uid, found.content, reason),
    ).fetchone()
    return None if row is None else str(row["name"])


def _clash(connection: sqlite3.Connection, found: Examined, ids: list[tuple[str, str]]) -> str | None:
    """Why an instance does not go together with what came before: the first version of it, or the patient of its study."""
    other = connection.execute(
        "SELECT 1 FROM object WHERE sop_uid = ? AND state <> 'quarantined' AND content <> ?", (found.sop_uid, found.content)
    ).fetchone()
    if other is not None:
        return "conflict"
    mixed = connection.execute(
        "SELECT 1 FROM object o JOIN object_id i ON i.name = o.name AND i.main"
        " WHERE o.study_uid = ? AND o.state <> 'quarantined' AND (i.issuer, i.local_id) <> (?, ?)",
        (found.study_uid, *ids[0]),
    ).fetchone()
    return None if mixed is None else "mixed-patients"


def _columns(found: Examined) -> tuple[str, ...]:
    return found.sop_uid, found.series_uid, found.study_uid, found.modality, found.content


def quarantine(connection: sqlite3.Connection, names: list[str], reason: str) -> None:
    """Hold waiting or chosen objects for a person; their files follow at the next `step`."""
    connection.execute(
        "UPDATE object SET state = 'quarantined', reason = ?, package = NULL WHERE name IN (SELECT value FROM json_each(?))",
        (reason, json.dumps(names)),
    )


def _age(path: Path) -> tuple[float, str]:
    """When a file came, and its name, which tells the order within one tick of the file system's clock.

    First of all what the forwarder has removed since it was listed.
    """
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name
