"""The quarantine: what is held and why, in words; a person releases or rejects it, and both stay written (`act`).

A released image goes its normal way through the same rules; only the reasons of `objections.LOOKED_AT` are set aside by looking at it. A
rejected one is kept until the center's policy removes it. A conflicting second version can never replace the first.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from imaging.edge import acts, envelope, objections, state
from imaging.edge.home import Home
from imaging.edge.words import Sentence

REJECTED_DAYS = 90
"""Days after which a rejected image is removed, unless `edge.json` says another number in `rejected_days`."""
AGAIN = frozenset({"mixed-patients", "two-participants", "not-cleaned"}) | objections.LOOKED_AT
"""Reasons for which an image can be released; for every other the image itself must be sent again, right."""
REASONS = {
    "burned-in": "The image says that text is burned into its pixels. Look at it: release it only when it names nobody.",
    "derived-secondary": "The image was made from others and may show text. Look at it: release it only when it names nobody.",
    "mixed-patients": "Another patient number came in the same study before. Release it when both numbers are the same person.",
    "two-participants": "Its patient numbers are linked to two participants. Correct the links, then release it.",
    "not-cleaned": "It could not be de-identified at the time. Release it to try once more.",
    "conflict": "The same image came before with other content. The first version stays and cannot be replaced; reject this one.",
    "unparseable": "The file cannot be read as an image. Have it sent again from the PACS; reject this one.",
    "limits": "Reading it went beyond the limits of memory, time or depth. Have it sent again; reject this one.",
    "too-large": "The file is larger than an image may be. Reject it.",
    "sop-mismatch": "The image is another one than its sender announced. Have it sent again; reject this one.",
    "missing-uid": "The image lacks a valid number of study, series or image. Have it sent again; reject this one.",
    "no-patient-id": "The image has no patient number, so nobody can say whose it is. Have it corrected in the PACS and sent again.",
    "overlay-in-pixels": "An overlay lies inside the pixels and cannot be removed. Have the original image sent.",
    "modality-lut": "Its grey values hang on a table that is not carried over. Have the original image sent.",
    "no-pixels": "The image has no pixels. Reject it.",
    "pixel-length": "The pixels are cut short. Have it sent again; reject this one.",
    "pixel-frames": "The frames of the pixels do not fit together. Have it sent again; reject this one.",
    "transfer-syntax": "Its compression is not one that is taken. Have it sent in another one.",
    "class-not-handled": "Slides have their own way to the platform. Reject it here.",
}
OTHERWISE = "It could not be taken; the log of this machine has more."


class NotPossible(Exception):
    """What was asked about held images cannot be; `sentence` says why."""

    def __init__(self, text: str, /, **values: object) -> None:
        self.sentence = Sentence(text, values)
        super().__init__(self.sentence.say("en"))


@dataclass(frozen=True)
class Group:
    """Which held images are meant: those of one study, patient number and reason."""

    study_uid: str
    issuer: str
    local_id: str
    reason: str


def sentence(reason: str) -> str:
    """The words for a reason code."""
    return REASONS.get(reason, OTHERWISE)


def listed(connection: sqlite3.Connection, *, rejected: bool, limit: int) -> list[sqlite3.Row]:
    """The held images by study, patient number and reason, newest first: those that wait for a decision, or the rejected ones."""
    return connection.execute(
        f"SELECT o.study_uid, coalesce(i.issuer, '') AS issuer, coalesce(i.local_id, '') AS local_id, o.reason, o.modality,"  # noqa: S608
        " count(*) AS images, min(o.name) AS name,"
        " min(o.received_at) AS first, max(o.received_at) AS last, coalesce(f.person, '') AS person,"
        " coalesce(f.study_date, '') AS study_date, coalesce(f.description, '') AS description, max(a.by) AS by, max(a.at) AS at,"
        f" max(a.why) AS why FROM object o {_JOINED} LEFT JOIN face f ON f.study_uid = o.study_uid AND f.issuer = i.issuer"
        f" AND f.local_id = i.local_id LEFT JOIN act a ON a.id = ({_LAST}) AND a.what = 'rejected'"
        " WHERE o.state = 'quarantined' AND (a.id IS NOT NULL) = ? AND NOT EXISTS (SELECT 1 FROM act p WHERE p.subject = o.name"
        " AND p.what = 'purged') GROUP BY 1, 2, 3, 4, 5 ORDER BY last DESC LIMIT ?",
        (rejected, limit),
    ).fetchall()


def names(connection: sqlite3.Connection, group: Group) -> list[str]:
    """The files of a group that are still here, in the order in which they came."""
    return [
        row["name"]
        for row in connection.execute(
            f"SELECT o.name FROM object o {_JOINED} WHERE o.state = 'quarantined' AND o.reason = ? AND o.study_uid = ?"  # noqa: S608
            " AND coalesce(i.issuer, '') = ? AND coalesce(i.local_id, '') = ?"
            " AND NOT EXISTS (SELECT 1 FROM act p WHERE p.subject = o.name AND p.what = 'purged') ORDER BY o.received_at, o.name",
            (group.reason, group.study_uid, group.issuer, group.local_id),
        )
    ]


def group_of(connection: sqlite3.Connection, name: str) -> Group | None:
    """The group that a held file belongs to; None where nothing of that name is held."""
    row = connection.execute(
        "SELECT o.study_uid, coalesce(i.issuer, '') AS issuer, coalesce(i.local_id, '') AS local_id, o.reason"  # noqa: S608
        f" FROM object o {_JOINED} WHERE o.state = 'quarantined' AND o.name = ?",
        (name,),
    ).fetchone()
    return None if row is None else Group(row["study_uid"], row["issuer"], row["local_id"], row["reason"])


def open_reasons(connection: sqlite3.Connection) -> dict[str, int]:
    """How many held images wait for a decision, by reason."""
    query = f"SELECT o.reason, count(*) FROM object o WHERE o.state = 'quarantined' AND ({_LAST_WHAT}) IS NOT 'rejected'"  # noqa: S608
    decided = " AND NOT EXISTS (SELECT 1 FROM act p WHERE p.subject = o.name AND p.what = 'purged') GROUP BY 1"
    return dict(connection.execute(query + decided).fetchall())


def release(connection: sqlite3.Connection, group: Group, *, why: str, by: str, at: datetime) -> int:
    """Let held images go their normal way; return how many. Raises NotPossible, and then none of them goes.

    Their files are moved by who takes in (`intake.bring_back`): two that move one file at once could lose it.
    """
    if group.reason not in AGAIN:
        raise NotPossible(sentence(group.reason))
    with state.change(connection):
        chosen = _chosen(connection, group, why)
        try:
            query = "UPDATE object SET state = 'waiting', reason = NULL WHERE name IN (SELECT value FROM json_each(?))"
            connection.execute(query, (json.dumps(chosen),))
        except sqlite3.IntegrityError:
            raise NotPossible("One of these images came again meanwhile and is on its way; reject these.") from None
        for name in chosen:
            acts.write(connection, "released", name, reason=group.reason, why=why, by=by, at=at)
    return len(chosen)


def reject(connection: sqlite3.Connection, group: Group, *, why: str, by: str, at: datetime) -> int:
    """Say that held images are not wanted; they are kept until the center's policy removes them. Raises NotPossible."""
    with state.change(connection):
        chosen = [name for name in _chosen(connection, group, why) if _last(connection, name) != "rejected"]
        for name in chosen:
            acts.write(connection, "rejected", name, reason=group.reason, why=why, by=by, at=at)
    return len(chosen)


def accepted(connection: sqlite3.Connection, name: str) -> frozenset[str]:
    """The reasons that a person set aside for one image."""
    return frozenset(row[0] for row in connection.execute("SELECT reason FROM act WHERE subject = ? AND what = 'released'", (name,)))


def purge(home: Home, connection: sqlite3.Connection, *, at: datetime) -> int:
    """Remove the files that were rejected so many days ago; their rows and what was said about them stay."""
    days = int(home.settings.get("rejected_days", REJECTED_DAYS))
    before = envelope.instant(at - timedelta(days=days))
    due = connection.execute(
        f"SELECT o.name, o.reason FROM object o JOIN act a ON a.id = ({_LAST}) WHERE o.state = 'quarantined' AND a.what = 'rejected'"  # noqa: S608
        " AND a.at <= ?",
        (before,),
    ).fetchall()
    for row in due:
        with state.change(connection):
            acts.write(connection, "purged", row["name"], reason=row["reason"], by=f"policy: {days} days", at=at)
        (home.quarantine / row["name"]).unlink(missing_ok=True)
    return len(due)


def received(at: float) -> datetime:
    """An instant of the state in seconds since 1970, aware."""
    return datetime.fromtimestamp(at, UTC)


_JOINED = "LEFT JOIN object_id i ON i.name = o.name AND i.main"
_LAST = "SELECT max(id) FROM act WHERE subject = o.name"
_LAST_WHAT = "SELECT what FROM act WHERE subject = o.name ORDER BY id DESC LIMIT 1"


def _chosen(connection: sqlite3.Connection, group: Group, why: str) -> Sequence[str]:
    if not why.strip():
        raise NotPossible("Say why: the sentence stays with the decision.")
    found = names(connection, group)
    if not found:
        raise NotPossible("These images were decided about meanwhile; look at the present list.")
    return found


def _last(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT what FROM act WHERE subject = ? ORDER BY id DESC LIMIT 1", (name,)).fetchone()
    return None if row is None else str(row["what"])
