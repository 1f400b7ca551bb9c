"""Values, ranges, branches and changes in the reader's words."""

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from studies import expressions
from studies.dictionary import MISSING, Form, Item
from studies.values import Value

_RAISED = str.maketrans({str(digit): character for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})


def unit(text: str) -> str:
    """A unit as it is printed: 10⁹/L for 10^9/L."""
    return re.sub(r"\^(\d+)", lambda found: found[1].translate(_RAISED), text)


def label(item: Item) -> str:
    """What the item asks."""
    return item.text.say(get_language())


def value(item: Item, held: Value) -> str:
    """A value in words: the option's text, the number with its unit, the reason for a blank; nothing where there is none."""
    if held.missing:
        return MISSING[held.missing].say(get_language())
    if item.kind == "choice":
        option = item.option(held.value)
        return option.text.say(get_language()) if option else held.value
    return f"{held.comparator}{' ' if held.comparator else ''}{held.value} {unit(item.unit)}".strip() if held.value else ""


def understood(item: Item, held: Value) -> str:
    """What stands beside a field as understood: the converted number, the day with its weekday, how far a date is known."""
    if not held.value:
        return ""
    if item.kind in ("number", "integer"):
        return _("= %(value)s") % {"value": value(item, held)} if held.unit or held.typed else ""
    if item.kind not in ("date", "partial_date"):
        return ""
    known = {4: _("%(date)s, to the year"), 7: _("%(date)s, to the month")}.get(len(held.value))
    if known:
        return known % {"date": held.value}
    day = date.fromisoformat(held.value)
    return _("%(date)s, %(weekday)s") % {"date": held.value, "weekday": date_format(day, "l")}


def bounds(item: Item) -> str:
    """The hard range."""
    if item.low is None or item.high is None:
        return ""
    return _("%(low)s to %(high)s") % {"low": item.low, "high": item.high}


def unusual(item: Item) -> str:
    """What is said of a number outside the soft range."""
    words = {"low": item.soft_low, "high": item.soft_high, "unit": unit(item.unit)}
    if item.soft_low is None:
        return _("above %(high)s %(unit)s: tick it if it is right") % words
    if item.soft_high is None:
        return _("below %(low)s %(unit)s: tick it if it is right") % words
    return _("outside %(low)s to %(high)s %(unit)s: tick it if it is right") % words


def branch(form: Form, item: Item) -> str:
    """When an item is asked that is not asked of everybody."""
    said = [_leaf(form, leaf) for leaf in expressions.leaves(item.asked_if)] if item.asked_if else []
    return _("asked only if %(condition)s") % {"condition": _("; ").join(said)} if said else ""


def _leaf(form: Form, leaf: expressions.Leaf) -> str:
    code = expressions.inputs(leaf)[0]
    asked = form.by_code[code]
    answers = leaf.codes if isinstance(leaf, expressions.Among) else ("yes",)
    return f"{label(asked)}{_(': ')}{_(', ').join(value(asked, Value(answer)) for answer in answers)}"


def changes(form: Form, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(label, before, after) of what differs between two stored contents, in the order of the form; removed items by their code."""
    codes = [*form.by_code, *sorted((before.keys() | after.keys()) - form.by_code.keys())]
    found = []
    for code in codes:
        was, now = (Value.from_json(held.get(code, {})) for held in (before, after))
        if was.content != now.content:
            item = form.by_code.get(code)
            found.append((label(item) if item else code, _say(item, was), _say(item, now)))
    return found


def _say(item: Item | None, held: Value) -> str:
    return value(item, held) if item else f"{held.comparator}{held.value or held.missing}"
