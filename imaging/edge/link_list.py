"""Links from a file: a table of study numbers and hospital numbers, understood row by row and tried before anything is linked."""

import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from imaging.edge import acts, links, state
from imaging.edge.links import LinkFault
from imaging.edge.operating_list import plain
from imaging.edge.sheet import Table
from imaging.edge.words import Sentence

HEADINGS = {
    "number": ("study number", "study no", "participant", "研究编号", "受试者编号", "参与者编号"),
    "local_id": ("hospital number", "local id", "patient id", "patientid", "admission number", "imaging number",
                 "住院号", "影像号", "检查号", "病案号", "患者编号", "登记号"),
    "issuer": ("issuer", "hospital", "签发机构", "来源医院"),
    "kind": ("kind", "type", "类别", "编号类别"),
    "name": ("name", "patient name", "姓名", "患者姓名"),
}  # fmt: skip
"""What columns of such a file are called."""
_KINDS = {"": "imaging", "影像号": "imaging", "住院号": "admission", "外院": "outside"} | {kind: kind for kind in links.KINDS}


@dataclass(frozen=True)
class Tried:
    """A row and what linking it would do: `kind` is new, known or faulty; `why` says more of a faulty one."""

    place: int
    number: str
    local_id: str
    issuer: str
    id_kind: str
    name: str
    kind: str
    why: Sentence | None = None


class _Undone(Exception):
    """Ends the trial, and with it everything that was linked in it."""


def dry_run(connection: sqlite3.Connection, table: Table, *, center: str, by: str, at: datetime) -> list[Tried]:
    """Say of every row what linking it would do. Nothing is linked. Raises LinkFault for a table without the needed headings."""
    tried: list[Tried] = []
    try:
        with state.change(connection):
            tried = _each(connection, table, center, by, at)
            raise _Undone
    except _Undone:
        return tried


def take_in(connection: sqlite3.Connection, table: Table, *, center: str, by: str, at: datetime) -> Counter[str]:
    """Link every row that is new, all at once or none; how many rows were of which kind."""
    with state.change(connection):
        tried = _each(connection, table, center, by, at)
        kinds = Counter(row.kind for row in tried)
        acts.write(connection, "links-read", f"{kinds['new']}/{len(tried)}", by=by, at=at)
    return kinds


def _each(connection: sqlite3.Connection, table: Table, center: str, by: str, at: datetime) -> list[Tried]:
    columns = _columns(table[0])
    rows = enumerate((dict(zip(columns, row, strict=True)) for row in table[1:]), start=1)
    return [_try(connection, place, said, center=center, by=by, at=at) for place, said in rows]


def _columns(headings: Sequence[str]) -> list[str]:
    known = {_bare(word): column for column, words in HEADINGS.items() for word in words}
    columns = [known.get(_bare(heading), "") for heading in headings]
    if "number" not in columns or "local_id" not in columns:
        raise LinkFault("The first row must name the columns; one holds the study number and one the hospital number.")
    return columns


def _bare(text: str) -> str:
    return re.sub(r"[\W_]", "", plain(text).lower())


def _try(connection: sqlite3.Connection, place: int, said: dict[str, str], *, center: str, by: str, at: datetime) -> Tried:
    text = {column: plain(said.get(column, "")) for column in HEADINGS}
    shown = (place, text["number"], links.local(text["local_id"]), text["issuer"], text["kind"], text["name"])
    kind = _KINDS.get(text["kind"].lower())
    if kind is None:
        return Tried(
            *shown, "faulty", Sentence("The kind “{text}” is not known: write imaging, admission or outside.", {"text": text["kind"]})
        )
    if re.fullmatch(r"\d+(\.\d+)?E\+\d+", shown[2]):
        cut = "The hospital number was cut by Excel ({text}); format the column as text and copy it again."
        return Tried(*shown, "faulty", Sentence(cut, {"text": shown[2]}))
    given = {"number": text["number"], "local_id": text["local_id"], "issuer": text["issuer"], "kind": kind, "name": text["name"]}
    try:
        new = links.put(connection, center=center, by=by, at=at, **given)
    except LinkFault as fault:
        return Tried(*shown, "faulty", fault.sentence)
    return Tried(*shown, "new" if new else "known")
