"""The codebook: what every form of the study asks, in which unit, range and code, beside what the protocol decides by (Build 8)."""

from dataclasses import dataclass
from typing import Any

from studies.dictionary import MISSING, Form, Item
from studies.exchange.odm_export import tree
from studies.models import Study
from studies.protocol import Text


@dataclass(frozen=True)
class Line:
    """One item as the codebook says it."""

    code: str
    text: str
    help: str
    kind: str
    unit: str
    other_units: str
    hard: str
    soft: str
    options: list[tuple[str, str]]
    asked_if: str
    required: bool
    missing: str
    comparators: str
    verification: str
    names: str
    calculation: str


@dataclass(frozen=True)
class Section:
    """A section with its lines."""

    text: str
    lines: list[Line]


@dataclass(frozen=True)
class Sheet:
    """A form with its sections."""

    code: str
    text: str
    repeating: bool
    sections: list[Section]


def context(study: Study, language: str | None) -> dict[str, Any]:
    """What the page shows."""
    book, protocol = study.dictionary, study.protocol
    return {
        "study": study,
        "dictionary": book,
        "protocol": protocol,
        "title": book.title.say(language),
        "sheets": [_sheet(form, language) for form in book.forms],
        "missing": [(code, text.say(language)) for code, text in MISSING.items()],
        "criteria": [(each.code, each.kind, each.text.say(language)) for each in protocol.criteria],
        "visits": protocol.visits,
        "strategies": [(each.code, each.text.say(language)) for each in protocol.strategies],
        "items": len(list(book.items)),
    }


def _sheet(form: Form, language: str | None) -> Sheet:
    sections = [
        Section(section.text.say(language), [_line(item, language) for item in form.items if item.section == section.code])
        for section in form.sections
    ]
    return Sheet(form.code, form.text.say(language), form.repeating, sections)


def _line(item: Item, language: str | None) -> Line:
    return Line(
        code=item.code,
        text=item.text.say(language),
        help=item.help.say(language),
        kind=KINDS[item.kind].say(language),
        unit=item.unit,
        other_units=", ".join(f"{other.unit} (× {other.factor.normalize():f})" for other in item.conversions),
        hard=_bounds(item.low, item.high),
        soft=_bounds(item.soft_low, item.soft_high),
        options=[(option.code, option.text.say(language)) for option in item.options],
        asked_if=condition(tree(item.asked_if), language) if item.asked_if is not None else "",
        required=item.required,
        missing=", ".join(item.missing),
        comparators=" ".join(item.comparators),
        verification=VERIFICATION[item.verification].say(language) if item.verification != "none" else "",
        names=", ".join(f"{standard.upper()} {name}" for standard, name in (item.names or {}).items()),
        calculation=item.calculation,
    )


KINDS = {
    "number": Text("数值", "number"),
    "integer": Text("整数", "whole number"),
    "choice": Text("单选", "choice"),
    "date": Text("日期", "date"),
    "partial_date": Text("日期（可只到年或月）", "date, to the year or month"),
    "text": Text("文字", "text"),
    "calculated": Text("系统计算", "calculated"),
}
VERIFICATION = {"critical": Text("全部核查", "every value verified"), "sampled": Text("抽样核查", "verified by sample")}


def condition(node: dict[str, Any], language: str | None) -> str:
    """A condition in words, from its tree."""
    ((operator, said),) = node.items()
    match operator:
        case "yes":
            return Text(f"{said} = 是", f"{said} = yes").say(language)
        case "among":
            return f"{said['input']} ∈ {{{', '.join(said['codes'])}}}"
        case "between":
            return f"{said['low']} ≤ {said['input']} ≤ {said['high']}"
        case "days":
            return f"{said['low']} ≤ {said['to']} − {said['from']} ≤ {said['high']}"
        case "not":
            return Text(f"非（{condition(said, language)}）", f"not ({condition(said, language)})").say(language)
    word = Text("且", "and") if operator == "all" else Text("或", "or")
    return f" {word.say(language)} ".join(f"({condition(part, language)})" if len(part) > 1 else condition(part, language) for part in said)


def _bounds(low: Any, high: Any) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else format(low, 'f')} … {'' if high is None else format(high, 'f')}".strip()
