"""The link table: which local ids belong to which study number. It exists in the hospital only (EN-05, formats e)."""

import sqlite3
import unicodedata
from datetime import datetime

from imaging.edge import envelope, state, study_number

KINDS = ("imaging", "admission", "outside")


class LinkFault(Exception):
    """A link cannot be made or ended as asked; the sentence says why."""


def local(text: str) -> str:
    """A local id or issuer as it is compared: half-width, without spaces around it, upper case; leading zeros stay."""
    return unicodedata.normalize("NFKC", text).strip("\0 \t").upper()


def link(
    connection: sqlite3.Connection, *, center: str, number: str, local_id: str, issuer: str, kind: str, name: str, by: str, at: datetime
) -> str:
    """Say that `local_id`, given by `issuer` (empty: this center), is the participant `number`; return it as it is written.

    Raises LinkFault for a wrong number, another center's number, or an id that is linked to somebody else. To link the same
    again changes nothing.
    """
    try:
        checked = study_number.check(number)
    except ValueError as error:
        raise LinkFault(str(error)) from None
    if not checked.startswith(f"{center}-"):
        raise LinkFault(f"{checked} belongs to center {checked[:2]}; this is the edge of center {center}.")
    if kind not in KINDS or not local(local_id):
        raise LinkFault(f"A local id is not empty and its kind is one of {', '.join(KINDS)}.")
    row = (checked, local(issuer) or center, local(local_id), kind, name.strip(), by, envelope.instant(at))
    try:
        with state.change(connection):
            present = _linked(connection, row[1], row[2])
            if present is None:
                connection.execute(
                    "INSERT INTO link (study_number, issuer, local_id, kind, name, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)", row
                )
    except sqlite3.IntegrityError:
        raise LinkFault("The link was not made; try again.") from None
    if present is not None and present["study_number"] != checked:
        raise LinkFault(f"This id is linked to {present['study_number']} already; unlink it there first.")
    return checked


def unlink(connection: sqlite3.Connection, *, center: str, local_id: str, issuer: str, by: str, at: datetime) -> str:
    """End a link and return the study number it had. What was packed before stays; what waits no longer matches."""
    with state.change(connection):
        present = _linked(connection, local(issuer) or center, local(local_id))
        if present is not None:
            connection.execute("UPDATE link SET unlinked_at = ?, unlinked_by = ? WHERE id = ?", (envelope.instant(at), by, present["id"]))
    if present is None:
        raise LinkFault("This id is not linked.")
    return str(present["study_number"])


def listed(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """The links that hold now, by study number."""
    return connection.execute("SELECT * FROM link WHERE unlinked_at IS NULL ORDER BY study_number, id").fetchall()


def waiting(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """What was received and matches no link: issuer, local id, modality, instances. For the eyes of the hospital only."""
    return connection.execute(
        "SELECT i.issuer, i.local_id, o.modality, count(*) AS instances FROM object o JOIN object_id i ON i.name = o.name AND i.main"
        " WHERE o.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM object_id x JOIN link l ON l.issuer = x.issuer"
        " AND l.local_id = x.local_id AND l.unlinked_at IS NULL WHERE x.name = o.name) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()


def _linked(connection: sqlite3.Connection, issuer: str, local_id: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = connection.execute(
        "SELECT * FROM link WHERE issuer = ? AND local_id = ? AND unlinked_at IS NULL", (issuer, local_id)
    ).fetchone()
    return found
