"""What the database knows of every participant after surgery, as the values that the pure rules take: one read for all.

The number of queries does not depend on the number of participants. Facts are taken as far as they are dated up to a day.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import chain

from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform

from analysis import strategy
from analysis.strategy import ADJUVANT, Course, Rule
from followup import models
from followup.history import Assessment, Finding, History, Recurrence
from followup.outcomes import Outcomes, derive
from followup.partial_date import PartialDate
from followup.vocabulary import SIGN_OF_LIFE
from studies import milestones
from studies.models import Participant, Study
from studies.vocabulary import MilestoneKind

WANTED = ("uuid", "study_number", "center", "withdrawal", "withdrawn_on")
WANTED_OF_SCREENING = ("surgery_date", "age_at_surgery", "sex")
"""The columns that are read of everybody: answers and evaluations alone would take longer than all of it."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One participant as of a day: the dated facts, the courses, and the day the treatment window was stated to be ascertained.

    `closed_on` is None while it was not, and where an adjuvant course contradicts the declaration that there was none.
    """

    participant: Participant
    history: History
    courses: tuple[Course, ...]
    closed_on: date | None
    ineligible: bool = False
    """Whether a criterion failed; retrospective studies keep those too."""

    def outcomes(self, on: date) -> Outcomes:
        """The endpoints at the cutoff. Raises ImpossibleHistory (EP-10)."""
        return derive(self.history, cutoff=on)

    def actual(self, outcomes: Outcomes, rule: Rule) -> strategy.Actual:
        """What counts at the landmark. The site's own statement stands for verification until source verification exists."""
        return strategy.actual(
            surgery=self.history.surgery,
            courses=self.courses,
            outcomes=outcomes,
            closed_on=self.closed_on,
            verified=self.closed_on is not None,
            rule=rule,
            stopped_on=self.history.stopped_on,
            ineligible=self.ineligible,
        )


def rule_of(study: Study) -> Rule:
    """The registered window and landmark of the study's protocol."""
    protocol = study.protocol
    return Rule(f"{protocol.id} {protocol.version}", protocol.adjuvant_window_days, protocol.landmark_days)


def read(study: Study, on: date) -> list[Followed]:
    """Everybody enrolled by the day `on`, in the order of study numbers, with the columns of `WANTED`."""
    people = Participant.objects.filter(study=study, enrolled_on__lte=on).select_related("screening").prefetch_related("center")
    people = people.only(*WANTED, *(f"screening__{name}" for name in WANTED_OF_SCREENING))
    facts = _Facts(study, on)
    return [facts.followed(each) for each in people.annotate(verdict=KeyTextTransform("verdict", "eligibility")).order_by("study_number")]


class _Facts:
    """The rows in force of one study up to a day, by participant."""

    def __init__(self, study: Study, on: date) -> None:
        self.on = on
        self.courses = _by_participant(_in_force(models.TreatmentCourse, study))
        self.declared = _by_participant(_in_force(models.NoAdjuvantDeclaration, study).filter(declared_on__lte=on))
        self.assessments = _by_participant(_in_force(models.Assessment, study).filter(on__lte=on))
        self.recurrences = _by_participant(_in_force(models.Recurrence, study).filter(first_seen_on__lte=on))
        self.deaths = _by_participant(_in_force(models.Death, study))
        self.contacts = _by_participant(_in_force(models.Contact, study).filter(SIGN_OF_LIFE, on__lte=on))
        closed = milestones.in_force().filter(participant__study=study, kind=MilestoneKind.WINDOW_CLOSED, on__lte=on)
        self.closed = _by_participant(closed.order_by("on", "pk"))

    def followed(self, participant: Participant) -> Followed:
        key = participant.pk
        courses = tuple(course for course in map(_course, self.courses[key]) if course.start.earliest <= self.on)
        failed = participant.verdict == "fail"  # type: ignore[attr-defined]
        return Followed(participant, self._history(participant, courses), courses, self._closed_on(key, courses), failed)

    def _history(self, participant: Participant, courses: tuple[Course, ...]) -> History:
        key = participant.pk
        given = [(course.intent, course.start.earliest) for course in courses if course.start.exact]
        alive = {row.on for row in self.contacts[key]} | {day for intent, day in given if intent == ADJUVANT}
        deaths = [PartialDate.parse(row.on) for row in self.deaths[key]]
        return History(
            surgery=participant.screening.surgery_date,
            assessments=tuple(Assessment(row.on, row.adequate, Finding(row.finding)) for row in self.assessments[key]),
            recurrences=tuple(
                Recurrence(PartialDate.parse(row.first_seen_on.isoformat()), row.confirmed_on) for row in self.recurrences[key]
            ),
            death=next((death for death in deaths if death.earliest <= self.on), None),
            contacts=tuple(sorted(alive)),
            therapies=tuple(sorted(day for intent, day in given if intent != ADJUVANT)),
            stopped_on=participant.data_until,
        )

    def _closed_on(self, key: int, courses: Iterable[Course]) -> date | None:
        if self.declared[key] and any(course.intent == ADJUVANT for course in courses):
            return None
        stated = chain((row.on for row in self.closed[key]), (row.declared_on for row in self.declared[key]))
        return min(stated, default=None)


def _course(row: models.TreatmentCourse) -> Course:
    return Course(row.kind, row.intent, PartialDate.parse(row.start), row.drug_class, row.decided_on)


def _in_force(model: type[models.Entry], study: Study) -> QuerySet:
    return model.objects.in_force().filter(participant__study=study).order_by("pk")


def _by_participant(rows: Iterable) -> dict[int, list]:
    found: dict[int, list] = defaultdict(list)
    for row in rows:
        found[row.participant_id].append(row)
    return found
