"""The operating list as the edge keeps it: who was operated on when, and the screening number that the platform gave each row.

Names and hospital numbers stand in this table and leave it never (EN-05). Duplicates are sought here, within the center (EN-06).
States: held (a person decides whether it is another operation) → waiting (to be sent) → numbered | refused; held, refused and what was
never sent may be dropped.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from imaging.edge import envelope, links, state
from imaging.edge.operating_list import Line, plain
from imaging.edge.row_token import row_token
from imaging.edge.words import Sentence

SAME_PATIENT_DAYS = 90
"""Two operations under one hospital number within so many days are one operation with a mistyped date until a person says otherwise."""
STATES = ("held", "waiting", "numbered", "refused", "dropped")
PAGE_ROWS = 50


class NotNow(Exception):
    """A row's state rules out what was asked; `sentence` says why."""

    def __init__(self, text: str) -> None:
        self.sentence = Sentence(text)
        super().__init__(text)


@dataclass(frozen=True)
class Compared:
    """A line of a list against what is known: `kind` is new, doubtful, known, differs, repeated or faulty; `why` says more.

    Of a known line, `state` is where its row stands and `screening` the number it has.
    """

    line: Line
    kind: str
    token: str = ""
    why: tuple[Sentence, ...] = ()
    screening: str = ""
    state: str = ""


@dataclass(frozen=True)
class Numbered:
    """What the platform answered for one row: its screening number, or the code of a refusal."""

    token: str
    number: int | None = None
    screening: str = ""
    refused: str = ""


def compare(connection: sqlite3.Connection, lines: Iterable[Line], key: bytes) -> list[Compared]:
    """Say of each line whether it is new, known, doubtful or faulty; `key` is the center's `row_key`. Nothing is written."""
    seen = _Seen()
    return [_compare(connection, line, key, seen) for line in lines]


def take_in(connection: sqlite3.Connection, lines: Sequence[Line], *, key: bytes, by: str, at: datetime) -> Counter[str]:
    """Keep the new and the doubtful lines; the same list again adds none. Returns how many lines were of which kind."""
    kinds: Counter[str] = Counter()
    with state.change(connection):
        for compared in compare(connection, lines, key):
            kinds[compared.kind] += 1
            if compared.kind in ("new", "doubtful"):
                _insert(connection, compared, by, envelope.instant(at))
    return kinds


def decide(connection: sqlite3.Connection, *, row: int, send: bool, by: str, at: datetime) -> None:
    """Send a held row after all, or drop a held, a refused, or a never sent one. Raises NotNow."""
    with state.change(connection):
        found = connection.execute("SELECT state, sent_at FROM operation WHERE id = ?", (row,)).fetchone()
        droppable = found and (found["state"] in ("held", "refused") or (found["state"] == "waiting" and found["sent_at"] is None))
        if not found or (send and found["state"] != "held") or (not send and not droppable):
            raise NotNow("This row has moved on meanwhile; look at its present state.")
        connection.execute(
            "UPDATE operation SET state = ?, decided_by = ?, decided_at = ? WHERE id = ?",
            ("waiting" if send else "dropped", by, envelope.instant(at), row),
        )


def to_send(connection: sqlite3.Connection, *, at: datetime, limit: int) -> list[sqlite3.Row]:
    """The next rows to send, in the order of surgery; they count as sent from now on, whatever happens to the answer."""
    with state.change(connection):
        rows = connection.execute(
            "SELECT id, token, surgery_date, age, sex FROM operation WHERE state = 'waiting' ORDER BY surgery_date, id LIMIT ?", (limit,)
        ).fetchall()
        connection.executemany("UPDATE operation SET sent_at = ? WHERE id = ?", [(envelope.instant(at), row["id"]) for row in rows])
    return rows


def settle(connection: sqlite3.Connection, answers: Iterable[Numbered], *, at: datetime) -> int:
    """Write down what the platform answered for rows that wait; return how many were numbered."""
    numbered = 0
    with state.change(connection):
        for said in answers:
            became = "refused" if said.refused else "numbered"
            done = connection.execute(
                "UPDATE operation SET state = ?, number = ?, screening = ?, reason = ?, answered_at = ?"
                " WHERE token = ? AND state = 'waiting'",
                (became, said.number, said.screening, said.refused, envelope.instant(at), said.token),
            )
            numbered += done.rowcount if became == "numbered" else 0
    return numbered


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows are in which state; every state is named."""
    found = dict(connection.execute("SELECT state, count(*) FROM operation GROUP BY state").fetchall())
    return {name: int(found.get(name, 0)) for name in STATES}


def listed(connection: sqlite3.Connection, *, center: str, state_: str, text: str, before: int | None) -> list[sqlite3.Row]:
    """Rows in one state (or all but the dropped), newest first, one more than a page, whose number or name contains `text`."""
    where, values = ["o.state = ?" if state_ in STATES else "o.state <> 'dropped'"], [state_] if state_ in STATES else []
    if text.strip():
        where.append("(instr(o.local_id, ?) OR instr(o.name, ?) OR o.screening = ?)")
        values += [links.local(text), plain(text), links.local(text)]
    if before is not None:
        where.append("o.id < ?")
    joined = "operation o LEFT JOIN link l ON l.issuer = ? AND l.local_id = o.local_id AND l.unlinked_at IS NULL"
    query = f"SELECT o.*, l.study_number FROM {joined} WHERE {' AND '.join(where)} ORDER BY o.id DESC LIMIT ?"  # noqa: S608
    bound: list[object] = [center, *values, *([before] if before is not None else []), PAGE_ROWS + 1]
    return connection.execute(query, bound).fetchall()


def name_of(connection: sqlite3.Connection, local_id: str) -> str:
    """The name that the operating list gives a hospital number; empty when it gives none."""
    query = "SELECT name FROM operation WHERE local_id = ? AND state <> 'dropped' ORDER BY id DESC LIMIT 1"
    found = connection.execute(query, (links.local(local_id),)).fetchone()
    return str(found["name"]) if found else ""


class _Seen:
    """The lines of this list so far, by token, by hospital number, and by name and day."""

    def __init__(self) -> None:
        self.by_token: dict[str, Line] = {}
        self._by_id: dict[str, list[Line]] = {}
        self._by_name: dict[tuple[str, date | None], list[Line]] = {}

    def add(self, token: str, line: Line) -> None:
        self.by_token[token] = line
        self._by_id.setdefault(line.local_id, []).append(line)
        if line.name:
            self._by_name.setdefault((line.name, line.surgery_date), []).append(line)

    def doubts(self, line: Line) -> list[Sentence]:
        """Why a line may be an operation that stands in this list already."""
        day = "The same hospital number stands in row {place} with surgery on {day}."
        name = "The same name on the same day stands in row {place} under another number."
        near = [each for each in self._by_id.get(line.local_id, []) if _near(each.surgery_date, line.surgery_date)]
        named = self._by_name.get((line.name, line.surgery_date), [])
        return [
            *(Sentence(day, {"place": each.place, "day": str(each.surgery_date)}) for each in near),
            *(Sentence(name, {"place": each.place}) for each in named if each.local_id != line.local_id),
        ]


def _compare(connection: sqlite3.Connection, line: Line, key: bytes, seen: _Seen) -> Compared:
    if line.faults or line.surgery_date is None:
        return Compared(line, "faulty", why=tuple(line.faults))
    token = row_token(key, line.local_id, line.surgery_date)
    if (twin := seen.by_token.get(token)) is not None:
        same = (twin.sex, twin.age) == (line.sex, line.age)
        text = "The same operation stands in row {place} already." if same else "Row {place} says another age or sex of the same operation."
        return Compared(line, "repeated" if same else "faulty", token, (Sentence(text, {"place": twin.place}),))
    doubts = [*seen.doubts(line), *_doubts_of(connection, line)]
    seen.add(token, line)
    known = connection.execute("SELECT * FROM operation WHERE token = ? AND state <> 'dropped'", (token,)).fetchone()
    if known is not None:
        return _known(line, token, known)
    return Compared(line, "doubtful" if doubts else "new", token, tuple(doubts))


def _known(line: Line, token: str, known: sqlite3.Row) -> Compared:
    if (known["sex"], known["age"]) == (line.sex, line.age):
        return Compared(line, "known", token, screening=known["screening"], state=known["state"])
    if known["state"] == "numbered":
        text = "Taken in before with another age or sex; nothing is changed here: correct the line {screening} on the platform."
    else:
        text = "Taken in before with another age or sex; leave that row out first, then take in this one."
    return Compared(line, "differs", token, (Sentence(text, {"screening": known["screening"]}),), known["screening"])


def _doubts_of(connection: sqlite3.Connection, line: Line) -> list[Sentence]:
    """Why a line may be an operation that is known under another date or number."""
    doubts = []
    for other in connection.execute(
        "SELECT surgery_date, screening FROM operation WHERE local_id = ? AND state <> 'dropped'", (line.local_id,)
    ):
        day = date.fromisoformat(other["surgery_date"])
        if day != line.surgery_date and _near(day, line.surgery_date):
            values = {"day": day.isoformat(), "screening": other["screening"] or "–"}
            doubts.append(Sentence("The same hospital number is known with surgery on {day} ({screening}).", values))
    for other in connection.execute(
        "SELECT local_id, screening FROM operation"
        " WHERE surgery_date = ? AND name = ? AND name <> '' AND local_id <> ? AND state <> 'dropped'",
        (str(line.surgery_date), line.name, line.local_id),
    ):
        values = {"local_id": other["local_id"], "screening": other["screening"] or "–"}
        doubts.append(Sentence("The same name on the same day is known under number {local_id} ({screening}).", values))
    return doubts


def _near(one: date | None, other: date | None) -> bool:
    return one is not None and other is not None and one != other and abs((one - other).days) <= SAME_PATIENT_DAYS


def _insert(connection: sqlite3.Connection, compared: Compared, by: str, at: str) -> None:
    line, became = compared.line, "held" if compared.kind == "doubtful" else "waiting"
    person = (line.local_id, str(line.surgery_date), line.name, line.sex, line.age, line.procedure, line.diagnosis)
    connection.execute(
        "INSERT INTO operation (token, local_id, surgery_date, name, sex, age, procedure, diagnosis, state, by, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (compared.token, *person, became, by, at),
    )
