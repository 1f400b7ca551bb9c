"""What a row of a pasted report means for the items of a form: a value to be filled in, a question for a person, or none of ours. Pure.

Nothing is guessed. A value is read as it stands, converted by the dictionary's factor or not at all; whatever can be meant in two
ways, lacks its unit, lies beyond what is possible or contradicts the printed reference range becomes a question.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from studies import values
from studies.dictionary import Item
from studies.laboratory import names, units
from studies.laboratory.names import Named
from studies.laboratory.rows import WORDS, Row
from studies.laboratory.tokens import COMPARATORS, NUMBER, Token

NUMBERS = frozenset({"number", "integer"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value that a row may give an item: in the stored unit, and the number and unit as they were pasted.

    `unit` is the dictionary's spelling of the unit it was read in. `limit`: the limit of detection is still to be typed.
    """

    item: str
    value: str
    comparator: str
    typed: str
    unit: str
    limit: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """FILL with its value, DECIDE with the answers there are, or OTHER; `why` is a code of `studies.laboratory.wording`."""

    kind: str
    why: str
    item: str = ""
    value: Candidate | None = None
    candidates: tuple[Candidate, ...] = ()
    notes: tuple[str, ...] = ()
    test: str = ""


Items = Mapping[str, Item]


def judge(row: Row, items: Items, *, doubtful_specimen: bool, other_specimen: bool) -> Judged:
    """What a row means for the items of a form. The specimen is doubtful among tests of urine, and another one under its heading."""
    named = names.meaning(token.text for token in row.name)
    test = min(named.tests, default="")
    if not named.tests:
        return Judged("other", "unknown_name")
    if other_specimen or row.other_specimen or named.specimen:
        return Judged("other", "other_specimen", test=test)
    if not any(row.results):
        return Judged("other", "no_result" if named.tests & set(items) else "not_asked", test=test)
    meant = _meant(row, named, items)
    ours = sorted(meant & set(items))
    if not ours:
        return Judged("other", "not_asked", test=min(meant))
    why = _doubt(row, named, meant, doubtful_specimen)
    if why:
        return _question(why, row, ours, items)
    return _of_item(row, items[ours[0]])


def _meant(row: Row, named: Named, items: Items) -> frozenset[str]:
    """The tests that the name may mean and that are measured in the row's unit; all of them when that leaves none."""
    if len(named.tests) == 1:
        return named.tests
    fitting = frozenset(test for test in named.tests if _fits(row.unit, test, items))
    return fitting or named.tests


def _fits(unit: Token | None, test: str, items: Items) -> bool:
    allowed = items[test].units if test in items else names.table().units.get(test, ())
    return units.read(unit.text if unit else "", allowed) is not None


def _doubt(row: Row, named: Named, meant: frozenset[str], doubtful_specimen: bool) -> str:
    """Why a person has to decide what the row is, or nothing."""
    if named.doubt or len(meant) > 1:
        return "name"
    if doubtful_specimen:
        return "specimen"
    if row.doubt:
        return row.doubt
    return "range_or_result" if len(row.results) > 1 else ""


def _question(why: str, row: Row, ours: list[str], items: Items) -> Judged:
    """A question whose answers are every value that the row may give an item of ours."""
    candidates = tuple(candidate for code in ours for result in row.results if result for candidate in _readings(row, result, items[code]))
    return Judged("decide", why, ours[0] if len(ours) == 1 else "", None, tuple(dict.fromkeys(candidates)), test=ours[0])


def _of_item(row: Row, item: Item) -> Judged:
    """The row of an item that is certain: its value, or why not."""
    if item.kind == "choice":
        return _choice(row, item)
    result = next(result for result in row.results if result)
    if item.kind not in NUMBERS:
        return Judged("other", "not_asked", test=item.code)
    if result.kind == "number" and any(word.kind == "not_detected" for word in row.words):
        return _question("range_or_result", row, [item.code], {item.code: item})
    if result.kind == "not_detected":
        printed = units.read(row.unit.text if row.unit else "", item.units)
        among = item.units if printed is None else (printed,)
        limits = tuple(Candidate(item.code, "", "<", "", unit, limit=True) for unit in among)
        return Judged("decide", "not_detected", item.code, None, limits if "<" in item.comparators else (), test=item.code)
    if result.kind != "number":
        return Judged("decide", "no_number", item.code, test=item.code)
    return _number(row, result, item)


def _choice(row: Row, item: Item) -> Judged:
    """A result in words for an item that is answered positive or negative; a number beside a word may make it the reference."""
    answers = tuple(Candidate(item.code, code, "", "", "") for code in ("positive", "negative") if item.option(code))
    if not answers:
        return Judged("other", "not_asked", test=item.code)
    said = row.results[0]
    if said and item.option(said.kind):
        return Judged("fill", "as_printed", item.code, Candidate(item.code, said.kind, "", _original(said, row), ""), test=item.code)
    why = "borderline" if said and said.kind in WORDS else "number_for_words"
    return Judged("decide", why, item.code, None, answers, test=item.code)


def _number(row: Row, result: Token, item: Item) -> Judged:
    """A number with its unit: filled in where nothing contradicts it."""
    unit = units.read(row.unit.text if row.unit else "", item.units)
    if unit is None:
        unread = row.unit is not None or any("/" in token.text for token in row.unread)
        candidates = () if unread else tuple(_readings(row, result, item))
        return Judged("decide", "unit_unknown" if unread else "unit_missing", item.code, None, candidates, test=item.code)
    value = candidate(row, result, item, unit)
    if value.comparator not in ("", *item.comparators):
        return Judged("decide", "comparator", item.code, test=item.code)
    if not _possible(value, item):
        return Judged("decide", "impossible", item.code, test=item.code)
    if unit in names.table().doubtful_units.get(item.code, ()):
        return Judged("decide", "unit_doubtful", item.code, None, (value,), test=item.code)
    if _range_contradicts(row, item, unit):
        return Judged("decide", "range_contradicts", item.code, None, tuple(_readings(row, result, item, item.units)), test=item.code)
    notes = ("unusual",) if item.is_unusual(Decimal(value.value)) else ()
    return Judged("fill", _how(result, value, item), item.code, value, notes=notes, test=item.code)


def _readings(row: Row, result: Token, item: Item, among: tuple[str, ...] | None = None) -> list[Candidate]:
    """The possible values of a result for an item, in the printed unit or, where none is printed, in each that it has."""
    if item.kind == "choice":
        return [Candidate(item.code, result.kind, "", _original(result, row), "")] if item.option(result.kind) else []
    if item.kind not in NUMBERS or result.kind != "number":
        return []
    printed = units.read(row.unit.text if row.unit else "", item.units)
    readable = item.units if row.unit is None else (printed,) if printed is not None else ()
    found = [candidate(row, result, item, unit) for unit in among or readable]
    different = {one.value: one for one in reversed(found)}.values()  # mAU/mL and AU/L are one value: the stored unit says it
    return [one for one in reversed(different) if one.comparator in ("", *item.comparators) and _possible(one, item)]


def candidate(row: Row, result: Token, item: Item, unit: str) -> Candidate:
    """The value of a number in one unit of an item; exact, by the dictionary's factor alone."""
    match = NUMBER.fullmatch(result.text)
    assert match is not None  # noqa: S101 - a token of kind number is one
    written = (match["comparator"] or "").strip()
    number = printed(match["number"])
    return Candidate(item.code, values.decimal(item.stored(number, unit)), COMPARATORS.get(written, written), _original(result, row), unit)


def printed(text: str) -> Decimal:
    """A number as laboratories write it: 1.2E+03, 1.2×10^3, 1.2*10^3. Raises ValueError for anything else."""
    found = re.fullmatch(r"([\d.]+)(?:[eE]([+-]?\d+)|\s?[×xX*]\s?10(?:\^|\*\*|[eE])?([+-]?\d+))?", text.strip())
    if not found:
        raise ValueError(text)
    return Decimal(found[1]).scaleb(int(found[2] or found[3] or 0))


def _original(token: Token, row: Row) -> str:
    return row.line.original(token.start, token.end)


def _possible(value: Candidate, item: Item) -> bool:
    number = Decimal(value.value)
    whole = item.kind != "integer" or number == number.to_integral_value()
    return whole and (item.low is None or number >= item.low) and (item.high is None or number <= item.high)


def _range_contradicts(row: Row, item: Item, unit: str) -> bool:
    """Whether the printed reference range, taken in the printed unit, lies where no healthy person's values lie."""
    text = row.ranges[0].text if len(row.ranges) == 1 else ""
    found = re.fullmatch(r"[(\[]?\s*([\d.]+)\s*(?:-{1,3}|~)\s*([\d.]+)\s*[)\]]?", text)
    if not found or item.soft_high is None:
        return False
    try:
        low, high = (item.stored(Decimal(part), unit) for part in found.groups())
    except ArithmeticError:
        return False
    return high > item.soft_high or (item.soft_low is not None and high < item.soft_low) or low > item.soft_high


def _how(result: Token, value: Candidate, item: Item) -> str:
    """What was done to the text: nothing, or what the page must show."""
    if value.unit != item.unit:
        return "converted"
    if value.comparator:
        return "comparator_kept"
    if re.search(r"[eE×xX*^]", result.text):
        return "exponent"
    return "full_width" if not value.typed.isascii() else "as_printed"
