"""What pages read: participants with their milestones, counts that are the lengths of lists, timelines, completeness cells.

Everything is scoped by `studies.access` and takes a fixed number of queries whatever the number of rows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from accounts.models import User
from studies import milestones
from studies.access import participants_for, screenings_for
from studies.models import Baseline, Milestone, Participant, Screening
from studies.protocol import Protocol
from studies.vocabulary import MilestoneKind, ParticipantStatus, ScreeningStatus

Kind = MilestoneKind

FLAGS: dict[str, tuple[Kind, ...]] = {
    "has_series": (Kind.SERIES_RECEIVED,),
    "has_phases": (Kind.PHASE_CONFIRMED,),
    "has_seal": (Kind.SEALED,),
    "has_death": (Kind.DEATH,),
}
"""Annotated on every participant row: whether a milestone of one of these kinds is in force."""

PARTICIPANT_STATES: dict[str, Q] = {
    "all": Q(),
    "images_missing": Q(has_series=False, has_phases=False, status=ParticipantStatus.ENROLLED),
    "phases_to_confirm": Q(has_series=True, has_phases=False, status=ParticipantStatus.ENROLLED),
    "phases_complete": Q(has_phases=True, status=ParticipantStatus.ENROLLED),
    "running": Q(status=ParticipantStatus.ENROLLED, has_death=False),
    "sealed": Q(has_seal=True),
    "withdrawn": Q(status=ParticipantStatus.WITHDRAWN),
}
"""The lists of participants that a page offers: code → condition on the annotated rows."""

SCREENING_STATES: dict[str, Q] = {
    "all": Q(),
    "unknown": Q(status=ScreeningStatus.SCREENED, eligibility__verdict="unknown"),
    "eligible": Q(status=ScreeningStatus.SCREENED, eligibility__verdict="pass"),
    "fails": Q(status=ScreeningStatus.SCREENED, eligibility__verdict="fail"),
    "open": Q(status=ScreeningStatus.SCREENED),
    "excluded": Q(status=ScreeningStatus.EXCLUDED),
    "enrolled": Q(status=ScreeningStatus.ENROLLED),
}
"""The lists of the screening log."""


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """A milestone in force; `day` counts from surgery (day 0). `ref_uuid` and `url_name` are empty where nothing is linked."""

    kind: Kind
    on: date
    day: int
    ref_uuid: UUID | None
    url_name: str
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One of the eight completeness cells. `state` is done, waiting (not due yet), missing or overdue.

    `on` is the day it was completed; `done` of `of` counts where something is counted (baseline, visits), otherwise 0 of 0.
    """

    key: str
    state: str
    on: date | None = None
    done: int = 0
    of: int = 0


def participants(user: User, state: str = "all") -> QuerySet[Participant]:
    """The participants a person may see, in one of PARTICIPANT_STATES, annotated with FLAGS.

    Raises KeyError for an unknown state.
    """
    return with_milestones(participants_for(user)).filter(PARTICIPANT_STATES[state])


def participant_counts(user: User) -> dict[str, int]:
    """How long each of the lists of `participants` is, by state, in one query."""
    counts = {state: Count("pk", filter=condition) for state, condition in PARTICIPANT_STATES.items() if condition}
    return with_milestones(participants_for(user)).aggregate(all=Count("pk"), **counts)


def screenings(user: User, state: str = "all") -> QuerySet[Screening]:
    """The screening log a person may see, in one of SCREENING_STATES. Raises KeyError for an unknown state."""
    return screenings_for(user).filter(SCREENING_STATES[state])


def screening_counts(user: User) -> dict[str, int]:
    """How long each of the lists of `screenings` is, by state, in one query."""
    counts = {state: Count("pk", filter=condition) for state, condition in SCREENING_STATES.items() if condition}
    return screenings_for(user).aggregate(all=Count("pk"), **counts)


def participant_count(user: User) -> int:
    """The length of the whole list of participants."""
    return participants_for(user).count()


def screening_count(user: User) -> int:
    """The length of the whole screening log."""
    return screenings_for(user).count()


def with_milestones(rows: QuerySet[Participant]) -> QuerySet[Participant]:
    """Participants annotated with FLAGS."""
    own = milestones.in_force().filter(participant=OuterRef("pk"))
    return rows.annotate(**{flag: Exists(own.filter(kind__in=kinds)) for flag, kinds in FLAGS.items()})


def timeline(participant: Participant) -> list[TimelineRow]:
    """The participant's milestones in force, oldest first."""
    surgery = participant.screening.surgery_date
    rows = milestones.in_force().filter(participant=participant).select_related("recorded_by").order_by("on", "pk")
    return [
        TimelineRow(Kind(row.kind), row.on, (row.on - surgery).days, row.ref_uuid, row.url_name, row.recorded_at, str(row.recorded_by))
        for row in rows
    ]


def completeness(rows: Iterable[Participant], on: date) -> dict[UUID, list[Cell]]:
    """The eight cells of each participant on a day, by the participant's uuid; two queries for all of them."""
    listed = list(rows)
    held = dict(Baseline.objects.filter(participant__in=[row.pk for row in listed]).values_list("participant", "values"))
    found: dict[int, list[Milestone]] = defaultdict(list)
    for milestone in milestones.in_force().filter(participant__in=[row.pk for row in listed]).order_by("on", "pk"):
        found[milestone.participant_id].append(milestone)  # type: ignore[index] # filtered by participant
    return {row.uuid: cells(row.study.protocol, row.screening, found[row.pk], held.get(row.pk, {}), on) for row in listed}


def cells(protocol: Protocol, screening: Screening, happened: Iterable[Milestone], baseline: Collection[str], on: date) -> list[Cell]:
    """The completeness cells of one participant: consent, phases, slide, pathology, baseline, sealed, treatment, visits.

    `baseline` are the codes of the baseline variables that have a value.
    """
    days: Mapping[str, list[date]] = defaultdict(list)
    for milestone in happened:
        days[milestone.kind].append(milestone.on)
    day = (on - screening.surgery_date).days
    in_window = day <= protocol.adjuvant_window_days
    return [
        _cell("consent", days, (Kind.CONSENTED,), "missing"),
        _cell("phases", days, (Kind.PHASE_CONFIRMED,), "missing"),
        _cell("slide", days, (Kind.SLIDE_RECEIVED,), "missing"),
        _cell("pathology", days, (Kind.REPORT_RECEIVED,), "missing"),
        _baseline(protocol, baseline),
        _cell("sealed", days, (Kind.SEALED,), "waiting" if in_window else "missing"),
        _cell("treatment", days, (Kind.TREATMENT_STARTED, Kind.NO_ADJUVANT_DECLARED), "waiting" if in_window else "overdue"),
        _visits(protocol, days[Kind.VISIT_DONE], day),
    ]


def _cell(key: str, days: Mapping[str, list[date]], kinds: tuple[Kind, ...], otherwise: str) -> Cell:
    found = [day for kind in kinds for day in days[kind]]
    return Cell(key, "done", min(found)) if found else Cell(key, otherwise)


def _baseline(protocol: Protocol, held: Collection[str]) -> Cell:
    done, asked = sum(variable.code in held for variable in protocol.baseline), len(protocol.baseline)
    return Cell("baseline", "done" if done == asked else "missing", None, done, asked)


def _visits(protocol: Protocol, done: list[date], day: int) -> Cell:
    due = sum(visit.last_day < day for visit in protocol.visits)
    state = "overdue" if len(done) < due else "done" if done else "waiting"
    return Cell("visits", state, max(done, default=None), len(done), due)
