"""Reading a pasted laboratory report, in whatever layout a hospital's system prints it: each line, and what it means for a form. Pure.

`read` is the whole of it. Every row is one of three: it *can be filled in*, it is *to decide*, or it is *not ours*; the text a value
came from is kept with it. What may be kept of the pasted block is `Report.kept`: rows, headings and dates as they were pasted. A line
that looks as if it said who somebody is goes entirely, words that were not understood are struck out, and neither is in any result.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from studies.dictionary import Item
from studies.laboratory import names
from studies.laboratory.judging import Candidate, Judged, judge
from studies.laboratory.lines import ReadLine, read_lines
from studies.laboratory.rows import Row
from studies.laboratory.tokens import Token

LONGEST = 20_000
"""Signs of a block that is read; a report of a day has about 2,000."""

__all__ = ["Candidate", "PastedLine", "Reading", "Report", "TooLong", "read"]


class TooLong(ValueError):
    """The block is longer than any report."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One test of the block: its lines, the pasted texts, and what it means. `kind`: fill, decide or other.

    Of a test that stands there several times, `days` and `of_lines` say the day and the line of each candidate.
    """

    line: int
    kind: str
    why: str
    item: str
    test: str
    name: str
    result: str
    unit: str
    range: str
    flag: str
    on: str
    value: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()
    with_lines: tuple[int, ...] = ()
    days: tuple[str, ...] = ()
    of_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PastedLine:
    """A line of the block: what may be kept of it, and what it is.

    `kind`: rows, header, title, date, empty, identity (taken out), unread (nothing of it was understood).
    """

    number: int
    kept: str
    kind: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a block says. `days`: the dates of sampling; `other_days`: dates that say something else, such as of the report."""

    lines: tuple[PastedLine, ...]
    readings: tuple[Reading, ...]
    days: tuple[str, ...]
    other_days: tuple[str, ...]

    @property
    def kept(self) -> str:
        """The block as it may be stored, line for line."""
        return "\n".join(line.kept for line in self.lines)

    def of(self, kind: str) -> tuple[Reading, ...]:
        """The readings of one kind."""
        return tuple(reading for reading in self.readings if reading.kind == kind)

    @property
    def taken_out(self) -> tuple[int, ...]:
        """The numbers of the lines that went because they may say who somebody is."""
        return tuple(line.number for line in self.lines if line.kind == "identity")


def read(block: str, items: Iterable[Item], *, on: str = "") -> Report:
    """Read a pasted block for the items of a form; with `on`, take only what was sampled on that day. Raises TooLong."""
    if len(block) > LONGEST:
        raise TooLong(str(len(block)))
    found = read_lines(block)
    asked = {item.code: item for item in items}
    judged = _judged(found, asked)
    days = tuple(dict.fromkeys(day for each in found for day in _days(each)))
    readings = _on(judged, on) if on else judged
    others = tuple(dict.fromkeys(day.on for each in found for day in each.dated if not day.taken and day.on not in days))
    lines = tuple(PastedLine(each.line.number, each.kept, each.kind) for each in found)
    return Report(lines, tuple(_once(readings)), days, others)


def _judged(found: list[ReadLine], items: Mapping[str, Item]) -> list[Reading]:
    """The readings of every line, under the day and specimen that its heading says."""
    readings, day, specimen = list[Reading](), "", ""
    unclear = _day_is_unclear(found)
    only = {on for each in found for on in _line_days(each)}
    for number, each in enumerate(found):
        specimen = _specimen_from(each, specimen)
        day = _line_days(each)[-1] if _line_days(each) else day
        current = "" if unclear else day or (next(iter(only)) if len(only) == 1 else "")
        doubtful = specimen == "doubtful" or (not specimen and _among_urine(found, number))
        for row in each.rows if each.kind == "rows" else ():
            judged = judge(row, items, doubtful_specimen=doubtful, other_specimen=specimen == "other")
            readings.append(_reading(row, judged, row.on or current))
    return readings


def _specimen_from(each: ReadLine, before: str) -> str:
    """The specimen from this line on: blood, other, "" where nothing was said, doubtful where a report begins after one of another."""
    if each.kind in ("title", "date", "unread") and (said := names.specimen(each.line.plain)):
        return said
    if each.kind == "title":
        return "blood"
    return "doubtful" if each.kind in ("date", "header") and before == "other" else before


def _line_days(each: ReadLine) -> list[str]:
    """The days that a line says for the rows around it: of sampling, or without a word for what they are."""
    if each.kind == "rows":
        return []
    return [day.on for day in each.dated if day.taken or not day.labelled]


def _days(each: ReadLine) -> list[str]:
    return [*_line_days(each), *(row.on for row in each.rows if row.on)]


def _day_is_unclear(found: list[ReadLine]) -> bool:
    """Whether there are several days and the first stands under its rows: then nobody can say which rows a day is of."""
    days = [(number, on) for number, each in enumerate(found) for on in _line_days(each)]
    rows = [number for number, each in enumerate(found) if each.kind == "rows"]
    return len({on for _, on in days}) > 1 and bool(rows) and rows[0] < days[0][0]


def _among_urine(found: list[ReadLine], number: int) -> bool:
    """Whether a test that is done in urine alone stands in the same group of rows and nothing says what the specimen is."""

    def rows_near(step: int) -> Iterable[ReadLine]:
        place = number
        while 0 <= place < len(found) and found[place].kind in ("rows", "unread", "identity"):
            yield found[place]
            place += step

    near = [*rows_near(-1), *rows_near(1)]
    return any(names.meaning(token.text for token in row.name).tests & names.table().of_urine for each in near for row in each.rows)


def _reading(row: Row, judged: Judged, on: str) -> Reading:
    def pasted(listed: Iterable[Token | None]) -> str:
        return " ".join(row.line.original(token.start, token.end) for token in listed if token)

    return Reading(
        line=row.line.number,
        kind=judged.kind,
        why=judged.why,
        item=judged.item,
        test=judged.test,
        name=pasted(row.name),
        result=pasted(row.results),
        unit=pasted([row.unit]),
        range=pasted(row.ranges),
        flag=pasted([row.flag]),
        on=on,
        value=judged.value,
        candidates=judged.candidates,
        notes=judged.notes,
    )


def _on(readings: list[Reading], day: str) -> list[Reading]:
    """What was sampled on another day is not ours."""
    return [
        replace(each, kind="other", why="other_day", value=None, candidates=()) if each.on not in ("", day) else each for each in readings
    ]


def _once(readings: list[Reading]) -> list[Reading]:
    """An item that comes twice with the same value counts once; with different ones, or of different days, it is one question."""
    by_item = dict[str, list[Reading]]()
    for each in readings:
        if each.kind != "other" and each.item:
            by_item.setdefault(each.item, []).append(each)
    changed = dict[int, Reading]()
    for same in (group for group in by_item.values() if len(group) > 1):
        changed |= {id(old): new for old, new in zip(same, _joined(same), strict=True)}
    return [changed.get(id(each), each) for each in readings]


def _joined(same: list[Reading]) -> list[Reading]:
    first, rest = same[0], same[1:]
    lines = tuple(each.line for each in same)
    repeated = [replace(each, kind="other", why="repeated", value=None, candidates=(), with_lines=(first.line,)) for each in rest]
    if first.kind == "fill" and all(each.kind == "fill" and _what(each) == _what(first) for each in rest):
        return [first, *repeated]
    given = [(one, each) for each in same for one in ((each.value,) if each.value else each.candidates)]
    known = {(one.value, one.comparator, one.unit, one.limit, each.on): (one, each) for one, each in reversed(given)}
    answers = list(reversed(known.values()))  # the first of those that say the same
    question = replace(
        first,
        kind="decide",
        why="twice",
        value=None,
        candidates=tuple(one for one, _ in answers),
        days=tuple(each.on for _, each in answers),
        of_lines=tuple(each.line for _, each in answers),
        with_lines=lines,
    )
    return [question, *repeated]


def _what(reading: Reading) -> tuple[str, str, str]:
    value = reading.value
    return (value.value, value.comparator, reading.on) if value else ("", "", reading.on)
