"""What people did at this edge: one line each, with who, when and why, in a table that only grows (see `state`)."""

import sqlite3
from datetime import datetime

from imaging.edge import envelope

PAGE_ROWS = 100
MOST_WHY = 300
NAMES = {
    "released": "released from quarantine",
    "rejected": "rejected",
    "purged": "removed after rejection",
    "peer-added": "peer listed",
    "peer-removed": "peer taken off the list",
    "approval-added": "approval entered",
    "approval-ended": "approval ended",
    "carried-out": "package put on a disk",
    "repacked": "refused package packed again",
    "receipt-read": "receipt read from a disk",
    "links-read": "links read from a file",
}
"""Every kind of act and its words, for the catalogue."""
REPACKED = "EXISTS (SELECT 1 FROM act r WHERE r.what = 'repacked' AND r.subject = p.seq || ' ' || p.id)"
"""SQL: whether the package `p`, refused by the platform, was packed again."""


def write(connection: sqlite3.Connection, what: str, subject: str, *, by: str, at: datetime, reason: str = "", why: str = "") -> None:
    """Write one line; stands in the transaction of what it tells."""
    if what not in NAMES:
        raise ValueError(what)
    row = (what, subject, reason, " ".join(why.split())[:MOST_WHY], by, envelope.instant(at))
    connection.execute("INSERT INTO act (what, subject, reason, why, by, at) VALUES (?, ?, ?, ?, ?, ?)", row)


def listed(connection: sqlite3.Connection, *, before: int | None) -> list[sqlite3.Row]:
    """The newest lines first, one more than a page."""
    where, values = ("WHERE id < ?", [before]) if before is not None else ("", [])
    return connection.execute(f"SELECT * FROM act {where} ORDER BY id DESC LIMIT {PAGE_ROWS + 1}", values).fetchall()  # noqa: S608
