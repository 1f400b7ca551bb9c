"""What the entered forms tell to queries, verification and edit checks; only forms declared complete are judged."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import get_language

from studies import dictionary, scores, values
from studies.dictionary import DATES, MISSING, NUMBERS, Dictionary, DictionaryError, Form, Item
from studies.models import Entry, Participant, Study
from studies.quality.expression import Day, Span
from studies.quality.expression import Value as Known
from studies.quality.pointer import Pointer
from studies.quality.sources import Fact, Facts, Held, Source, Wanted
from studies.values import Value
from studies.vocabulary import EntryStatus

ENTRY = "studies.Entry"
CALCULATED = {"child_pugh_points": "number", "child_pugh_class": "choice", "cnlc_stage": "choice", "bclc_stage": "choice"}
"""The scores that rules compare with what was entered."""


def pointer(row: Entry, code: str) -> Pointer:
    """An item of an entered form."""
    return Pointer(ENTRY, row.uuid, code)


def said(item: Item | None, value: Value) -> str:
    """A value as a page says it: the option's words, the number with comparator and unit, or the reason for having none."""
    language = get_language()
    if value.missing:
        return MISSING[value.missing].say(language) if value.missing in MISSING else value.missing
    if item and (option := item.option(value.value)):
        return option.text.say(language)
    parts = [value.comparator, value.value, item.unit if item else ""]
    return " ".join(part for part in parts if part)


def _rows(participants: Sequence[Participant]) -> QuerySet[Entry]:
    return Entry.objects.filter(participant__in=participants).order_by("pk")


def _held(participants: Sequence[Participant], wanted: Wanted) -> Iterable[Held]:
    if not wanted(ENTRY):
        return
    people = {each.pk: each for each in participants}
    for row in _rows(participants):
        person = people[row.participant_id]
        yield from _fields(row, person, _book(person.study.dictionary_id, row.dictionary_version))


def _fields(row: Entry, person: Participant, book: Dictionary | None) -> Iterable[Held]:
    form = _form(book, row.form)
    name = " ".join(filter(None, [form.text.say(get_language()) if form else row.form, row.occurrence]))
    url, key = reverse("form", args=[person.uuid, row.form]), f"{row.form} {row.occurrence}".strip()
    for code, stored in row.values.items():
        item, value = form.by_code.get(code) if form else None, Value.from_json(stored)
        label, content = item.text.say(get_language()) if item else code, "|".join(value.content)
        verification = item.verification if item else "none"
        yield Held(person.pk, pointer(row, code), key, name, label, content, said(item, value), f"{url}#value_{code}", verification)


def _facts(participants: Sequence[Participant]) -> Mapping[int, Facts]:
    people = {each.pk: each for each in participants}
    given: dict[int, dict[str, Value]] = {key: {} for key in people}
    found: dict[int, Facts] = {key: {} for key in people}
    for row in _rows(participants).filter(occurrence="", status=EntryStatus.SUBMITTED):
        form = _form(_book(people[row.participant_id].study.dictionary_id, row.dictionary_version), row.form)
        held = {code: Value.from_json(stored) for code, stored in row.values.items()}
        for code in values.asked(form, held) if form else ():
            if (value := held.get(code)) and value.value and form:
                given[row.participant_id][code] = value
                found[row.participant_id][code] = Fact(
                    known(form.by_code[code], value), pointer(row, code), said(form.by_code[code], value)
                )
    for key, known_values in given.items():
        found[key] |= _calculated(known_values)
    return found


def known(item: Item, value: Value) -> Known:
    """A value as the language of edit checks takes it; a censored number is all that it may be."""
    if item.kind in DATES:
        return Day.parse(value.value)
    if item.kind not in NUMBERS:
        return value.value
    number = Decimal(value.value)
    if value.comparator in ("<", "<="):
        return Span(Decimal(0), number)
    return Span(number, Decimal("Infinity")) if value.comparator in (">", ">=") else number


def _calculated(given: Mapping[str, Value]) -> Facts:
    results = {code: scores.compute(code, given).value for code in CALCULATED}
    return {code: Fact(Decimal(text) if CALCULATED[code] == "number" else text, None, text) for code, text in results.items() if text}


def _kinds(study: Study) -> Mapping[str, str]:
    kind = {"date": "date", "partial_date": "date", "number": "number", "integer": "number", "calculated": "number"}
    return {item.code: kind.get(item.kind, "choice") for item in study.dictionary.items} | CALCULATED


@cache
def _book(dictionary_id: str, version: str) -> Dictionary | None:
    """The dictionary that a form was recorded under; None when its file is gone."""
    try:
        return dictionary.load(dictionary_id, version)
    except DictionaryError:
        return None


def _form(book: Dictionary | None, code: str) -> Form | None:
    return next((form for form in book.forms if form.code == code), None) if book else None


SOURCE = Source("forms", _held, _facts, _kinds)
