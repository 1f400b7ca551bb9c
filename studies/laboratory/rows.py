"""Rows of a pasted block: where one test begins and ends, and which of its words is the result, the unit, the reference range. Pure.

Without a heading the order of the columns is learned from the rows that can be read one way only; a row that can be read two
ways keeps both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from studies.laboratory import dates, names, units
from studies.laboratory.columns import Column, Header, cells
from studies.laboratory.text import Line
from studies.laboratory.tokens import Token, tokens

WORDS = frozenset({"positive", "negative", "not_detected", "borderline"})
VALUES = WORDS | {"number", "doubtful"}
Order = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One test of a line. `results` are the words that may be its result; None among them says that it may have none."""

    line: Line
    name: tuple[Token, ...]
    results: tuple[Token | None, ...] = ()
    words: tuple[Token, ...] = ()
    unit: Token | None = None
    ranges: tuple[Token, ...] = ()
    flag: Token | None = None
    on: str = ""
    when: Token | None = None
    other_specimen: bool = False
    unread: tuple[Token, ...] = ()
    doubt: str = ""

    @property
    def kept(self) -> list[Token]:
        """The words that were read: what may be stored of the line. Of a name only the words that are in the table."""
        name = [token for token in self.name if names.meaning([token.text]).tests or names.is_neutral(token.text)]
        known = list(self.name) if names.lookup(" ".join(token.text for token in self.name)) else name
        parts = [*known, *self.results, *self.words, self.unit, *self.ranges, self.flag, self.when]
        return [part for part in parts if part is not None and (part.kind != "unit" or units.is_unit(part.text))]


@dataclass(frozen=True, slots=True)
class Segment:
    """The words of one test of a line, before it is known which is what."""

    line: Line
    name: tuple[Token, ...]
    rest: tuple[Token, ...]
    on: str = ""

    def of(self, *kinds: str) -> list[Token]:
        """The words of some kinds that are not its name."""
        return [token for token in self.rest if token.kind in kinds]


# ---------- lines without cells ----------


def segments(line: Line, dated: Sequence[dates.Dated], whole_cells: bool) -> list[Segment]:
    """The tests of a line, one or several side by side."""
    found = _tokens(line, dated, whole_cells)
    numbered = len(found) > 1 and found[0].text.isdigit() and found[1].kind in ("text", "number", "flag")
    days = {each.on for each in dated if each.taken or not each.labelled}
    on = days.pop() if len(days) == 1 else ""
    parts = _cut(found, numbered)
    return [segment for part in parts if (segment := _segment(line, part, on)) is not None]


def _tokens(line: Line, dated: Sequence[dates.Dated], whole_cells: bool) -> list[Token]:
    """The words of a line outside its dates."""
    gaps, start = list[tuple[int, int]](), 0
    for each in dated:
        gaps.append((start, each.start))
        start = each.end
    gaps.append((start, len(line.plain)))
    if not whole_cells:
        return [token for low, high in gaps for token in tokens(line, low, high)]
    places = [(max(low, left), min(high, right)) for low, high in gaps for left, right in cells(line)]
    return [token for left, right in places if left < right for token in tokens(line, left, right, whole=True)]


def _cut(found: list[Token], numbered: bool) -> list[list[Token]]:
    """The words parted where a further name with a result of its own begins."""
    parts, current, named, valued = list[list[Token]](), list[Token](), False, False
    for place, token in enumerate(found):
        if valued and token.kind == "text" and _begins(found, place):
            begun = [current.pop()] if numbered and _ends_in_number(current) else []
            parts.append(current)
            current, valued = begun, False
        named = named or token.kind == "text"
        valued = valued or (named and token.kind in VALUES)
        current.append(token)
    return [*parts, current]


def _begins(found: list[Token], place: int) -> bool:
    """Whether a text after a result is the name of a further test: a result follows it, and it is not an unknown unit."""
    after = found[place + 1 :]
    run = next((number for number, token in enumerate(after) if token.kind != "text"), len(after))
    followed = any(token.kind in VALUES for token in after[run:])
    known = bool(names.meaning(token.text for token in found[place : place + 1 + run]).tests)
    unit_like = "/" in found[place].text and found[place - 1].kind in ("number", "flag")
    return followed and (known or not unit_like)


def _ends_in_number(current: list[Token]) -> bool:
    """Whether a part ends in a whole number beside a result of its own: the number of the next row."""
    values = [token for token in current if token.kind in VALUES]
    return len(values) > 1 and current[-1].kind == "number" and current[-1].text.isdigit() and any(t.kind == "text" for t in current)


def _segment(line: Line, part: list[Token], on: str) -> Segment | None:
    first = next((place for place, token in enumerate(part) if token.kind == "text"), None)
    if first is None:
        return None
    begin = first - 1 if first and part[first - 1].kind == "flag" and part[first - 1].text.isalpha() else first
    value = next((place for place, token in enumerate(part) if place > first and token.kind in VALUES), len(part))
    name = tuple(token for place, token in enumerate(part) if begin <= place < value and _names(token))
    rest = tuple(token for place, token in enumerate(part) if place > first and token not in name)
    return Segment(line, name, rest, on)


def _names(token: Token) -> bool:
    """Whether a word before the result belongs to the name; `L` and `N` may be short for cells, an arrow is a mark."""
    return token.kind in ("text", "neutral") or (token.kind == "flag" and token.text.isalpha())


# ---------- which word is what ----------


@dataclass(frozen=True, slots=True)
class Layout:
    """What is known of the columns: their order (None: not known), the columns of plain numbers, whether ranges are printed at all."""

    order: Order | None = None
    numbers: tuple[str, ...] = ()
    has_ranges: bool = True


def learn(parts: Iterable[Segment]) -> Layout:
    """The order of result, unit and range, where every row that can be read one way only has the same."""
    listed = list(parts)
    orders = {order for part in listed if (order := _plain_order(part))}
    full = {order for order in orders if len(order) == 3} or orders
    return Layout(full.pop() if len(full) == 1 else None, (), any(_limits(part) for part in listed))


def _limits(part: Segment) -> list[Token]:
    """The words of a segment that can be its reference range and nothing else."""
    values = part.of(*VALUES)
    plain = [value for value in values if value.kind == "number" and not value.censored]
    beside = [value for value in values if value.censored]
    return part.of("range") or (beside if len(plain) == len(beside) == 1 else [])


def _plain_order(part: Segment) -> Order | None:
    ranges, measures = _limits(part), part.of("unit")
    values = [value for value in part.of(*VALUES) if value not in ranges]
    if len(values) != 1 or values[0].censored or len(ranges) != 1 or len(measures) > 1:
        return None
    places = {"result": values[0].start, "range": ranges[0].start} | ({"unit": measures[0].start} if measures else {})
    return tuple(sorted(places, key=lambda each: places[each]))


def solve(part: Segment, layout: Layout) -> Row:
    """The row of a segment: every reading of its words that the order of the columns allows."""
    values, ranges, measures = part.of(*VALUES), part.of("range"), part.of("unit")
    unit = measures[0] if measures else None
    doubt = "columns" if len({measure.text for measure in measures}) > 1 else ""
    found = list(dict.fromkeys(_readings(values, ranges, unit, layout)))
    if picked := _by_column(values, layout):
        found = [picked]
    if not found and values:
        found, doubt = [value for value in values if value.kind not in WORDS] or list(values), "two_results"
    words = tuple(value for value in values if value.kind in WORDS)
    limits = [value for value in values if len(found) == 1 and value is not found[0] and (value.censored or value.kind in WORDS)]
    flag = next((token for token in part.rest if token.kind == "flag"), None)
    other = any(token.kind == "text" and names.is_other_specimen(token.text) for token in part.rest)
    unread = tuple(token for token in part.rest if token.kind == "text")
    if len(layout.numbers) > 1 and not picked:
        doubt = doubt or "columns"
    return Row(
        part.line,
        part.name,
        results=tuple(found),
        words=words,
        unit=unit,
        ranges=tuple(ranges or limits),
        flag=flag,
        on=part.on,
        other_specimen=other,
        unread=unread,
        doubt=doubt,
    )


def _readings(values: list[Token], ranges: list[Token], unit: Token | None, layout: Layout) -> list[Token | None]:
    """Each word that may be the result while all others find a place, with None where the only one may be the range."""
    found = list[Token | None]()
    for result in values:
        others = [value for value in values if value is not result]
        limits = [value for value in others if value.censored or (value.kind == "negative" and result.kind in WORDS)]
        marks = [value for value in others if value.kind in WORDS and result.kind not in WORDS]
        placed = len(limits) + len(marks) == len(others) and len(limits) + bool(ranges) <= 1
        if placed and _in_order(result, [*limits, *ranges], unit, layout):
            found.append(result)
    if len({result.text for result in found if result}) == 1:
        found = found[:1]
    lone = len(values) == 1 and values[0].censored and not ranges
    after_unit = lone and unit is not None and unit.start < values[0].start and layout.order is None
    may_be_empty = lone and (layout.has_ranges or after_unit) and _in_order(None, values, unit, layout)
    return [*found, None] if may_be_empty else found


def _in_order(result: Token | None, limits: list[Token], unit: Token | None, layout: Layout) -> bool:
    if layout.order is None:
        return True
    if limits and "range" not in layout.order:
        return False
    places = [("result", result.start)] if result else []
    places += [("range", limit.start) for limit in limits[:1]]
    places += [("unit", unit.start)] if unit and "unit" in layout.order else []
    sequence = [layout.order.index(what) for what, _ in sorted(places, key=lambda each: each[1]) if what in layout.order]
    return sequence == sorted(sequence)


def _by_column(values: list[Token], layout: Layout) -> Token | None:
    """The result by its place, where the heading names further columns of numbers and each of them is filled."""
    plain = [value for value in values if value.kind == "number" and not value.censored]
    if len(layout.numbers) > 1 and len(plain) == len(layout.numbers):
        return plain[layout.numbers.index("result")]
    return None


# ---------- lines of cells under a heading ----------


@dataclass
class _Cells:
    """What the cells of one group of columns hold."""

    name: list[Token] = field(default_factory=list)
    results: list[tuple[str, list[Token]]] = field(default_factory=list)
    unit: Token | None = None
    ranges: list[Token] = field(default_factory=list)
    flags: list[Token] = field(default_factory=list)
    on: str = ""
    when: Token | None = None
    other_specimen: bool = False


def rows_of_cells(line: Line, head: Header) -> list[Row] | None:
    """The rows of a line whose cells stand under the columns of a heading; None where there are more cells than columns."""
    places = cells(line)
    width = sum(len(group) for group in head.groups)
    if any(start < end for start, end in places[width:]):
        return None
    rows, at = list[Row](), 0
    for group in head.groups:
        rows += _group(line, group, places[at : at + len(group)])
        at += len(group)
    return rows


def _group(line: Line, group: Sequence[Column], places: Sequence[tuple[int, int]]) -> list[Row]:
    held = _Cells()
    for column, (start, end) in zip(group, places, strict=False):
        if start < end:
            _take(held, line, column, start, end)
    if not held.name:
        return []
    row = Row(
        line,
        tuple(held.name),
        unit=held.unit,
        ranges=tuple(held.ranges),
        flag=held.flags[0] if held.flags else None,
        on=held.on,
        when=held.when,
        other_specimen=held.other_specimen,
    )
    several = len([column for column in group if column.on]) > 1
    found = [_with_result(row, on, parts) for on, parts in held.results if parts or not several]
    return found or [row]


def _take(held: _Cells, line: Line, column: Column, start: int, end: int) -> None:
    text = line.plain[start:end]
    match column.field:
        case "name" | "code":
            held.name.append(Token(start, end, text, "text"))
        case "result":
            held.results.append((column.on, tokens(line, start, end)))
        case "unit":
            held.unit = Token(start, end, text, "unit")
        case "range":
            held.ranges.append(Token(start, end, text, "range"))
        case "flag":
            held.flags.append(Token(start, end, text, "flag"))
        case "taken":
            held.on = dates.read(text)
            held.when = Token(start, end, text, "date") if held.on else None
        case "specimen":
            held.other_specimen = names.is_other_specimen(text)


def _with_result(row: Row, on: str, parts: list[Token]) -> Row:
    """The row with the result of one cell; a unit that stands in it counts where there is none of its own."""
    values = [part for part in parts if part.kind in VALUES]
    unit = row.unit or next((part for part in parts if part.kind == "unit"), None)
    flag = row.flag or next((part for part in parts if part.kind == "flag"), None)
    unread = tuple(part for part in parts if part.kind in ("text", "title", "range", "dash"))
    words = tuple(value for value in values if value.kind in WORDS)
    numbers = [value for value in values if value.kind not in WORDS]
    results = tuple(numbers or words)
    beside = any(part.kind in ("text", "range") for part in unread)
    doubt = "two_results" if values and (len(results) > 1 or beside) else ""
    return replace(row, results=results, words=words, unit=unit, flag=flag, on=on or row.on, unread=unread, doubt=doubt)
