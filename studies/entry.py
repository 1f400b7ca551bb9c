"""Recording what a form asks of a participant: checked by the data dictionary, changed after submission only with a reason (AU-03)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies import date_order, dictionary
from studies.access import require
from studies.dictionary import Dictionary, Form, Item
from studies.governance import withdrawal
from studies.locking.standing import check_study_open
from studies.models import Entry, Participant
from studies.quality import checking
from studies.values import NotUnderstood, Value, asked, rebuilt, unanswered, understand
from studies.vocabulary import EntryStatus

ENTER = "entry.record"


@dataclass(frozen=True, slots=True)
class FormState:
    """How far a form of a participant is: items asked, items with a value or a reason, and the required ones with neither."""

    form: Form
    entry: Entry | None
    asked: int
    held: int
    unanswered: list[Item] = field(default_factory=list)


@transaction.atomic
def record(
    *,
    participant: Participant,
    form: str,
    values: Mapping[str, Value],
    by: User,
    reason: str = "",
    occurrence: str = "",
    submit: bool = False,
) -> Entry:
    """Record or change values of one form; what is left out stays, an empty Value takes one away. `submit` declares it complete.

    Raises ValidationError naming each value that cannot be and, once the form was submitted, for a change of a stored value
    without a reason; NotAllowedNow once the study is locked. Required items without a value are listed by `states`, not refused.
    """
    require(by, ENTER, participant.center)
    check_study_open(participant.study)
    participant = (
        Participant.objects.select_for_update(no_key=True, of=("self",)).select_related("study", "screening").get(pk=participant.pk)
    )
    book = participant.study.dictionary
    checked = check(book, form, values, occurrence)
    row = Entry.objects.filter(participant=participant, form=form, occurrence=occurrence).first()
    row = row or Entry(participant=participant, form=form, occurrence=occurrence)
    changed = {code for code, value in checked.items() if value.content != Value.from_json(row.values.get(code, {})).content}
    ticked = {code for code, value in checked.items() if code not in changed and value.confirmed and not row.values[code].get("confirmed")}
    replaced = [code for code in changed if code in row.values]
    if row.status == EntryStatus.SUBMITTED and replaced and not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after submission needs a reason.")})
    if changed:
        measured = [date.fromisoformat(checked[code].on) for code in changed if len(checked[code].on) == len("2026-01-01")]
        withdrawal.check_entry(participant, days=measured, reason=reason, field="reason")
    merged = {**row.values, **{code: checked[code].as_json() for code in changed | ticked}}
    _check_dates(participant, book, row, merged, changed)
    submitting = submit and row.status == EntryStatus.DRAFT
    if row.pk and not changed and not ticked and not submitting:
        return row
    row.values = {code: value for code, value in merged.items() if value}
    row.dictionary_version = book.version
    row.status = EntryStatus.SUBMITTED if submitting else row.status
    row.recorded_at, row.recorded_by = timezone.now(), by
    with audit.act(by=by, action="entry.submitted" if submitting else "entry.recorded", reason=reason):
        save_checked(row)
    checking.on_saved(participant)
    return row


@transaction.atomic
def record_texts(
    *, participant: Participant, texts: Mapping[str, str], by: User, reason: str = "", source: str = "", submit: bool = False
) -> list[Entry]:
    """Record values of any forms from text as a person would type it: what the demo, imports and tests call.

    Raises ValidationError naming each item whose text is not understood, before anything is written.
    """
    book = participant.study.dictionary
    forms: dict[str, dict[str, Value]] = defaultdict(dict)
    faults: dict[str, str] = {}
    for code, text in texts.items():
        try:
            value = understand(book.item(code), text)
        except KeyError:
            faults[code] = unknown(code)
        except NotUnderstood as fault:
            faults[code] = fault.say(get_language())
        else:
            forms[book.form_of(code).code][code] = Value.from_json({**value.as_json(), "source": source}) if value else value
    if faults:
        raise ValidationError(faults)
    with checking.judged_at_the_end():
        return [
            record(participant=participant, form=form, values=values, by=by, reason=reason, submit=submit) for form, values in forms.items()
        ]


def check(book: Dictionary, form: str, values: Mapping[str, Value], occurrence: str = "") -> dict[str, Value]:
    """The values as they will be stored. Raises ValidationError with a sentence for each that cannot be."""
    try:
        asking = book.form(form)
    except KeyError:
        raise ValidationError(_("The data dictionary has no form “%(form)s”.") % {"form": form}) from None
    if asking.repeating != bool(occurrence):
        raise ValidationError(_("Only a repeating form is told apart by an occurrence, and it needs one."))
    checked, faults = {}, {}
    for code, value in values.items():
        if code not in asking.by_code:
            faults[code] = unknown(code)
            continue
        try:
            checked[code] = rebuilt(asking.by_code[code], value)
        except NotUnderstood as fault:
            faults[code] = fault.say(get_language())
    if faults:
        raise ValidationError(faults)
    return checked


def held(entry: Entry | None) -> dict[str, Value]:
    """What an entry holds, by item code; nothing where there is none."""
    return {code: Value.from_json(value) for code, value in entry.values.items()} if entry else {}


def open_values(dictionary_id: str, entry: Entry) -> dict[str, Value]:
    """What an entry holds of the items that its form, as it was when it was recorded, asks of somebody with these values."""
    values, form = held(entry), recorded_form(dictionary_id, entry.dictionary_version, entry.form)
    open_ = asked(form, values) if form else frozenset(values)
    return {code: value for code, value in values.items() if code in open_}


def flat(participants: Iterable[Participant], *, submitted: bool = False) -> dict[int, dict[str, str]]:
    """{participant's key: {item code: stored text}} of the forms that do not repeat: what models, cuts and checks read.

    A censored number is its limit; a missing value and one whose branch is closed are left out. One query for all of them;
    `submitted` leaves out forms that are still drafts.
    """
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for row, form, values in _answers(participants, submitted):
        open_ = asked(form, values) if form else frozenset(values)
        found[row] |= {code: value.value for code, value in values.items() if value.value and code in open_}
    return dict(found)


def answered(participants: Iterable[Participant]) -> dict[int, set[str]]:
    """{participant's key: codes of the items that have a value or a reason for having none}; one query."""
    found: dict[int, set[str]] = defaultdict(set)
    for row, _form, values in _answers(participants, submitted=False):
        found[row] |= values.keys()
    return dict(found)


def states(participant: Participant) -> list[FormState]:
    """Every form of the study's dictionary and how far it is for a participant, one row per occurrence; one query."""
    rows: dict[str, list[Entry | None]] = defaultdict(list)
    for row in Entry.objects.filter(participant=participant).select_related("recorded_by").order_by("form", "occurrence"):
        rows[row.form].append(row)
    return [state(form, row) for form in participant.study.dictionary.forms for row in rows[form.code] or [None]]


def state(form: Form, row: Entry | None) -> FormState:
    """How far one form is."""
    values = held(row)
    open_ = asked(form, values)
    countable = [item.code for item in form.items if item.code in open_ and item.kind != "calculated"]
    return FormState(form, row, len(countable), sum(code in values for code in countable), unanswered(form, values))


def _answers(participants: Iterable[Participant], submitted: bool) -> Iterable[tuple[int, Form | None, dict[str, Value]]]:
    rows = Entry.objects.filter(participant__in=participants, occurrence="")
    forms: dict[tuple[str, str, str], Form | None] = {}
    if submitted:
        rows = rows.filter(status=EntryStatus.SUBMITTED)
    asked_of = rows.order_by("pk").values_list(
        "participant_id", "participant__study__dictionary_id", "dictionary_version", "form", "values"
    )
    for participant, dictionary_id, version, form, values in asked_of:
        if (key := (dictionary_id, version, form)) not in forms:
            forms[key] = recorded_form(*key)
        yield participant, forms[key], {code: Value.from_json(value) for code, value in values.items()}


def recorded_form(dictionary_id: str, version: str, form: str) -> Form | None:
    """The form as it was when the entry was recorded; None when that version's file is gone."""
    try:
        return dictionary.load(dictionary_id, version).form(form)
    except (dictionary.DictionaryError, KeyError):
        return None


def _check_dates(participant: Participant, book: Dictionary, row: Entry, merged: dict[str, dict[str, str]], changed: set[str]) -> None:
    """Raise ValidationError for a changed date that cannot be true beside the others."""
    dates = {code: value.get("value", "") for code, value in merged.items()}
    for other in Entry.objects.filter(participant=participant, occurrence="").exclude(pk=row.pk):
        dates = {**{code: value.get("value", "") for code, value in other.values.items()}, **dates}
    line = participant.screening
    found = date_order.contradictions(
        book, dates, surgery=line.surgery_date, age_at_surgery=line.age_at_surgery, today=participant.study.today()
    )
    faults: dict[str, list[str]] = defaultdict(list)
    for contradiction in found:
        for code in changed.intersection(contradiction.codes):
            faults[code].append(contradiction.text.say(get_language()))
    if faults:
        raise ValidationError(dict(faults))


def unknown(code: str) -> str:
    """What is said of an item that is not asked."""
    return _("The data dictionary asks nothing called “%(code)s” here.") % {"code": code}
