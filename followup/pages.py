"""What pages read of treatment and follow-up: entries in words, with who voided them and why, and how the planned visits stand."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from followup import drugs, treatment
from followup.models import Assessment, Contact, Death, Entry, NoAdjuvantDeclaration, Recurrence, ResponseCase, TreatmentCourse
from followup.partial_date import PartialDate
from followup.schedule import Standing, Window, standings, windows
from followup.vocabulary import Intent, Place
from studies import milestones
from studies.models import Participant
from studies.vocabulary import MilestoneKind

VIEW = "followup.view"
TABLES: dict[str, type[Entry]] = {
    "course": TreatmentCourse,
    "declaration": NoAdjuvantDeclaration,
    "assessment": Assessment,
    "recurrence": Recurrence,
    "death": Death,
    "contact": Contact,
    "response": ResponseCase,
}
"""The kinds of entries by the name that addresses give them."""

STATES = {
    Standing.NOT_YET: "not_yet_due",
    Standing.DUE: "visit_due",
    Standing.DONE: "visit_done",
    Standing.DONE_OUTSIDE: "visit_done_outside",
    Standing.OVERDUE: "overdue",
    Standing.NOT_EXPECTED: "not_expected",
}
"""How a planned visit stands → the word of the status vocabulary."""


@dataclass(frozen=True)
class Voided:
    """That an entry was entered in error: why, by whom, when."""

    reason: str
    by: User
    at: datetime


@dataclass(frozen=True)
class EntryRow:
    """One entry as a panel lists it; `on` is its date as far as known, `day` counts from surgery where the day is known."""

    kind: str
    uuid: UUID
    on: str
    day: int | None
    what: str
    details: str
    voided: Voided | None


@dataclass(frozen=True)
class VisitRow:
    """A planned visit, how it stands in the words of the status vocabulary, and the visit made for it."""

    window: Window
    state: str
    made: EntryRow | None

    @property
    def open(self) -> bool:
        """Whether the visit is to be made now or was to be made before."""
        return self.state in ("visit_due", "overdue")


@dataclass(frozen=True)
class TreatmentWindow:
    """How the adjuvant window of a participant stands: day `day` of `days`, a state of the status vocabulary."""

    day: int
    days: int
    ends: date
    state: str
    rows: list[EntryRow] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether a declaration is possible: on the last day of the window or later."""
        return self.day >= self.days


def entries(participant: Participant, *kinds: str) -> list[EntryRow]:
    """The entries of those kinds, newest first, voided ones too."""
    rows = [row for kind in kinds for row in _of_kind(participant, kind)]
    return sorted(rows, key=lambda row: row.on, reverse=True)


def visits(participant: Participant, rows: Sequence[EntryRow], *, on: date) -> list[VisitRow]:
    """Every planned visit on a day; `rows` are the participant's assessments and death, as `entries` gives them.

    A visit is the one that the coordinator recorded it as, however far from its window (EP-07).
    """
    made = dict(Assessment.objects.in_force().filter(participant=participant).exclude(visit="").values_list("visit", "uuid"))
    by_uuid = {row.uuid: row for row in rows}
    ended = _ended(participant, rows)
    planned = []
    for window in windows(participant.screening.surgery_date, participant.study.protocol.visits):
        row = by_uuid.get(made[window.code]) if window.code in made else None
        [stand] = standings((window,), (date.fromisoformat(row.on),) if row else (), on=on, ended=ended)
        planned.append(VisitRow(window, STATES[stand.standing], row))
    return planned


def treatment_window(participant: Participant, *, on: date) -> TreatmentWindow:
    """The adjuvant window of a participant on a day, with courses and declarations."""
    rows = entries(participant, "course", "declaration")
    days, day = participant.study.protocol.adjuvant_window_days, (on - participant.screening.surgery_date).days
    adjuvant = TreatmentCourse.objects.in_force().filter(participant=participant, intent=Intent.ADJUVANT).exists()
    declared = any(row.kind == "declaration" and row.voided is None for row in rows)
    closed = milestones.in_force().filter(participant=participant, kind=MilestoneKind.WINDOW_CLOSED).exists()
    state = window_state(adjuvant=adjuvant, declared=declared, closed=closed, ended=day >= days, last_day=day == days)
    return TreatmentWindow(day, days, treatment.window_end(participant), state, rows)


def window_state(*, adjuvant: bool, declared: bool, closed: bool, ended: bool, last_day: bool = False) -> str:
    """The word of the status vocabulary for what is on record about the window."""
    if adjuvant and declared:
        return "contradiction"
    if declared or (adjuvant and closed):
        return "treatment_complete"
    if not ended:
        return "treatment_window"
    if adjuvant:
        return "treatment_unstated"
    return "last_day" if last_day else "declaration_missing"


def sentence(row: Entry) -> str:
    """One entry in a phrase: what and when."""
    what, on, _details = say(row)
    return _(", ").join([what, on])


def say(row: Entry) -> tuple[str, str, list[str]]:
    """What an entry says in words: what, when (ISO 8601 as far as known), and the details."""
    match row:
        case TreatmentCourse():
            return _course(row)
        case NoAdjuvantDeclaration():
            return _("no adjuvant therapy, here or elsewhere"), row.declared_on.isoformat(), [row.source]
        case Assessment():
            what = _("visit %(code)s") % {"code": row.visit} if row.visit else _("check between visits")
            adequate = [] if row.adequate else [_("not adequate")]
            details = [row.get_modality_display(), row.get_finding_display(), *adequate, *_elsewhere(row.place)]
            return what, row.on.isoformat(), details
        case Recurrence():
            confirmed = _("confirmed %(on)s") % {"on": row.confirmed_on} if row.confirmed_on else _("not confirmed yet")
            more = [row.get_number_display(), row.get_pattern_display(), row.get_confirmed_by_display()]
            details = [row.get_site_display(), row.get_modality_display(), confirmed, *filter(None, more)]
            return _("first recurrence"), row.first_seen_on.isoformat(), details
        case Death() | Contact() | ResponseCase():
            return _event(row)
    raise TypeError(type(row))


def _event(row: Death | Contact | ResponseCase) -> tuple[str, str, list[str]]:
    match row:
        case Death():
            return _("death"), row.on, [row.get_cause_display(), *filter(None, [row.source])]
        case Contact():
            details = [row.get_channel_display(), row.get_outcome_display(), *filter(None, [row.get_vital_display()])]
            return _("contact"), row.on.isoformat(), details
        case ResponseCase():
            return _("response"), row.scan_on.isoformat(), [_("baseline %(on)s") % {"on": row.baseline_on}]


def _course(row: TreatmentCourse) -> tuple[str, str, list[str]]:
    known = drugs.find(row.drug)
    name = known.say(get_language() or "") if known else row.drug
    drug = [f"{name} ({row.get_drug_class_display()})"] if row.drug_class else [name] if name else []
    until = [_("until %(end)s") % {"end": row.end}] if row.end else []
    decided = [_("decided %(on)s") % {"on": row.decided_on}] if row.decided_on else []
    details = [row.get_intent_display(), *drug, *until, *decided, *_elsewhere(row.place), row.source]
    return str(row.get_kind_display()), row.start, details


def _elsewhere(place: str) -> list[str]:
    return [str(Place.ELSEWHERE.label)] if place == Place.ELSEWHERE else []


def _of_kind(participant: Participant, kind: str) -> Iterable[EntryRow]:
    table = TABLES[kind]
    rows = list(table.objects.filter(participant=participant).select_related("voided_by"))
    reasons = _reasons(table, [row.pk for row in rows if row.voided_at])
    surgery = participant.screening.surgery_date
    for row in rows:
        what, on, details = say(row)
        known = PartialDate.parse(on)
        day = (known.earliest - surgery).days if known.exact else None
        voided = Voided(reasons.get(row.pk, ""), row.voided_by, row.voided_at) if row.voided_at else None
        yield EntryRow(kind, row.uuid, on, day, what, _(", ").join(details), voided)


def _reasons(table: type[Entry], voided: list[int]) -> dict[int, str]:
    """Why each of those rows was voided, from the history: {primary key: reason}."""
    if not voided:
        return {}
    events = table._meta.get_field("events").related_model.objects.filter(pgh_obj__in=voided, voided_at__isnull=False)
    return {event.pgh_obj_id: (event.pgh_context or {}).get("reason", "") for event in events.order_by("-pgh_id")}


def _ended(participant: Participant, rows: Iterable[EntryRow]) -> date | None:
    deaths = [PartialDate.parse(row.on).earliest for row in rows if row.kind == "death" and row.voided is None]
    return min([*deaths, *filter(None, [participant.data_until])], default=None)
