"""Under which approval images leave the hospital: numbers with their days of validity, and the register of what left under each.

An edge that was made with a number in `edge.json` and has entered no other uses that one. Once numbers are entered here, nothing is packed
on a day on which none of them is valid.
"""

import re
import sqlite3
from datetime import date, datetime
from typing import Any

from imaging.edge import acts, envelope, state
from imaging.edge.words import Sentence

MOST_NUMBER = 80
PAGE_ROWS = 100
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class ApprovalFault(Exception):
    """An approval cannot be entered or ended as asked; `sentence` says why."""

    def __init__(self, text: str) -> None:
        self.sentence = Sentence(text)
        super().__init__(text)


def current(connection: sqlite3.Connection, settings: dict[str, Any], *, on: date) -> str | None:
    """The number that holds on a day; None when numbers were entered and none of them does."""
    if connection.execute("SELECT 1 FROM approval LIMIT 1").fetchone() is None:
        return str(settings["approval"])
    row = connection.execute(
        "SELECT number FROM approval WHERE ended_at IS NULL AND valid_from <= ? AND valid_until >= ? ORDER BY id DESC LIMIT 1",
        (on.isoformat(), on.isoformat()),
    ).fetchone()
    return None if row is None else str(row["number"])


def add(connection: sqlite3.Connection, *, number: str, valid_from: str, valid_until: str, by: str, at: datetime) -> None:
    """Enter an approval; its days are ISO dates, the last one included."""
    number = " ".join(number.split())
    if not number or len(number) > MOST_NUMBER or not number.isprintable():
        raise ApprovalFault("Write the approval's number, at most 80 characters.")
    if _day(valid_from) > _day(valid_until):
        raise ApprovalFault("The approval ends before it begins.")
    with state.change(connection):
        connection.execute(
            "INSERT INTO approval (number, valid_from, valid_until, by, at) VALUES (?, ?, ?, ?, ?)",
            (number, valid_from, valid_until, by, envelope.instant(at)),
        )
        acts.write(connection, "approval-added", number, by=by, at=at, why=f"{valid_from} – {valid_until}")


def end(connection: sqlite3.Connection, *, approval: int, why: str, by: str, at: datetime) -> None:
    """Say that an approval no longer holds, from now on."""
    if not why.strip():
        raise ApprovalFault("Say why: the sentence stays with the decision.")
    with state.change(connection):
        row = connection.execute("SELECT number FROM approval WHERE id = ? AND ended_at IS NULL", (approval,)).fetchone()
        if row is None:
            raise ApprovalFault("This approval has ended already.")
        connection.execute("UPDATE approval SET ended_at = ?, ended_by = ? WHERE id = ?", (envelope.instant(at), by, approval))
        acts.write(connection, "approval-ended", row["number"], by=by, at=at, why=why)


def listed(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """Every approval that was ever entered, newest first."""
    return connection.execute("SELECT * FROM approval ORDER BY id DESC").fetchall()


def register(connection: sqlite3.Connection, *, before: int | None, limit: int) -> list[sqlite3.Row]:
    """What left, newest first: package, participant, approval, images, bytes, way, and what the platform answered."""
    return connection.execute(
        "SELECT p.*, coalesce(c.approval, '') AS approval, c.images, c.series, c.modalities, EXISTS (SELECT 1 FROM act a"  # noqa: S608
        " WHERE a.what = 'carried-out' AND a.subject = p.seq || ' ' || p.id) AS carried,"
        f" {acts.REPACKED} AS repacked FROM package p LEFT JOIN content c ON c.seq = p.seq"
        " WHERE p.state <> 'making' AND (? IS NULL OR p.seq < ?) ORDER BY p.seq DESC LIMIT ?",
        (before, before, limit),
    ).fetchall()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> date:
    raise ApprovalFault("Write both days like 2026-03-02.")
