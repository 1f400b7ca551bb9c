"""Dates that cannot be true together: before birth, in the future, or against an order that the dictionary states. Pure.

A partial date contradicts only when no day that it may mean fits.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from studies.dictionary import DATES, Dictionary
from studies.protocol import Text
from studies.values import days

SURGERY = Text("手术日期", "date of surgery")
_BEFORE_BIRTH = Text(
    "{label}（{day}）早于出生（手术时 {age} 岁）。请核对年份。",
    "{label} ({day}) lies before birth (aged {age} at surgery). Check the year.",
)
_FUTURE = Text("{label}（{day}）在今天（{today}）之后。", "{label} ({day}) lies after today ({today}).")
_ORDER = Text(
    "{first}（{first_day}）应不晚于{then}（{then_day}）。请核对两个日期。",
    "{first} ({first_day}) comes after {then} ({then_day}). Check both dates.",
)


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A date that cannot be, and the sentence about it; `codes` are the items it may be corrected in."""

    codes: tuple[str, ...]
    text: Text


def contradictions(
    dictionary: Dictionary, dates: Mapping[str, str], *, surgery: date, age_at_surgery: int | None, today: date
) -> list[Contradiction]:
    """What cannot be true of these (partial) ISO dates by item code; other codes are passed over."""
    known = {code: day for code, day in dates.items() if day and dictionary.has(code) and dictionary.item(code).kind in DATES}
    return [*_alone(dictionary, known, surgery, age_at_surgery, today), *_ordered(dictionary, known, surgery)]


def earliest_birth(surgery: date, age_at_surgery: int) -> date:
    """The first day on which somebody of that age (completed years) at surgery can have been born."""
    year = surgery.year - age_at_surgery - 1
    try:
        return date.fromordinal(surgery.replace(year=year).toordinal() + 1)
    except ValueError:  # 29 February in a year without one
        return date(year, 3, 1)


def _alone(
    dictionary: Dictionary, dates: Mapping[str, str], surgery: date, age_at_surgery: int | None, today: date
) -> Iterator[Contradiction]:
    for code, day in dates.items():
        first, last = days(day)
        label = dictionary.item(code).text
        if age_at_surgery is not None and last < earliest_birth(surgery, age_at_surgery):
            yield Contradiction((code,), _fill(_BEFORE_BIRTH, label=label, day=day, age=age_at_surgery))
        if first > today:
            yield Contradiction((code,), _fill(_FUTURE, label=label, day=day, today=today))


def _ordered(dictionary: Dictionary, dates: Mapping[str, str], surgery: date) -> Iterator[Contradiction]:
    known = {**dates, "surgery": surgery.isoformat()}
    for order in dictionary.orders:
        if order.first in known and order.then in known and days(known[order.first])[0] > days(known[order.then])[1]:
            words = {"first_day": known[order.first], "then_day": known[order.then]}
            labels = {name: _label(dictionary, code) for name, code in (("first", order.first), ("then", order.then))}
            yield Contradiction(tuple(_items((order.first, order.then))), _fill(_ORDER, **labels, **words))


def _items(codes: Iterable[str]) -> Iterator[str]:
    return (code for code in codes if code != "surgery")


def _label(dictionary: Dictionary, code: str) -> Text:
    return SURGERY if code == "surgery" else dictionary.item(code).text


def _fill(template: Text, **words: object) -> Text:
    zh, en = (
        template.say(language).format(**{name: word.say(language) if isinstance(word, Text) else word for name, word in words.items()})
        for language in ("zh", "en")
    )
    return Text(zh, en[:1].upper() + en[1:])
