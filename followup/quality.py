"""What this room tells to queries, verification and edit checks: courses, declaration, visits, recurrence, death, contacts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.once import once
from followup import pages
from followup.models import Assessment, Contact, Death, Entry, NoAdjuvantDeclaration, Recurrence, TreatmentCourse
from followup.vocabulary import ALIVE, Finding, Intent, Vital
from studies.models import Participant, Study
from studies.quality.expression import Day
from studies.quality.pointer import Pointer
from studies.quality.sources import Fact, Facts, Held, Source, Wanted

FIELDS: dict[type[Entry], tuple[str, ...]] = {
    TreatmentCourse: ("kind", "intent", "drug", "start", "end", "decided_on"),
    NoAdjuvantDeclaration: ("declared_on",),
    Assessment: ("on", "finding"),
    Recurrence: ("first_seen_on", "confirmed_on", "site"),
    Death: ("on", "cause"),
    Contact: ("on",),
}
"""The fields that can be asked about, by table."""
CLASSES: dict[type[Entry], str] = {
    TreatmentCourse: "critical", NoAdjuvantDeclaration: "critical", Recurrence: "critical", Death: "critical", Assessment: "sampled",
    Contact: "none",
}  # fmt: skip
"""How a table is verified against the source (AU-06: treatments, recurrence, death for everybody)."""
ANCHORS: dict[type[Entry], str] = {
    TreatmentCourse: "#treatment", NoAdjuvantDeclaration: "#treatment", Assessment: "#visits", Contact: "#events", Recurrence: "#events",
    Death: "#events",
}  # fmt: skip
"""Where the participant's page shows them."""
DATES = (
    "first_course_on", "last_course_on", "first_adjuvant_on", "last_adjuvant_on", "none_declared_on", "last_visit_on", "last_seen_on",
    "last_free_on", "recurrence_on", "recurrence_confirmed_on", "death_on",
)  # fmt: skip


def pointer(row: Entry, field: str = "") -> Pointer:
    """A field of an entry of this room."""
    return Pointer(row._meta.label, row.uuid, field)


def _rows(participants: Sequence[Participant], wanted: Wanted = bool) -> dict[type[Entry], list[Entry]]:
    people = tuple(each.pk for each in participants)
    return {table: _in_force(table, people) for table in FIELDS if wanted(table._meta.label)}


@once
def _in_force(table: type[Entry], people: tuple[int, ...]) -> list[Entry]:
    return list(table.objects.in_force().filter(participant__in=people).order_by("pk"))


def _held(participants: Sequence[Participant], wanted: Wanted) -> Iterable[Held]:
    whose = {each.pk: each for each in participants}
    for table, rows in _rows(participants, wanted).items():
        for row in rows:
            yield from _fields(table, row, whose[row.participant_id])


def _fields(table: type[Entry], row: Entry, participant: Participant) -> Iterable[Held]:
    what, on, _details = pages.say(row)
    url = reverse("participant", args=[participant.uuid]) + ANCHORS[table]
    for field in FIELDS[table]:
        stored = getattr(row, field)
        if stored in (None, ""):
            continue
        display = getattr(row, f"get_{field}_display", None)
        label = _("%(what)s %(on)s: %(field)s") % {"what": what, "on": on, "field": WORDS[field]()}
        text = stored.isoformat() if isinstance(stored, date) else str(stored)
        shown = str(display()) if display else text
        yield Held(participant.pk, pointer(row, field), f"{table._meta.label} {row.uuid}", what, label, text, shown, url, CLASSES[table])


WORDS = {
    "kind": lambda: _("treatment"), "intent": lambda: _("intent"), "drug": lambda: _("drug"), "start": lambda: _("start"),
    "end": lambda: _("end"), "decided_on": lambda: _("decided on"), "declared_on": lambda: _("declared on"), "on": lambda: _("date"),
    "finding": lambda: _("finding"), "first_seen_on": lambda: _("first seen"), "confirmed_on": lambda: _("confirmed"),
    "site": lambda: _("site"), "cause": lambda: _("cause"),
}  # fmt: skip


def _facts(participants: Sequence[Participant]) -> Mapping[int, Facts]:
    dated: dict[int, dict[str, list[tuple[str, Pointer]]]] = defaultdict(lambda: defaultdict(list))
    for rows in _rows(participants).values():
        for row in rows:
            for code, day, field in _days(row):
                dated[row.participant_id][code].append((day, pointer(row, field)))
    return {key: dict(_ends(days)) for key, days in dated.items()}


def _days(row: Entry) -> Iterable[tuple[str, str, str]]:
    """What an entry adds to the facts: code of the kind of day, the day as text, its field."""
    match row:
        case TreatmentCourse():
            yield "course", row.start, "start"
            if row.intent == Intent.ADJUVANT:
                yield "adjuvant", row.start, "start"
        case NoAdjuvantDeclaration():
            yield "none_declared", row.declared_on.isoformat(), "declared_on"
        case Assessment():
            yield "visit", row.on.isoformat(), "on"
            yield "seen", row.on.isoformat(), "on"
            if row.adequate and row.finding == Finding.FREE:
                yield "free", row.on.isoformat(), "finding"
        case Contact():
            if row.vital == Vital.ALIVE or (not row.vital and row.outcome in ALIVE):
                yield "seen", row.on.isoformat(), "on"
        case Recurrence():
            yield "recurrence", row.first_seen_on.isoformat(), "first_seen_on"
            if row.confirmed_on:
                yield "recurrence_confirmed", row.confirmed_on.isoformat(), "confirmed_on"
        case Death():
            yield "death", row.on, "on"


def _ends(days: Mapping[str, list[tuple[str, Pointer]]]) -> Iterable[tuple[str, Fact]]:
    """The first and the last of each kind of day; of what happens once, the day."""
    for code, found in days.items():
        ends = {"first": min(found, key=lambda each: each[0]), "last": max(found, key=lambda each: each[0])}
        for end, (day, at) in ends.items():
            name = f"{end}_{code}_on" if f"{end}_{code}_on" in DATES else f"{code}_on"
            if name in DATES:
                yield name, Fact(Day.parse(day), at, day)


def _kinds(study: Study) -> Mapping[str, str]:
    return dict.fromkeys(DATES, "date")


SOURCE = Source("followup", _held, _facts, _kinds)
