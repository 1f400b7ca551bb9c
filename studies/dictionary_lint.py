"""What must hold in a dictionary file beyond its schema: codes, ranges, units, branches, the order of dates. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from studies import expressions
from studies.dictionary import DATES, Dictionary, Form, Item
from studies.protocol import Protocol

YES_NO = {"yes", "no"}
FACTS = {"surgery"}
"""Dates that an order may name beside the date items."""


def faults(dictionary: Dictionary, calculations: Iterable[str] = ()) -> list[str]:
    """Every fault of a dictionary, a sentence each. `calculations` are the functions that a calculated item may name."""
    found = [*_repeated(dictionary), *_orders(dictionary), *_calculated(dictionary, set(calculations))]
    for form in dictionary.forms:
        found += [*_dated(form), *_branches(form)]
    for item in dictionary.items:
        found += [fault for check in _ITEM_CHECKS for fault in check(item)]
    return found


def protocol_faults(protocol: Protocol, dictionary: Dictionary) -> list[str]:
    """What a protocol asks to be complete at baseline and this dictionary does not ask, or asks of some only."""
    missing = [code for code in protocol.baseline if not dictionary.has(code)]
    of_some = [code for code in protocol.baseline if dictionary.has(code) and dictionary.item(code).asked_if is not None]
    return [
        *(f"baseline item {code} is none of dictionary {dictionary.id} {dictionary.version}" for code in missing),
        *(f"baseline item {code} is asked of some participants only" for code in of_some),
    ]


def _repeated(dictionary: Dictionary) -> Iterator[str]:
    lists: dict[str, Iterable[str]] = {"form": (form.code for form in dictionary.forms), "item": (item.code for item in dictionary.items)}
    for form in dictionary.forms:
        lists[f"form {form.code}: section"] = (section.code for section in form.sections)
    for item in dictionary.items:
        lists[f"item {item.code}: option"] = (option.code for option in item.options)
        lists[f"item {item.code}: unit"] = item.units
    for what, codes in lists.items():
        yield from (f"{what} {code} is there {count} times" for code, count in Counter(codes).items() if count > 1)


def _orders(dictionary: Dictionary) -> Iterator[str]:
    for order in dictionary.orders:
        for code in (order.first, order.then):
            if code not in FACTS and not (dictionary.has(code) and dictionary.item(code).kind in DATES):
                yield f"the order {order.first} before {order.then} names {code}, which is no date item"


def _calculated(dictionary: Dictionary, calculations: set[str]) -> Iterator[str]:
    for item in dictionary.items:
        if (item.kind == "calculated") != bool(item.calculation):
            yield f"item {item.code}: a calculated item names its calculation, and no other does"
        elif item.calculation and item.calculation not in calculations:
            yield f"item {item.code}: there is no calculation {item.calculation}"


def _dated(form: Form) -> Iterator[str]:
    if form.dated_by and (form.dated_by not in form.by_code or form.by_code[form.dated_by].kind not in DATES):
        yield f"form {form.code} is dated by {form.dated_by}, which is none of its dates"


def _branches(form: Form) -> Iterator[str]:
    """A branch reads choices that stand before it on the same form, so that no item can wait for itself."""
    before: dict[str, Item] = {}
    for item in form.items:
        for leaf in expressions.leaves(item.asked_if) if item.asked_if else ():
            yield from (f"item {item.code} is asked by {fault}" for fault in _branch(leaf, before))
        before[item.code] = item


def _branch(leaf: expressions.Leaf, before: Mapping[str, Item]) -> Iterator[str]:
    if not isinstance(leaf, expressions.Yes | expressions.Among):
        yield "a number or a date; a branch reads choices only"
        return
    if leaf.input not in before:
        yield f"{leaf.input}, which does not stand before it on the form"
        return
    options = {option.code for option in before[leaf.input].options}
    if isinstance(leaf, expressions.Yes) and options != YES_NO:
        yield f"yes of {leaf.input}, whose answers are not yes and no: use among"
    if isinstance(leaf, expressions.Among):
        yield from (f"{leaf.input} = {code}, which is none of its answers" for code in leaf.codes if code not in options)


def _range(item: Item) -> Iterator[str]:
    bounds = [bound for bound in (item.low, item.soft_low, item.soft_high, item.high) if bound is not None]
    if bounds != sorted(bounds):
        yield f"item {item.code}: its bounds are not in order"
    if item.kind in ("number", "integer") and (item.low is None or item.high is None):
        yield f"item {item.code}: a number has a lowest and a highest possible value"
    if bounds and item.kind not in ("number", "integer", "calculated"):
        yield f"item {item.code}: only a number has a range"


def _units(item: Item) -> Iterator[str]:
    if item.kind != "number" and (item.conversions or item.comparators):
        yield f"item {item.code}: only a number has other units or comparators"
    if item.conversions and not item.unit:
        yield f"item {item.code}: it is converted from other units and has none of its own"
    yield from (f"item {item.code}: the factor of {other.unit} is not positive" for other in item.conversions if other.factor <= 0)


def _options(item: Item) -> Iterator[str]:
    if (item.kind == "choice") != bool(item.options):
        yield f"item {item.code}: a choice has answers, and nothing else has"
    for language in ("zh", "en"):
        for text, count in Counter(option.text.say(language).casefold() for option in item.options).items():
            if count > 1:
                yield f"item {item.code}: {count} answers are called {text}"


_ITEM_CHECKS: tuple[Callable[[Item], Iterator[str]], ...] = (_range, _units, _options)
