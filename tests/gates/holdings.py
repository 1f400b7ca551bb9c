"""What two worlds keep: every row that a login of the site can read, every file outside the sealed room, every task that waits.

Where these are the same, no page, export, log line or backup made of them can differ. What may differ is a closed list (`RANDOM`, the
digests of `normalise`, custodians' signatures on a model, a head in the name of a file): what is drawn at random, never what follows
from a model.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery.signals import before_task_publish
from django.db import connection
from psycopg import sql

from predictions.models import ModelVersion
from prime_platform import privileges
from tests.gates import asking, normalise

RANDOM = {
    "accounts_user": {"password"},
    "accounts_ledgerrow": {"nonce"},
}
"""Table → columns that hold a salt or a nonce."""
SESSIONS = {"django_session"}
SEALED_ROOM = "infer"
"""The inference host's own directory: no process of the site can read it (test_secrecy)."""
DIGEST_SIZE = 32
START = 8
"""Digits of a head in the name of the file that goes to the centers."""
Kept = dict[str, list[str]]
"""Table, `files` or `queue` → its lines in order."""


@contextmanager
def queued() -> Iterator[list[str]]:
    """The messages that are sent to the queues meanwhile, each with its arguments."""
    sent: list[str] = []

    def note(sender: str = "", body: Any = None, **_: Any) -> None:
        sent.append(f"{sender} {body}")

    before_task_publish.connect(note)
    try:
        yield sent
    finally:
        before_task_publish.disconnect(note)


def everything(folder: Path, sent: list[str]) -> Kept:
    """All of it, with the digests that another model changes replaced by whose they are."""
    digests, signatures = asking.known_digests(), _signatures()
    found = {table: [_plain(row, digests, signatures) for row in _rows(table)] for table in readable()}
    heads = {digest[:START]: whose for digest, whose in digests.items() if whose.startswith("head ")}
    return found | {"files": sorted(_replaced(line, heads) for line in _files(folder)), "queue": list(sent)}


def readable() -> list[str]:
    """The tables that the web's or the worker's login may read."""
    return sorted(
        table
        for table, rule in privileges.tables().items()
        if table not in SESSIONS and any("S" in rule.get(login, "") for login in ("prime_web", "prime_worker"))
    )


def differences(one: Kept, other: Kept) -> list[str]:
    """A sentence for every table whose rows differ, with the first that does."""
    found = [f"{table}: kept in one world only" for table in one.keys() ^ other.keys()]
    for table in one.keys() & other.keys():
        if one[table] != other[table]:
            apart = next((pair for pair in zip(one[table], other[table], strict=False) if pair[0] != pair[1]), None)
            found.append(f"{table}: {len(one[table])} and {len(other[table])} rows; {apart}")
    return sorted(found)


def _signatures() -> dict[str, str]:
    """What custodians signed of a model, of which another hash gives another signature."""
    versions = ModelVersion.objects.all()
    return {said: f"<{letter} of model {each.tier}>" for each in versions for letter, said in each.signatures.items()}


def _plain(row: str, digests: normalise.Known, signatures: dict[str, str]) -> str:
    return _replaced(normalise.body(row.encode(), digests).decode(), signatures)


def _replaced(line: str, known: dict[str, str]) -> str:
    for said, whose in known.items():
        line = line.replace(said, whose)
    return line


def _rows(table: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table)))
        kept = [place for place, column in enumerate(cursor.description) if column.name not in RANDOM.get(table, ())]
        for row in cursor.fetchall():
            yield "\t".join(_text(row[place]) for place in kept)


def _text(value: Any) -> str:
    if not isinstance(value, bytes | memoryview):
        return str(value)
    data = bytes(value)
    return data.hex() if len(data) == DIGEST_SIZE else data.decode("utf-8", "backslashreplace")


def _files(folder: Path) -> Iterator[str]:
    """Name and size: what stands in them is either random (keys, ciphertext) or made of the rows."""
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        if path.is_file() and place.parts[0] != SEALED_ROOM:
            yield f"{place} {path.stat().st_size}"
