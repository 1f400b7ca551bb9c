"""What an edge can say about itself to anybody: counts and sizes, never a name, an id or a UID. Also the heartbeat."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

from imaging.edge import acts, envelope, match, operations, quarantine
from imaging.edge.exchange import Answer, Exchange
from imaging.edge.halves import DISK, EVERY
from imaging.edge.home import SOFTWARE, Home
from imaging.edge.spool import free_bytes

_OPEN = f"(p.state <> 'refused' OR NOT {acts.REPACKED})"  # what was packed again asks for nothing more
_OUTBOX = f"SELECT p.state, count(*) FROM package p WHERE p.state <> 'archived' AND {_OPEN} GROUP BY p.state"  # noqa: S608
_REFUSED = f"SELECT p.reason, count(*) FROM package p WHERE p.state = 'refused' AND {_OPEN} GROUP BY p.reason"  # noqa: S608


def status(home: Home, connection: sqlite3.Connection, *, at: datetime) -> dict[str, Any]:
    """Counts of the edge as they are now; `last_received` is UTC or None, sizes are bytes, `halves` are 1 (up) or 0."""
    settings = home.settings
    return {
        "gateway": settings["gateway"],
        "center": settings["center"],
        "version": SOFTWARE,
        "at": envelope.instant(at),
        "halves": {part: int(home.is_held(part)) for part in (*EVERY, DISK)},
        "spool": sum(1 for _ in home.spool.glob("*.dcm")),
        "unlinked": match.unlinked(connection),
        "objects": _counts(connection, "SELECT state, count(*) FROM object GROUP BY state"),
        "quarantine": quarantine.open_reasons(connection),
        "discarded": _counts(connection, "SELECT rule, count(*) FROM discard GROUP BY rule"),
        "resent": _one(connection, "SELECT count(*) FROM resend"),
        "outbox": _counts(connection, _OUTBOX),
        "refused": _counts(connection, _REFUSED),
        "archived": _one(connection, "SELECT count(*) FROM package WHERE state = 'archived'"),
        "operations": operations.counts(connection),
        "free_bytes": free_bytes(home.spool),
        "reserve_bytes": settings["reserve_bytes"],
        "last_received": _last_received(home, connection),
    }


def beat(exchange: Exchange, said: dict[str, Any]) -> Answer:
    """Send one heartbeat; PlatformUnreachable when nobody answers."""
    return exchange.post(envelope.HEARTBEAT_PATH, said)


def _counts(connection: sqlite3.Connection, query: str) -> dict[str, int]:
    return {row[0]: row[1] for row in connection.execute(query)}


def _one(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])


def _last_received(home: Home, connection: sqlite3.Connection) -> str | None:
    every = "SELECT received_at AS at FROM object UNION ALL SELECT at FROM resend UNION ALL SELECT at FROM discard"
    newest = connection.execute(f"SELECT max(at) FROM ({every})").fetchone()[0]  # noqa: S608
    return None if newest is None else envelope.instant(datetime.fromtimestamp(newest, UTC))
