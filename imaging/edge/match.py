"""Which waiting instances belong to which participant, and which of them are due for a package.

Nothing is copied from a link into an object: what matches is asked anew each time, so a link that is made or ended counts at once.
"""

import sqlite3
from dataclasses import dataclass, field

from imaging.edge import intake, state

MAX_COUNT, MAX_BYTES = 2000, 2**30


@dataclass
class Batch:
    """Instances of one series of one participant, oldest first."""

    study_number: str
    series_uid: str
    names: list[str] = field(default_factory=list)
    size: int = 0
    last: float = 0.0


def batches(connection: sqlite3.Connection, *, now: float, quiet: float) -> list[Batch]:
    """The batches that are due: the series was quiet for `quiet` seconds, or a package is full. `now` in seconds since 1970.

    An instance whose ids lead to two participants is put into quarantine here.
    """
    rows = connection.execute(
        "SELECT o.name, o.series_uid, o.size, o.received_at, min(l.study_number) AS number, max(l.study_number) AS other"
        " FROM object o JOIN object_id i ON i.name = o.name"
        " JOIN link l ON l.issuer = i.issuer AND l.local_id = i.local_id AND l.unlinked_at IS NULL"
        " WHERE o.state = 'waiting' GROUP BY o.name ORDER BY o.received_at, o.name"
    ).fetchall()
    torn = [row["name"] for row in rows if row["number"] != row["other"]]
    if torn:
        with state.change(connection):
            intake.quarantine(connection, torn, "two-participants")
    return _due([row for row in rows if row["number"] == row["other"]], now, quiet)


def _due(rows: list[sqlite3.Row], now: float, quiet: float) -> list[Batch]:
    full: list[Batch] = []
    growing: dict[tuple[str, str], Batch] = {}
    for row in rows:
        key = row["number"], row["series_uid"]
        batch = growing.setdefault(key, Batch(*key))
        batch.names.append(row["name"])
        batch.size += row["size"]
        batch.last = max(batch.last, row["received_at"])
        if len(batch.names) >= MAX_COUNT or batch.size >= MAX_BYTES:
            full.append(growing.pop(key))
    return full + [batch for batch in growing.values() if abs(now - batch.last) >= quiet]  # a clock that jumped back counts as quiet


def unlinked(connection: sqlite3.Connection) -> int:
    """How many instances wait for a link."""
    matched = "SELECT i.name FROM object_id i JOIN link l ON l.issuer = i.issuer AND l.local_id = i.local_id AND l.unlinked_at IS NULL"
    found = connection.execute(f"SELECT count(*) FROM object WHERE state = 'waiting' AND name NOT IN ({matched})").fetchone()  # noqa: S608
    return int(found[0])
