"""What pages read: participants with their milestones, counts that are the lengths of lists, timelines, completeness cells.

Everything is scoped by `studies.access` and takes a fixed number of queries whatever the number of rows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db.models import F, QuerySet

from accounts.models import User
from studies import entry, milestones, progress
from studies.access import Permission, participants_for, screenings_for
from studies.models import Milestone, Participant, Screening
from studies.protocol import Protocol
from studies.vocabulary import MilestoneKind

Kind = MilestoneKind

FLAGS = ("has_series", "has_phases", "has_seal", "has_death")
"""Annotated on every participant row: whether a milestone of the kind is in force."""

PARTICIPANT_STATES, SCREENING_STATES = progress.PEOPLE, progress.LINES
"""The lists of participants and of lines: code → condition on their progress."""


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
    return with_flags(participants_for(user)).filter(progress.on_record(PARTICIPANT_STATES[state]))


def participant_counts(user: User) -> dict[str, int]:
    """How long each of the lists of `participants` is, by state."""
    tallied = progress.tally(user, Permission.PARTICIPANT_VIEW)
    return {state: progress.counted(tallied, "people", state) for state in PARTICIPANT_STATES}


def screenings(user: User, state: str = "all") -> QuerySet[Screening]:
    """The screening log a person may see, in one of SCREENING_STATES. Raises KeyError for an unknown state."""
    return screenings_for(user).filter(progress.on_record(SCREENING_STATES[state]))


def screening_counts(user: User) -> dict[str, int]:
    """How long each of the lists of `screenings` is, by state."""
    tallied = progress.tally(user, Permission.SCREENING_VIEW)
    return {state: progress.counted(tallied, "lines", state) for state in SCREENING_STATES}


def participant_count(user: User) -> int:
    """The length of the whole list of participants."""
    return participant_counts(user)["all"]


def screening_count(user: User) -> int:
    """The length of the whole screening log."""
    return screening_counts(user)["all"]


def with_flags(rows: QuerySet[Participant]) -> QuerySet[Participant]:
    """Participants annotated with FLAGS."""
    return rows.annotate(**{flag: F(f"progress__{flag}") for flag in FLAGS})


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
    held = entry.answered(listed)
    found: dict[int, list[Milestone]] = defaultdict(list)
    # Those out of force are left out here: the join that finds them reads the milestones of everybody.
    happened = list(Milestone.objects.filter(participant__in=[row.pk for row in listed]).order_by("on", "pk"))
    cancelled = {milestone.cancels_id for milestone in happened}
    for milestone in happened:
        if not milestone.retraction and milestone.pk not in cancelled:
            found[milestone.participant_id].append(milestone)  # type: ignore[index] # filtered by participant
    return {row.uuid: cells(row.study.protocol, row.screening, found[row.pk], held.get(row.pk, set()), on) for row in listed}


def cells(protocol: Protocol, screening: Screening, happened: Iterable[Milestone], baseline: Collection[str], on: date) -> list[Cell]:
    """The completeness cells of one participant: consent, phases, slide, pathology, baseline, sealed, treatment, visits.

    `baseline` are the codes of the items that have a value or a reason for having none.
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
    done, asked = sum(code in held for code in protocol.baseline), len(protocol.baseline)
    return Cell("baseline", "done" if done == asked else "missing", None, done, asked)


def _visits(protocol: Protocol, done: list[date], day: int) -> Cell:
    due = sum(visit.last_day < day for visit in protocol.visits)
    state = "overdue" if len(done) < due else "done" if done else "waiting"
    return Cell("visits", state, max(done, default=None), len(done), due)
