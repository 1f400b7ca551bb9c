"""The lines of a pasted block: which are headings, rows, dates; what of each may be kept. Pure.

What may be kept is decided by an allow-list: rows, headings and dates as they were pasted, and of these only the words that were read.
A line that looks as if it said who somebody is goes entirely.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from studies.laboratory import columns, dates, identity, names
from studies.laboratory.columns import Header
from studies.laboratory.rows import Layout, Row, Segment, learn, rows_of_cells, segments, solve
from studies.laboratory.text import Line, lines_of
from studies.laboratory.tokens import Token, tokens
from studies.quality.identity import likenesses

TAKEN_OUT = "〔…〕"
"""Stands for a line that may have said who somebody is; read again it is still one."""
STRUCK = "…"
"""Stands for words that were not understood; read again they are still an unknown word."""
PASSED = "‥"
"""Stands for what was rightly passed over: a number of the row, a code of the laboratory."""


@dataclass(slots=True)
class ReadLine:
    """A line as it was read. `kind`: rows, header, title, date, empty, identity (taken out), unread (nothing of it was understood)."""

    line: Line
    dated: list[dates.Dated]
    kind: str = ""
    head: Header | None = None
    parts: Sequence[Segment] = ()
    rows: Sequence[Row] = ()
    kept: str = ""


def read_lines(block: str) -> list[ReadLine]:
    """The lines of a block, each with its rows and with what may be kept of it."""
    found = [ReadLine(line, dates.find(line), "" if line.plain.strip() else "empty") for line in lines_of(block)]
    _structure(found)
    _screen(found)
    return found


def _structure(found: list[ReadLine]) -> None:
    """Headings first, then the rows under them; rows without one by the order that the others teach."""
    head: Header | None = None
    for each in found:
        if each.kind == "empty":
            continue
        if begun := columns.header(each.line):
            head, each.head, each.kind, each.dated = begun, begun, "header", []
            continue
        each.head = head
        under = head is not None and head.tabbed and "\t" in each.line.plain.strip()
        cells = rows_of_cells(each.line, head) if under and head else None
        if cells is not None:
            each.rows, each.dated = cells, []
        else:
            each.parts = segments(each.line, each.dated, "\t" in each.line.plain)
    learned = learn(part for each in found if each.head is None or not each.head.order for part in each.parts)
    for each in found:
        each.rows = each.rows or [solve(part, _layout(each.head, learned)) for part in each.parts]
        each.kind = each.kind or _kind(each)


def _layout(head: Header | None, learned: Layout) -> Layout:
    if head is None or len(head.order) < 2:
        return learned
    return Layout(head.order, head.numbers, "range" in head.order)


def _kind(each: ReadLine) -> str:
    if any(any(row.results) for row in each.rows):
        return "rows"
    if each.dated:
        return "date"
    named = any(names.meaning(token.text for token in row.name).tests for row in each.rows)
    is_title = any(word.kind == "title" for word in tokens(each.line)) or names.specimen(each.line.plain)
    return "title" if is_title and not named else "unread"


def _screen(found: list[ReadLine]) -> None:
    """Decide what may be kept of every line; one that looks like an identity goes with all its rows."""
    for each in found:
        taken = [day for day in each.dated if day.taken or not day.labelled]
        if each.kind != "header" and _identifies(each, taken):
            each.kind, each.rows = "identity", ()
            each.kept = " ".join([TAKEN_OUT, *(each.line.original(day.start, day.end) for day in taken if day.taken)])
        else:
            each.kept = _kept(each, taken)


def _identifies(each: ReadLine, taken: list[dates.Dated]) -> bool:
    if each.rows and each.head and each.head.identifies and not each.head.tabbed:
        return True
    plain = list(each.line.plain)
    spans = [(day.start, day.end) for day in each.dated] + _hidden_cells(each)
    for start, end in spans:
        plain[start:end] = " " * (end - start)
    if each.line.pasted.startswith(TAKEN_OUT) or likenesses(each.line.plain):
        return True
    understood = [token for row in each.rows for token in row.kept if len(row.results) < 2 or token not in row.results]
    for token in [*understood, *(word for word in tokens(each.line) if _harmless(word))]:
        plain[token.start : token.end] = " " * (token.end - token.start)
    return identity.suspects("".join(plain))


def _hidden_cells(each: ReadLine) -> list[tuple[int, int]]:
    """The cells under columns of a table that say who somebody is: they are cut out, the row stays."""
    if not (each.rows and each.head and each.head.tabbed and each.head.identifies):
        return []
    places, fields = columns.cells(each.line), [column.field for group in each.head.groups for column in group]
    return [place for place, field in zip(places, fields, strict=False) if field in ("identity", "other", "unknown", "time", "no")]


def _kept(each: ReadLine, taken: list[dates.Dated]) -> str:
    """A line as it was pasted, with every word struck out that was not read as part of a result, a heading or a date."""
    if each.kind == "header":
        return each.line.pasted
    spans = [(token.start, token.end) for row in each.rows for token in row.kept]
    if not each.rows or not each.head or not each.head.tabbed:
        spans += [(word.start, word.end) for word in tokens(each.line) if _harmless(word)]
    said = {place for day in each.dated for place in range(day.start, day.end)}
    stays = {place for start, end in spans for place in range(start, end)} - said
    stays |= {place for day in taken for place in range(day.start, day.end)}
    kept = {each.line.places[place] for place in stays}
    passed = {each.line.places[place] for token in _passed(each) for place in range(token.start, token.end)}
    return _struck(each.line.pasted, kept, passed)


def _passed(each: ReadLine) -> list[Token]:
    """The words before a certain name that are a laboratory's own: codes and long numbers of rows."""
    meant = [(row, names.meaning(token.text for token in row.name)) for row in each.rows]
    certain = [row for row, named in meant if named.tests and not named.doubt]
    codes = [token for row in certain for token in row.name if token not in row.kept]
    begin = min((row.name[0].start for row in each.rows), default=0)
    return codes + [word for word in tokens(each.line) if word.end <= begin and word.kind == "number"]


def _harmless(word: Token) -> bool:
    return word.kind not in ("text", "number", "doubtful") or bool(names.lookup(word.text)) or (word.text.isdigit() and len(word.text) < 4)


def _struck(pasted: str, kept: set[int], passed: set[int]) -> str:
    """The signs that are kept, and those that are neither letter nor digit; each run of others is one mark."""
    out = ""
    for place, sign in enumerate(pasted):
        mark = PASSED if place in passed else STRUCK
        if place in kept or not sign.isalnum():
            out += sign
        elif not out.endswith(mark):
            out += mark
    return out
