"""What the pages of a form show: fields in sections, what the server understood, history, and the fields two people met in."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts import audit
from studies import calculated, dictionary, entry, scores
from studies.dictionary import MISSING, Form, Item
from studies.entries import wording
from studies.entries.sheet import Cell, Sheet, read
from studies.models import Entry, Participant
from studies.values import NotUnderstood, Value, unusual

BESIDE = {"age_at_surgery": gettext_lazy("age at surgery"), calculated.LIMIT: gettext_lazy("the upper limit of AST at this center")}
"""What scores take from elsewhere than the forms."""
MANY = 6
"""From so many answers on a choice is a menu; fewer stand side by side."""


@dataclass(frozen=True, slots=True)
class FieldView:
    """One item as drawn."""

    item: Item
    label: str
    help: str
    cell: Cell
    said: str
    tone: str
    unusual: str
    asked: bool
    branch: str
    error: str = ""
    options: list[tuple[str, str]] = field(default_factory=list)
    units: list[tuple[str, str]] = field(default_factory=list)
    reasons: list[tuple[str, str]] = field(default_factory=list)
    bounds: str = ""
    focus: bool = False

    @property
    def control(self) -> str:
        """Which control it is: radios, menu, calculated, number, date or text."""
        match self.item.kind:
            case "choice":
                return "menu" if len(self.options) > MANY else "radios"
            case "number" | "integer":
                return "number"
            case "date" | "partial_date":
                return "date"
        return self.item.kind


@dataclass(frozen=True, slots=True)
class Meeting:
    """A field that two people changed: both versions, and who stored the other one when."""

    item: Item
    label: str
    mine: str
    theirs: str
    before: str
    by: str
    at: Any
    undecided: bool


def overview(states: Iterable[entry.FormState], kept: set[str]) -> list[dict[str, Any]]:
    """The rows of the list of forms."""
    return [
        {
            "form": state.form,
            "text": state.form.text.say(get_language()),
            "state": state,
            "status": state.entry.status if state.entry else "",
            "kept": state.form.code in kept,
            "missing": [wording.label(item) for item in state.unanswered],
        }
        for state in states
    ]


def sections(sheet: Sheet, participant: Participant, faults: dict[str, str]) -> list[tuple[str, list[FieldView]]]:
    """The fields by section of the form."""
    calculated = calculations(sheet, participant)
    asked = sheet.asked
    focus = next((item.code for item in sheet.asking if item.code in faults), sheet.asking[0].code if not faults else "")
    drawn = [
        (item.section, replace(_field(sheet, item, item.code in asked, faults.get(item.code, ""), calculated), focus=item.code == focus))
        for item in sheet.form.items
    ]
    placed = [(section, [view for code, view in drawn if code == section.code]) for section in sheet.form.sections]
    return [(section.text.say(get_language()), views) for section, views in placed if views]


def said(sheet: Sheet, participant: Participant) -> dict[str, Any]:
    """What was understood of every touched field, what is asked, and what is calculated, for the page's script."""
    fields = {item.code: dict(zip(("said", "tone", "unusual"), _said(sheet, item), strict=True)) for item in sheet.asking}
    return {"fields": fields, "asked": sorted(sheet.asked), "calculated": calculations(sheet, participant)}


def calculations(sheet: Sheet, participant: Participant) -> dict[str, str]:
    """The calculated items of a form in words, from what is known and typed now; of other forms what is stored."""
    items = [item for item in sheet.form.items if item.kind == "calculated"]
    if not items:
        return {}
    book, known = participant.study.dictionary, dict[str, Value]()
    for row in Entry.objects.filter(participant=participant, occurrence="").exclude(form=sheet.form.code):
        known |= entry.open_values(book.id, row)
    known |= {code: value for code, value in sheet.as_known.items() if code in sheet.asked}
    around = calculated.Around.of(book, [participant.center], items)
    return {item.code: _score(item, around.compute(item, participant, known), participant) for item in items}


def faults(form: Form, found: dict[str, str]) -> list[tuple[str, str, str]]:
    """(place on the page, label, sentence) of what is refused, in the order of the page."""
    listed = [(f"value_{item.code}", wording.label(item), found[item.code]) for item in form.items if item.code in found]
    rest = [(code if code == "reason" else "", "", sentence) for code, sentence in found.items() if code not in form.by_code]
    return listed + rest


def history(form: Form, row: Entry) -> list[dict[str, Any]]:
    """Every save, newest first, with what it changed."""
    steps, before, status = [], dict[str, Any](), ""
    for event in audit.history(row):
        context = event.pgh_context or {}
        found = wording.changes(form, before, event.values)
        submitted = event.status != status and event.status == "submitted"
        if found or submitted:
            steps.append(
                {
                    "at": event.pgh_created_at,
                    "by": context.get("by", ""),
                    "reason": context.get("reason", ""),
                    "changes": found,
                    "submitted": submitted,
                }
            )
        before, status = event.values, event.status
    return list(reversed(steps))


def retired(participant: Participant, form: Form, row: Entry) -> list[tuple[str, str]]:
    """(label, value) of what is stored and asked no more, in the words of the newest version that asked it."""
    left = {code: value for code, value in entry.held(row).items() if code not in form.by_code}
    books = dictionary.versions(participant.study.dictionary_id)[::-1] if left else []
    found = []
    for code, value in left.items():
        item = next((book.item(code) for book in books if book.has(code)), None)
        found.append((wording.label(item) if item else code, wording.value(item, value) if item else value.value or value.missing))
    return found


def conflict(sheet: Sheet, row: Entry | None, undecided: list[str]) -> list[Meeting]:
    """The fields that differ, mine and theirs, who and when."""
    last = _last_changes(row) if row else {}
    items = [item for item in sheet.asking if item in sheet.met or item.code in undecided]
    return [
        Meeting(
            item,
            wording.label(item),
            _mine(item, sheet.cell(item)),
            wording.value(item, sheet.stored.get(item.code, Value())),
            wording.value(item, sheet.seen.get(item.code, Value())),
            *last.get(item.code, ("", None)),
            item.code in undecided,
        )
        for item in items
    ]


def _mine(item: Item, cell: Cell) -> str:
    """What was typed, in words where it is understood."""
    try:
        value = read(item, cell)
    except NotUnderstood:
        return f"{cell.text} {cell.unit}".strip()
    return wording.value(item, value)


def _last_changes(row: Entry) -> dict[str, tuple[str, Any]]:
    """Who changed each item last, and when."""
    found, before = {}, dict[str, Any]()
    for event in audit.history(row):
        for code in before.keys() | event.values.keys():
            if before.get(code) != event.values.get(code):
                found[code] = ((event.pgh_context or {}).get("by", ""), event.pgh_created_at)
        before = event.values
    return found


def _field(sheet: Sheet, item: Item, asked: bool, fault: str, calculated: dict[str, str]) -> FieldView:
    language = get_language()
    words, tone, odd = (calculated[item.code], "", "") if item.kind == "calculated" else _said(sheet, item)
    return FieldView(
        item=item,
        label=wording.label(item),
        help=item.help.say(language),
        cell=sheet.cell(item),
        said="" if fault and tone == "bad" else words,
        tone=tone,
        unusual=odd,
        asked=asked,
        branch=wording.branch(sheet.form, item),
        error=fault,
        options=[(option.code, option.text.say(language)) for option in item.options],
        units=[("" if unit == item.unit else unit, wording.unit(unit)) for unit in item.units],
        reasons=[(code, MISSING[code].say(language)) for code in item.missing],
        bounds=wording.bounds(item),
    )


def _said(sheet: Sheet, item: Item) -> tuple[str, str, str]:
    """What stands beside a field, its tone, and the sentence of the tick where a number is unusual."""
    if item.code in sheet.faults:
        return sheet.faults[item.code], "bad", ""
    value = sheet.as_known.get(item.code, Value()) if item.code in sheet.touched else sheet.stored.get(item.code, Value())
    return wording.understood(item, value), "", wording.unusual(item) if unusual(item, value) else ""


def _score(item: Item, score: scores.Score, participant: Participant) -> str:
    if score.value:
        return f"{score.value} {item.unit}".strip()
    book = participant.study.dictionary
    for blamed, sentence in ((score.lacking, _("lacks %(items)s")), (score.censored, _("%(items)s is only a limit"))):
        if blamed:
            names = [wording.label(book.item(code)) if book.has(code) else str(BESIDE.get(code, code)) for code in blamed]
            return sentence % {"items": _(", ").join(names)}
    return _("cannot be calculated from these values")
