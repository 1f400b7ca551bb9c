"""A REDCap data dictionary as one of ours, and ours as one of REDCap's; whatever the other side cannot express is named. Pure.

What comes in is content for a dictionary file (`studies/dictionary.py`): a person looks at it, translates its labels and puts it
into `studies/dictionaries/` under a version. Fields that hold an identity are never taken over.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from studies.dictionary import MISSING, Dictionary, Form, Item
from studies.exchange import redcap_columns as redcap
from studies.exchange.faults import Refused
from studies.exchange.redcap_columns import Inexpressible
from studies.exchange.tabular import Table

WIDE = ("-1000000", "1000000")
LONGEST_NAME = 26
_BIRTH = re.compile(r"birth.?(day|date)|date.?of.?birth|\bdob\b|出生(日期|年月)", re.I)
_DATES = ("date", "datetime")
_NUMBERS = {"integer": "integer", "number": "number", "float": "number"}
_TYPES = {"text", "notes", "radio", "dropdown", "yesno", "truefalse", "checkbox", "slider"}
_IDENTITIES = {"email", "phone", "zipcode", "mrn_10d", "ssn"}
_IGNORED = ("Custom Alignment", "Question Number (surveys only)", "Matrix Ranking?")


@dataclass(frozen=True, slots=True)
class Note:
    """Something of the REDCap dictionary that is not in ours, or not as it was: the field and what about it."""

    field: str
    what: str


@dataclass
class Taken:
    """A dictionary file's content and what had no place in it."""

    data: dict[str, Any]
    notes: list[Note] = field(default_factory=list)


def read(table: Table, *, dictionary_id: str, version: str, title: str) -> Taken:
    """The content of a dictionary file for a REDCap dictionary. Raises Refused when the table is none."""
    missing = [column for column in (redcap.FIELD, redcap.FORM, redcap.TYPE, redcap.LABEL) if column not in table.header]
    if missing:
        raise Refused("redcap_columns", columns=", ".join(missing))
    said = {"zh": title, "en": title}
    taken = Taken(
        {"id": dictionary_id, "version": version, "source": f"REDCap data dictionary {table.sha256[:12]}", "title": said, "forms": []}
    )
    taken.notes.append(Note("", "labels stand in one language; both texts hold it until somebody translates"))
    for number, row in enumerate(table.rows()):
        if row.fault:
            raise Refused("redcap_line", line=row.number)
        _take(taken, {name: row.cells.get(name, "") for name in redcap.COLUMNS}, first=number == 0)
    for form in taken.data["forms"]:
        form["sections"] = [section for section in form["sections"] if section["items"]]
    taken.data["forms"] = [form for form in taken.data["forms"] if form["sections"]]
    return taken


def _take(taken: Taken, cells: Mapping[str, str], *, first: bool) -> None:
    name = cells[redcap.FIELD]
    section = _section(taken, cells)
    if reason := _refusal(cells, first=first):
        taken.notes.append(Note(name, reason))
        return
    try:
        items = _items(taken, cells)
    except Inexpressible as fault:
        taken.notes.append(Note(name, str(fault)))
        return
    if logic := cells[redcap.BRANCHING]:
        try:
            condition = redcap.branching(logic, lambda asked: _leaf(taken, cells[redcap.FORM], asked))
            for item in items:
                item["asked_if"] = condition
        except Inexpressible as fault:
            taken.notes.append(Note(name, f"{fault}: the item is always asked"))
    taken.notes += [Note(name, f"{column} “{cells[column]}”") for column in _IGNORED if cells[column]]
    section["items"] += items


def _section(taken: Taken, cells: Mapping[str, str]) -> dict[str, Any]:
    forms = taken.data["forms"]
    if not forms or forms[-1]["code"] != cells[redcap.FORM]:
        words = cells[redcap.FORM].replace("_", " ")
        forms.append({"code": cells[redcap.FORM], "text": {"zh": words, "en": words}, "sections": []})
    sections = forms[-1]["sections"]
    if not sections or cells[redcap.SECTION]:
        words = cells[redcap.SECTION] or forms[-1]["text"]["en"]
        sections.append({"code": f"s{len(sections) + 1}", "text": {"zh": words, "en": words}, "items": []})
    return sections[-1]  # type: ignore[no-any-return] # built in the lines above


def _refusal(cells: Mapping[str, str], *, first: bool) -> str:
    """Why a field is not taken over at all, or nothing."""
    kind, validation = cells[redcap.TYPE], cells[redcap.VALIDATION]
    words = f"{cells[redcap.FIELD]} {cells[redcap.LABEL]}".replace("_", " ")
    reasons = (
        (first, "the record's own number: the study number takes its place"),
        (cells[redcap.IDENTIFIER].lower() == "y", "marked as an identifier: the platform keeps no identity"),
        (validation.startswith("date") and _BIRTH.search(words), "a date of birth: the platform keeps the age at surgery only"),
        (validation in _IDENTITIES, f"validation {validation}: the platform keeps no identity"),
        (kind == "calc", f"calculation {cells[redcap.CHOICES]}"),
        (kind not in _TYPES, f"field type {kind}"),
    )
    return next((reason for holds, reason in reasons if holds), "")


def _items(taken: Taken, cells: Mapping[str, str]) -> list[dict[str, Any]]:
    """The item of a field; of a checkbox, one per box, as REDCap exports them."""
    kind = cells[redcap.TYPE]
    if kind != "checkbox":
        return [_item(taken, cells, cells[redcap.FIELD], cells[redcap.LABEL]) | _kind(taken, cells)]
    boxes = redcap.choices(cells[redcap.CHOICES])
    taken.notes.append(Note(cells[redcap.FIELD], f"a checkbox: {len(boxes)} items with yes and no"))
    return [
        _item(taken, cells, f"{cells[redcap.FIELD]}___{redcap.option_code(code)}", f"{cells[redcap.LABEL]}: {label}")
        | {"kind": "choice", "options": _yes_no("yes", "no")}
        for code, label in boxes.items()
    ]


def _item(taken: Taken, cells: Mapping[str, str], code: str, label: str) -> dict[str, Any]:
    if re.fullmatch(r"[a-z][a-z0-9_]*", code) is None:
        raise Inexpressible(f"the name {code}")
    words = re.sub(r"<[^>]+>", "", label).strip() or code
    item: dict[str, Any] = {"code": code, "text": {"zh": words, "en": words}}
    if note := cells[redcap.NOTE]:
        item["help"] = {"zh": note, "en": note}
    if cells[redcap.REQUIRED].lower() == "y":
        item["required"] = True
    return item


def _kind(taken: Taken, cells: Mapping[str, str]) -> dict[str, Any]:
    match cells[redcap.TYPE]:
        case "yesno":
            return {"kind": "choice", "options": _yes_no("yes", "no")}
        case "truefalse":
            return {"kind": "choice", "options": _yes_no("true", "false")}
        case "radio" | "dropdown":
            return {"kind": "choice", "options": _options(taken, cells)}
        case "slider":
            return {"kind": "integer", "low": "0", "high": "100"}
        case "notes":
            taken.notes.append(Note(cells[redcap.FIELD], "a text of any length: ours holds 500 characters"))
            return {"kind": "text"}
    return _text_kind(taken, cells)


def _text_kind(taken: Taken, cells: Mapping[str, str]) -> dict[str, Any]:
    validation = cells[redcap.VALIDATION]
    kind = _NUMBERS.get(validation.split("_", maxsplit=1)[0])
    if validation.startswith(_DATES):
        if validation.startswith("datetime"):
            taken.notes.append(Note(cells[redcap.FIELD], "a time of day: ours keeps the date"))
        if cells[redcap.LOWEST] or cells[redcap.HIGHEST]:
            taken.notes.append(Note(cells[redcap.FIELD], "bounds of a date"))
        return {"kind": "date"}
    if kind is None:
        lost = validation or cells[redcap.CHOICES]
        if lost:
            taken.notes.append(Note(cells[redcap.FIELD], f"validation “{lost}”: free text"))
        return {"kind": "text"}
    if not (cells[redcap.LOWEST] and cells[redcap.HIGHEST]):
        taken.notes.append(Note(cells[redcap.FIELD], "a number without a lowest and a highest value: wide bounds stand in their place"))
    return {"kind": kind, "low": cells[redcap.LOWEST] or WIDE[0], "high": cells[redcap.HIGHEST] or WIDE[1]}


def _options(taken: Taken, cells: Mapping[str, str]) -> list[dict[str, Any]]:
    found = redcap.choices(cells[redcap.CHOICES])
    if len(found) == 1:
        raise Inexpressible("a choice with one answer")
    changed = [code for code in found if redcap.option_code(code) != code]
    if changed:
        taken.notes.append(
            Note(cells[redcap.FIELD], "codes in another alphabet: " + ", ".join(f"{code} → {redcap.option_code(code)}" for code in changed))
        )
    return [{"code": redcap.option_code(code), "text": {"zh": label, "en": label}} for code, label in found.items()]


def _leaf(taken: Taken, form: str, asked: redcap.Asked) -> dict[str, Any]:
    """The condition on one field that stands before it on the same form. Raises Inexpressible for any other."""
    before = {
        item["code"]: item
        for part in taken.data["forms"]
        if part["code"] == form
        for section in part["sections"]
        for item in section["items"]
    }
    item = before.get(asked.field)
    if item is None or item["kind"] != "choice":
        raise Inexpressible(f"branching by {asked.field}, which is no choice before it on the form")
    codes = {option["code"] for option in item["options"]}
    code = redcap.option_code(asked.code)
    if codes == {"yes", "no"} and code in ("0", "1", "no", "yes"):
        return {"yes": asked.field} if code in ("1", "yes") else {"not": {"yes": asked.field}}
    if code not in codes:
        raise Inexpressible(f"branching by {asked.field} = {asked.code}, which is none of its answers")
    return {"among": {"input": asked.field, "codes": [code]}}


def _yes_no(yes: str, no: str) -> list[dict[str, Any]]:
    said = {"yes": ("是", "yes"), "no": ("否", "no"), "true": ("真", "true"), "false": ("假", "false")}
    return [{"code": code, "text": dict(zip(("zh", "en"), said[code], strict=True))} for code in (yes, no)]


# -- ours as REDCap's -----------------------------------------------------------------------------------------------------


def write(dictionary: Dictionary, language: str = "en") -> Iterator[list[str]]:
    """The lines of a REDCap data dictionary: header first, then the record's number, then every item.

    Missing reasons are REDCap's “missing data codes” (a setting of the project: `missing_codes`); a comparator has a field of its own.
    """
    yield list(redcap.COLUMNS)
    first = {redcap.FIELD: "record_id", redcap.FORM: dictionary.forms[0].code, redcap.TYPE: "text", redcap.LABEL: "Study number"}
    yield [first.get(column, "") for column in redcap.COLUMNS]
    for form in dictionary.forms:
        section = ""
        for item in form.items:
            cells = _cells(form, item, language)
            if item.section != section:
                section = item.section
                cells[redcap.SECTION] = next(part.text.say(language) for part in form.sections if part.code == section)
            yield [cells.get(column, "") for column in redcap.COLUMNS]
            if item.comparators:
                extra = {redcap.FIELD: comparator_field(item.code), redcap.FORM: form.code, redcap.TYPE: "dropdown"}
                extra |= {
                    redcap.LABEL: f"{item.text.say(language)}: < ≤ > ≥",
                    redcap.CHOICES: " | ".join(f"{SIGNS[sign]}, {sign}" for sign in item.comparators),
                }
                yield [extra.get(column, "") for column in redcap.COLUMNS]


SIGNS = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}


def comparator_field(code: str) -> str:
    """The field that holds the comparator of an item."""
    return f"{code}_cmp"


def missing_codes(language: str = "en") -> str:
    """What to put into the project's missing data codes, in REDCap's own form."""
    return " | ".join(f"{code}, {text.say(language)}" for code, text in MISSING.items())


def unexpressed(dictionary: Dictionary) -> Iterator[Note]:
    """What REDCap has no place for in ours."""
    for item in dictionary.items:
        if item.kind == "partial_date":
            yield Note(item.code, "a date of month or year: text in REDCap")
        if item.kind == "calculated":
            yield Note(item.code, f"the calculation {item.calculation}: a read-only text with the value")
        if item.conversions:
            yield Note(item.code, "other units: values are in " + item.unit)
        if item.soft_low is not None or item.soft_high is not None:
            yield Note(item.code, "the soft range")
        if len(item.code) > LONGEST_NAME:
            yield Note(item.code, f"a name of more than {LONGEST_NAME} characters, which REDCap advises against")
        if item.asked_if is not None:
            try:
                redcap.logic(item.asked_if)
            except Inexpressible as fault:
                yield Note(item.code, str(fault))


def _cells(form: Form, item: Item, language: str) -> dict[str, str]:
    kind, validation, choices = _field_type(item, language)
    low, high = ("" if bound is None else format(bound, "f") for bound in (item.low, item.high))
    names = " ".join(f"{standard}={code}" for standard, code in (item.names or {}).items())
    annotation = " ".join(part for part in ("@READONLY" if item.kind == "calculated" else "", names) if part)
    unit = f"{item.unit}; " if item.unit and item.help.say(language) else item.unit
    cells = {
        redcap.FIELD: item.code,
        redcap.FORM: form.code,
        redcap.TYPE: kind,
        redcap.LABEL: item.text.say(language),
        redcap.CHOICES: choices,
        redcap.NOTE: f"{unit}{item.help.say(language)}",
        redcap.VALIDATION: validation,
        redcap.LOWEST: low if validation in ("number", "integer") else "",
        redcap.HIGHEST: high if validation in ("number", "integer") else "",
        redcap.REQUIRED: "y" if item.required else "",
        redcap.ANNOTATION: annotation,
    }
    if item.asked_if is not None:
        with contextlib.suppress(Inexpressible):  # told by `unexpressed`
            cells[redcap.BRANCHING] = redcap.logic(item.asked_if)
    return cells


def _field_type(item: Item, language: str) -> tuple[str, str, str]:
    match item.kind:
        case "choice":
            return "radio", "", " | ".join(f"{option.code}, {option.text.say(language).replace('|', '/')}" for option in item.options)
        case "number":
            return "text", "number", ""
        case "integer":
            return "text", "integer", ""
        case "date":
            return "text", "date_ymd", ""
    return "text", "", ""
