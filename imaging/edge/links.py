"""The link table: which local ids belong to which study number. It exists in the hospital only (EN-05, formats e)."""

import sqlite3
import unicodedata
from datetime import datetime

from imaging.edge import envelope, state, study_number
from imaging.edge.words import Sentence

KINDS = ("imaging", "admission", "outside")


class LinkFault(Exception):
    """A link cannot be made or ended as asked; `sentence` says why, in the language of who asked."""

    def __init__(self, text: str, /, **values: object) -> None:
        self.sentence = Sentence(text, values)
        super().__init__(self.sentence.say("en"))


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
    with state.change(connection):
        put(connection, center=center, number=number, local_id=local_id, issuer=issuer, kind=kind, name=name, by=by, at=at)
    return study_number.check(number)


def put(
    connection: sqlite3.Connection, *, center: str, number: str, local_id: str, issuer: str, kind: str, name: str, by: str, at: datetime
) -> bool:
    """`link` inside a transaction of the caller's; whether the link is a new one."""
    checked = _checked(number, center)
    if kind not in KINDS or not local(local_id):
        raise LinkFault("A local id is not empty and its kind is one of {kinds}.", kinds=", ".join(KINDS))
    row = (checked, local(issuer) or center, local(local_id), kind, name.strip(), by, envelope.instant(at))
    present = _linked(connection, row[1], row[2])
    if present is not None and present["study_number"] != checked:
        raise LinkFault("This id is linked to {number} already; unlink it there first.", number=present["study_number"])
    if present is None:
        connection.execute("INSERT INTO link (study_number, issuer, local_id, kind, name, by, at) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    return present is None


def _checked(number: str, center: str) -> str:
    try:
        checked = study_number.check(number)
    except ValueError:
        text = "“{number}” is no study number: it looks like {example}, and its check digits must fit. Compare every digit."
        raise LinkFault(text, number=number[:40], example=study_number.make(center, 7)) from None
    if not checked.startswith(f"{center}-"):
        raise LinkFault(
            "{number} belongs to center {other}; this is the edge of center {center}.", number=checked, other=checked[:2], center=center
        )
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


def found(connection: sqlite3.Connection, *, text: str, limit: int) -> list[sqlite3.Row]:
    """The newest links that hold now; `text` is a part of the local id, the name or the study number (all for an empty one)."""
    return connection.execute(
        "SELECT * FROM link WHERE unlinked_at IS NULL AND (instr(local_id, ?) OR instr(name, ?) OR instr(study_number, ?))"
        " ORDER BY id DESC LIMIT ?",
        (local(text), text.strip(), text.strip(), limit),
    ).fetchall()


def waiting(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """What was received and matches no link: issuer, local id, modality, instances. For the eyes of the hospital only."""
    return connection.execute(
        "SELECT i.issuer, i.local_id, o.modality, count(*) AS instances FROM object o JOIN object_id i ON i.name = o.name AND i.main"
        " WHERE o.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM object_id x JOIN link l ON l.issuer = x.issuer"
        " AND l.local_id = x.local_id AND l.unlinked_at IS NULL WHERE x.name = o.name) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()


def unmatched(connection: sqlite3.Connection, *, limit: int) -> list[sqlite3.Row]:
    """The studies that match no link, newest first, with whom they say they are of. For the eyes of the hospital only."""
    return connection.execute(
        "SELECT o.study_uid, i.issuer, i.local_id, group_concat(DISTINCT o.modality) AS modalities, count(*) AS images,"
        " max(o.received_at) AS last, coalesce(f.person, '') AS person, coalesce(f.study_date, '') AS study_date,"
        " coalesce(f.description, '') AS description FROM object o JOIN object_id i ON i.name = o.name AND i.main"
        " LEFT JOIN face f ON f.study_uid = o.study_uid AND f.issuer = i.issuer AND f.local_id = i.local_id"
        " WHERE o.state = 'waiting' AND NOT EXISTS (SELECT 1 FROM object_id x JOIN link l ON l.issuer = x.issuer"
        " AND l.local_id = x.local_id AND l.unlinked_at IS NULL WHERE x.name = o.name)"
        " GROUP BY 1, 2, 3 ORDER BY last DESC LIMIT ?",
        (limit,),
    ).fetchall()


def suggested(connection: sqlite3.Connection, *, person: str) -> list[str]:
    """Study numbers that are linked under exactly this name (spaces and case apart), by another id; a person decides."""
    wanted = _plain_name(person)
    if not wanted:
        return []
    rows = connection.execute("SELECT DISTINCT study_number, name FROM link WHERE unlinked_at IS NULL AND name <> '' ORDER BY 1").fetchall()
    listed = connection.execute(
        "SELECT DISTINCT l.study_number, o.name FROM operation o JOIN link l ON l.local_id = o.local_id AND l.unlinked_at IS NULL"
        " WHERE o.name <> '' AND o.state <> 'dropped' ORDER BY 1"
    ).fetchall()
    return list(dict.fromkeys(row["study_number"] for row in [*rows, *listed] if _plain_name(row["name"]) == wanted))


def _plain_name(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _linked(connection: sqlite3.Connection, issuer: str, local_id: str) -> sqlite3.Row | None:
    found: sqlite3.Row | None = connection.execute(
        "SELECT * FROM link WHERE issuer = ? AND local_id = ? AND unlinked_at IS NULL", (issuer, local_id)
    ).fetchone()
    return found
