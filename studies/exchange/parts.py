"""What an export is made of: parts, each a form with its records by participant and its trail. Rooms above bring their own parts.

A part reads rows of one table and says each as values of the form's items, from the row as it stands and from any event of its
history in the same way, so that every export and every audit record says the same thing. Nothing here knows of predictions.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import models
from django.utils import translation

from studies import calculated, dictionary, entry
from studies.dictionary import Dictionary, Form, Item
from studies.models import Consent, Entry, Participant, Screening
from studies.protocol import Coded, Text
from studies.values import Value
from studies.vocabulary import ParticipantStatus, Sex, Withdrawal

RETIRED = "retired"
_RETIRED = Coded(RETIRED, Text("已不再采集", "Asked no more"))
SCREENING, BASELINE, FOLLOW_UP = "screening", "baseline", "follow_up"
EVENTS = {
    SCREENING: Text("筛选与入组", "Screening and enrolment"),
    BASELINE: Text("基线", "Baseline"),
    FOLLOW_UP: Text("治疗与随访", "Treatment and follow-up"),
}
Said = Callable[[Any], dict[str, Value]]


@dataclass(frozen=True)
class Record:
    """One record of a part: its key among the repeats, what it says, and the row it came from."""

    key: str
    values: Mapping[str, Value]
    pk: int


@dataclass(frozen=True)
class Part:
    """A form with the table it lives in. `study` is the path of lookups from its rows to their study.

    `say` gives what a row, or an event of it, holds; `compute` what follows from all that is held of each participant, by item.
    """

    form: Form
    event: str
    model: type[models.Model]
    rows: Callable[[list[Participant]], Iterable[tuple[int, models.Model]]]
    say: Said
    key: Callable[[Any], str] = lambda row: ""
    study: str = "participant__study"
    compute: Callable[[list[Participant]], Mapping[int, Mapping[str, Value]]] = lambda participants: {}

    def records(self, participants: list[Participant]) -> dict[int, list[Record]]:
        """Every record of some participants, by the participant's key, in the order they were made."""
        found: dict[int, list[Record]] = defaultdict(list)
        computed = self.compute(participants)
        for participant, row in self.rows(participants):
            values = {**self.say(row), **computed.get(participant, {})}
            found[participant].append(Record(self.key(row) if self.form.repeating else "", values, row.pk))
        return found


def values_of(form: Form, source: Any, names: Mapping[str, str] | None = None) -> dict[str, Value]:
    """The columns of a row (or of an event of it) as values: `names` gives the column of an item where it has another name."""
    found: dict[str, Value] = {}
    for item in form.items:
        held = getattr(source, (names or {}).get(item.code, item.code))
        text = "" if held is None else ("yes" if held else "no") if isinstance(held, bool) else str(held)
        if text:
            found[item.code] = Value(text)
    return found


def choices(labels: type[models.TextChoices]) -> tuple[Coded, ...]:
    """The codes of a vocabulary with their words in both languages."""
    words = {}
    for language in ("zh-hans", "en"):
        with translation.override(language):
            words[language] = [str(label) for label in labels.labels]
    pairs = zip(labels.values, words["zh-hans"], words["en"], strict=True)
    return tuple(Coded(str(code), Text(zh, en)) for code, zh, en in pairs)


def item(code: str, kind: str, zh: str, en: str, *, options: tuple[Coded, ...] = (), unit: str = "", cdash: str = "") -> Item:
    """One column of a part that no dictionary declares."""
    return Item(
        code, "", Text(zh, en), Text("", ""), kind, unit=unit, options=options, names={"cdash": cdash} if cdash else {}, missing=()
    )  # fmt: skip


def form(code: str, zh: str, en: str, *items: Item, repeating: bool = False) -> Form:
    """A part's form of one section."""
    return Form(code, Text(zh, en), (Coded("", Text(zh, en)),), items, repeating)


YES_NO = (Coded("yes", Text("是", "yes")), Coded("no", Text("否", "no")))
VERDICTS = (Coded("pass", Text("符合", "met")), Coded("fail", Text("不符合", "not met")), Coded("unknown", Text("待定", "unknown")))


def _screening_form() -> Form:
    return form(
        "screening",
        "筛选登记",
        "Screening",
        item("surgery_date", "date", "手术日期", "date of surgery", cdash="PRSTDAT"),
        item("screened_on", "date", "筛选日期", "day of screening"),
        item("age_at_surgery", "integer", "手术时年龄", "age at surgery", unit="years", cdash="AGE"),
        item("sex", "choice", "性别", "sex", options=choices(Sex), cdash="SEX"),
        item("verdict", "choice", "资格判定", "eligibility", options=VERDICTS),
    )


def _consent_form() -> Form:
    return form(
        "consent",
        "知情同意",
        "Consent",
        item("form_version", "text", "同意书版本", "version of the form"),
        item("signed_on", "date", "签署日期", "day of signature", cdash="DSSTDAT"),
        item("waiver_number", "text", "免除知情同意批件号", "number of the waiver"),
        item("waived_on", "date", "免除日期", "day of the waiver"),
    )


def _enrolment_form() -> Form:
    return form(
        "enrolment",
        "入组与退出",
        "Enrolment and withdrawal",
        item("enrolled_on", "date", "入组日期", "day of enrolment", cdash="DSSTDAT"),
        item("status", "choice", "状态", "status", options=choices(ParticipantStatus)),
        item("withdrawal", "choice", "退出程度", "how far a withdrawal goes", options=choices(Withdrawal)),
        item("withdrawn_on", "date", "退出日期", "day of withdrawal"),
    )


def _say_screening(shape: Form) -> Said:
    columns = Form(shape.code, shape.text, shape.sections, shape.items[:-1])

    def say(row: Any) -> dict[str, Value]:
        verdict = row.eligibility.get("verdict", "")
        return values_of(columns, row) | ({"verdict": Value(verdict)} if verdict else {})

    return say


def _screenings(participants: list[Participant]) -> Iterable[tuple[int, models.Model]]:
    lines = Screening.objects.filter(participant__in=participants).select_related("participant").order_by("pk")
    return ((line.participant.pk, line) for line in lines)


def _themselves(participants: list[Participant]) -> Iterable[tuple[int, models.Model]]:
    return ((each.pk, each) for each in participants)


def _consents(participants: list[Participant]) -> Iterable[tuple[int, models.Model]]:
    rows = Consent.objects.filter(screening__participant__in=participants).select_related("screening__participant").order_by("pk")
    return ((row.screening.participant.pk, row) for row in rows)


def _entries(code: str) -> Callable[[list[Participant]], Iterable[tuple[int, models.Model]]]:
    def rows(participants: list[Participant]) -> Iterable[tuple[int, models.Model]]:
        found = Entry.objects.filter(participant__in=participants, form=code).order_by("participant_id", "occurrence", "pk")
        return ((row.participant_id, row) for row in found)

    return rows


def _say_entry(dictionary: Dictionary, shape: Form) -> Said:
    """What an entry holds; what stands behind a branch that is closed stays where it is, as on the page."""

    def say(row: Any) -> dict[str, Value]:
        held = entry.open_values(dictionary.id, row)
        return {item.code: held[item.code] for item in shape.items if item.code in held}

    return say


def _compute(dictionary: Dictionary, shape: Form) -> Callable[[list[Participant]], Mapping[int, Mapping[str, Value]]]:
    wanted = [item for item in shape.items if item.kind == "calculated"]
    return lambda participants: calculated.of_all(dictionary, participants, wanted) if wanted else {}


def whole(current: Dictionary, *, moved: bool = True) -> Dictionary:
    """A dictionary with what its earlier versions asked and it asks no more, at the end of each form and of all: nothing stays behind.

    Without `moved`, an item that is asked on another form now stands there alone.
    """
    forms = {form.code: form for form in current.forms}
    for book in dictionary.versions(current.id)[::-1]:
        for old in book.forms if book.version != current.version else ():
            left = tuple(item for item in old.items if moved or not current.has(item.code))
            form = forms.get(old.code)
            forms[old.code] = _joined(form, left) if form else replace(old, items=left)
    return replace(current, forms=tuple(forms.values()))


def _joined(form: Form, old: tuple[Item, ...]) -> Form:
    """A form with the items that only its older version has."""
    left = tuple(replace(item, section=RETIRED) for item in old if item.code not in form.by_code and item.kind != "calculated")
    if not left:
        return form
    sections = form.sections if any(section.code == RETIRED for section in form.sections) else (*form.sections, _RETIRED)
    return replace(form, sections=sections, items=(*form.items, *left))


def own_parts(current: Dictionary) -> list[Part]:
    """The parts of this room: screening, consent, enrolment, and every form of the data dictionary with what it ever asked."""
    screening, consent, enrolment = _screening_form(), _consent_form(), _enrolment_form()
    fixed = [
        Part(screening, SCREENING, Screening, _screenings, _say_screening(screening), study="center__study"),
        Part(consent, SCREENING, Consent, _consents, lambda row: values_of(consent, row), study="screening__center__study"),
        Part(enrolment, SCREENING, Participant, _themselves, lambda row: values_of(enrolment, row), study="study"),
    ]
    forms = [
        Part(
            shape,
            BASELINE,
            Entry,
            _entries(shape.code),
            _say_entry(current, shape),
            lambda row: row.occurrence,
            compute=_compute(current, shape),
        )
        for shape in whole(current).forms
    ]
    return fixed + forms
