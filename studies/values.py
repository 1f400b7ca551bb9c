"""One value of a form as a person types it: understood once and said back, or refused with a sentence; never guessed.

A number keeps its comparator (`< 20`), the unit it was typed in and what was typed; a blank keeps its reason. What is ambiguous (a
comma, a unit nobody knows, two units that contradict) is refused. Pure.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from typing import Any

from studies import expressions, typed_dates
from studies.dictionary import DATES, MISSING, Conversion, Form, Item
from studies.protocol import Coded, Text

LONGEST_NUMBER, LONGEST_TEXT = 24, 500
_SYMBOLS = str.maketrans({"≤": "<=", "≥": ">=", "⩽": "<=", "⩾": ">=", "–": "-", "−": "-", "\u00a0": " "})
_RAISED = str.maketrans({character: f"^{digit}" for digit, character in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")})
_POWER = re.compile(r"\s*[×x*]\s*10\^(\d{1,2})(?![\d/])", re.ASCII)
_NUMBER = re.compile(r"(?P<comparator><=|>=|<|>)?\s*(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)\s*(?P<unit>.*)", re.ASCII | re.DOTALL)
_LONG_DIGITS = re.compile(r"\d{8,}|\d{6,}[xX]", re.ASCII)

SENTENCES = {
    "no_number": Text(
        "“{text}”不是{label}的数值。请写数字，如 12.5{unit}。",
        "“{text}” is no number for {label}. Write a number, such as 12.5{unit}.",
    ),
    "comma": Text(
        "“{text}”里的逗号可能是小数点，也可能是千位分隔。请写 1.5 或 1500。",
        "The comma in “{text}” may mean a point or thousands. Write 1.5 or 1500.",
    ),
    "comparator": Text(
        "{label}不接受“{comparator}”。请核对报告。",
        "{label} does not take “{comparator}”. Compare it with the report.",
    ),
    "whole": Text("{label}是整数。", "{label} is a whole number."),
    "unit": Text(
        "{label}没有单位“{unit}”。可用：{units}。",
        "{label} has no unit “{unit}”. There are: {units}.",
    ),
    "two_units": Text(
        "写的是 {typed}，选的是 {chosen}。请选定一个单位。",
        "It says {typed}, and the menu says {chosen}. Choose one unit.",
    ),
    "range": Text(
        "{label}应在 {low} 与 {high}{unit} 之间。请核对数值和单位。",
        "{label} lies between {low} and {high}{unit}. Compare the number and its unit.",
    ),
    "choice": Text(
        "“{text}”不是{label}的选项。可选：{options}。",
        "“{text}” is none of the answers for {label}: {options}.",
    ),
    "date": Text(
        "“{text}”不能理解为日期。请写 2026-11-19 或 2026年11月19日。",
        "“{text}” is not understood as a date. Write 2026-11-19 or 2026年11月19日.",
    ),
    "partial_date": Text(
        "“{text}”不能理解为日期。请写 2019、2019-05 或 2019-05-03。",
        "“{text}” is not understood as a date. Write 2019, 2019-05 or 2019-05-03.",
    ),
    "no_day": Text(
        "“{text}”这一天不存在。请核对原始资料。",
        "“{text}” is a day that does not exist. Compare it with the source.",
    ),
    "missing": Text("{label}不能用“{missing}”。", "{label} cannot be left empty as “{missing}”."),
    "both": Text(
        "{label}既有值又有缺失原因。请只留一个。",
        "{label} has a value and a reason for having none. Keep one.",
    ),
    "long": Text("{label}最多 {most} 字。", "{label} has at most {most} characters."),
    "identity": Text(
        "{label}里有像病历号、电话或证件号的长数字。平台不保存身份信息，请删去。",
        "{label} holds a long number, as of a hospital, telephone or identity card. The platform keeps none: take it out.",
    ),
    "contradicts": Text(
        "{label}写的是 {typed}，存的是 {value}，两者不符。",
        "{label} says {typed} and stores {value}: the two contradict.",
    ),
    "calculated": Text("{label}由系统计算，不能填写。", "{label} is calculated; it cannot be typed."),
}


class NotUnderstood(ValueError):
    """What was typed cannot be taken in one way only; `say` tells the person in his language what to do."""

    def __init__(self, code: str, **words: Any) -> None:
        self.code, self.words = code, {name: value.en if isinstance(value, Text) else value for name, value in words.items()}
        self._zh = {name: value.zh if isinstance(value, Text) else value for name, value in words.items()}
        super().__init__(SENTENCES[code].en.format(**self.words))

    def say(self, language: str | None) -> str:
        """The sentence in a language code such as "zh-hans" or "en"."""
        words = self._zh if (language or "").startswith("zh") else self.words
        sentence = SENTENCES[self.code].say(language).format(**words)
        return sentence[:1].upper() + sentence[1:]


@dataclass(frozen=True, slots=True)
class Value:
    """What is held of one item. `value` is in the stored unit; `typed` and `unit` are as typed, where that differs.

    `missing` is a reason code, and then `value` is empty; `on` the (partial) day it was measured; `confirmed`: outside the soft range
    and ticked as right by a person; `source`: typed, pasted or imported.
    """

    value: str = ""
    comparator: str = ""
    unit: str = ""
    typed: str = ""
    missing: str = ""
    on: str = ""
    source: str = ""
    confirmed: bool = False

    def __bool__(self) -> bool:
        return bool(self.value or self.missing)

    def as_json(self) -> dict[str, Any]:
        """Its parts that are not empty."""
        return {field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Value":
        """The value of those parts. Raises TypeError for a part there is not."""
        return cls(**data)

    @property
    def content(self) -> tuple[str, ...]:
        """What a change of needs a reason: everything but how it was written, where it came from and the tick."""
        return (self.value, self.comparator, self.unit, self.missing, self.on)


def understand(item: Item, text: str, unit: str = "") -> Value:
    """What `text` says for an item, `unit` being what the menu beside it says. Nothing typed is an empty Value.

    A reason code typed in full (ND, UNK, NA, ASKU) is one, but not in free text. Raises NotUnderstood.
    """
    if item.kind == "calculated":
        raise NotUnderstood("calculated", label=item.text)
    if item.kind == "text":
        return _text(item, text)
    plain = " ".join(unicodedata.normalize("NFKC", text.translate(_SYMBOLS).translate(_RAISED)).translate(_SYMBOLS).split())
    if plain == "":
        return Value()
    if plain.upper() in MISSING and not item.option(plain):
        return missing(item, plain.upper())
    if item.kind == "choice":
        return _choice(item, plain)
    if item.kind in DATES:
        return _date(item, plain)
    return _number(item, plain, unit)


def missing(item: Item, reason: str) -> Value:
    """An empty value with its reason. Raises NotUnderstood where the item does not take that reason."""
    if reason not in item.missing:
        raise NotUnderstood("missing", label=item.text, missing=MISSING.get(reason, Text(reason, reason)))
    return Value(missing=reason)


def rebuilt(item: Item, value: Value) -> Value:
    """The value as `understand` would make it of what it says was typed. Raises NotUnderstood: nothing else can be stored."""
    if value.missing:
        if value.value or value.typed or value.comparator:
            raise NotUnderstood("both", label=item.text)
        made = missing(item, value.missing)
    else:
        made = understand(item, as_typed(value), value.unit)
        if item.kind in ("number", "integer") and value.value and decimal(Decimal(value.value)) != made.value:
            raise NotUnderstood("contradicts", label=item.text, typed=f"{value.typed or value.value} {value.unit}", value=value.value)
    if value.on:
        made = replace(made, on=_when(value.on))
    return replace(made, source=value.source, confirmed=value.confirmed and unusual(item, made)) if made else made


def as_typed(value: Value) -> str:
    """The text that stands in the field for a value: understanding it again gives the same value."""
    return value.missing or f"{value.comparator}{' ' if value.comparator else ''}{value.typed or value.value}"


def unusual(item: Item, value: Value) -> bool:
    """Whether a number lies outside the soft range, so that a person has to tick that it is right."""
    if item.kind not in ("number", "integer") or not value.value:
        return False
    return item.is_unusual(Decimal(value.value))


def asked(form: Form, values: Mapping[str, Value]) -> frozenset[str]:
    """The codes of the items that a form asks of somebody with these values; a branch whose condition is not known is closed."""
    found: set[str] = set()
    for item in form.items:
        facts = {code: value.value for code, value in values.items() if value.value and code in found}
        if item.asked_if is None or expressions.truth(item.asked_if, facts):
            found.add(item.code)
    return frozenset(found)


def unanswered(form: Form, values: Mapping[str, Value]) -> list[Item]:
    """The required items that are asked and have neither a value nor a reason for having none."""
    open_ = asked(form, values)
    return [item for item in form.items if item.required and item.code in open_ and not values.get(item.code)]


def days(partial: str) -> tuple[date, date]:
    """The first and the last day that a (partial) ISO date may mean."""
    year, month, day = (*map(int, partial.split("-")), 0, 0)[:3]
    if day:
        return date(year, month, day), date(year, month, day)
    first = date(year, month or 1, 1)
    after = date(year + 1, 1, 1) if month in (0, 12) else date(year, month + 1, 1)
    return first, date.fromordinal(after.toordinal() - 1)


def _text(item: Item, text: str) -> Value:
    plain = unicodedata.normalize("NFC", " ".join(text.split()))
    if len(plain) > LONGEST_TEXT:
        raise NotUnderstood("long", label=item.text, most=LONGEST_TEXT)
    if _LONG_DIGITS.search(unicodedata.normalize("NFKC", plain).replace(" ", "").replace("-", "")):
        raise NotUnderstood("identity", label=item.text)
    return Value(plain)


def _choice(item: Item, plain: str) -> Value:
    if item.option(plain):
        return Value(plain)
    called = {option.code for option in item.options if plain.casefold() in _called(option)}
    if len(called) != 1:
        options = [Text(f"{option.text.zh}（{option.code}）", f"{option.text.en} ({option.code})") for option in item.options]
        listed = Text("；".join(option.zh for option in options), "; ".join(option.en for option in options))
        raise NotUnderstood("choice", text=plain, label=item.text, options=listed)
    return Value(called.pop(), typed=plain)


def _called(option: Coded) -> set[str]:
    return {unicodedata.normalize("NFKC", name).casefold() for name in (option.code, option.text.zh, option.text.en)}


def _date(item: Item, plain: str) -> Value:
    try:
        found = typed_dates.understand_partial(plain) if item.kind == "partial_date" else typed_dates.understand(plain).isoformat()
    except typed_dates.NotUnderstood:
        raise NotUnderstood(item.kind, text=plain) from None
    except ValueError:
        raise NotUnderstood("no_day", text=plain) from None
    return Value(found, typed="" if found == plain else plain)


def _when(text: str) -> str:
    try:
        return typed_dates.understand_partial(text)
    except typed_dates.NotUnderstood:
        raise NotUnderstood("partial_date", text=text) from None
    except ValueError:
        raise NotUnderstood("no_day", text=text) from None


def _number(item: Item, plain: str, chosen: str) -> Value:
    if not item.unit.startswith("10^"):
        plain = _POWER.sub(r"e\1", plain, count=1)
    if "," in plain or "、" in plain:
        raise NotUnderstood("comma", text=plain)
    found = _NUMBER.fullmatch(plain)
    if found is None or len(found["number"]) > LONGEST_NUMBER:
        raise NotUnderstood("no_number", text=plain, label=item.text, unit=_spaced(item.unit))
    unit = _unit(item, found["unit"].strip(), chosen.translate(_SYMBOLS))
    comparator = found["comparator"] or ""
    if comparator and comparator not in item.comparators:
        raise NotUnderstood("comparator", label=item.text, comparator=comparator)
    number = Decimal(found["number"])
    stored = number if unit is None else unit.stored(number)
    if item.kind == "integer" and stored != stored.to_integral_value():
        raise NotUnderstood("whole", label=item.text)
    if (item.low is not None and stored < item.low) or (item.high is not None and stored > item.high):
        raise NotUnderstood("range", label=item.text, low=item.low, high=item.high, unit=_spaced(item.unit))
    value, typed = decimal(stored), found["number"]
    return Value(value, comparator, unit.unit if unit else "", "" if typed == value else typed)


def _unit(item: Item, typed: str, chosen: str) -> Conversion | None:
    """The conversion that the unit behind the number and the one of the menu ask for; None for the stored unit."""
    wanted = [_known(item, unit) for unit in (typed, chosen) if unit]
    if len(set(wanted)) > 1:
        raise NotUnderstood("two_units", typed=wanted[0], chosen=wanted[1])
    if not wanted or wanted[0] == item.unit:
        return None
    return item.conversion(wanted[0])


def _known(item: Item, unit: str) -> str:
    """The unit as the dictionary writes it; letters of the same name in another case, and u for µ, are the same unit."""
    same = [known for known in item.units if known and _folded(known) == _folded(unit)]
    if len(same) != 1:
        raise NotUnderstood("unit", label=item.text, unit=unit, units=", ".join(known for known in item.units if known) or "-")
    return same[0]


def _folded(unit: str) -> str:
    plain = unicodedata.normalize("NFKC", unit).casefold().replace("μ", "u").replace("µ", "u")
    return plain.replace(" ", "").replace("×", "").replace("*", "")


def decimal(number: Decimal) -> str:
    """A number as decimal text without exponent and without zeros that say nothing."""
    plain = format(number.normalize(), "f")
    return "0" if plain in ("-0", "0") else plain


def _spaced(unit: str) -> str:
    return f" {unit}" if unit else ""
