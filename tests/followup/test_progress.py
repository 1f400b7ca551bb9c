"""The rows that lists read say what the records say, after any history, whoever wrote (docs/adr/0011)."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise
from threading import Event
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from followup import entry, events, pages, treatment, treatment_lists, visit_lists
from followup import progress as followup_progress
from followup.models import Assessment, Contact, Death, NoAdjuvantDeclaration, TreatmentCourse
from prime_platform.demo import papers
from studies import consent, enrollment, milestones, progress, progress_lists, screening
from studies import entry as forms
from studies.models import Consent, Entry, Milestone, Participant, Progress, Screening
from studies.vocabulary import MilestoneKind as Kind
from studies.vocabulary import Withdrawal
from tests import world
from tests.site_login import signed_in_as
from tests.world import World

FLAGS = {
    "has_series": {Kind.SERIES_RECEIVED},
    "has_phases": {Kind.PHASE_CONFIRMED},
    "has_slide": {Kind.SLIDE_RECEIVED},
    "has_pathology": {Kind.REPORT_RECEIVED},
    "has_seal": {Kind.SEALED},
    "has_treatment": {Kind.TREATMENT_STARTED, Kind.NO_ADJUVANT_DECLARED},
    "has_closed_window": {Kind.WINDOW_CLOSED},
    "has_death": {Kind.DEATH},
    "has_input_missing": {Kind.INPUT_MISSING},
}
OTHER = ("slide_received", "report_received", "series_received", "phase_confirmed", "sealed", "input_missing")


def alive(call: Contact) -> bool:
    return call.vital == "alive" or (call.vital == "" and call.outcome in ("answered", "relative"))


def said(line: Screening) -> dict[str, Any]:
    """What the records of a line say, read one by one."""
    person = Participant.objects.filter(screening=line).first()
    happened = list(Milestone.objects.filter(participant=person)) if person else []
    cancelled = {each.cancels_id for each in happened}
    kinds = {each.kind for each in happened if not each.retraction and each.pk not in cancelled}

    def standing(table: Any, **narrow: str) -> list[Any]:
        return [row for row in table.objects.filter(participant=person, **narrow) if row.voided_at is None] if person else []

    visits = sorted(row.visit for row in standing(Assessment) if row.visit)
    return {
        "participant_id": person.pk if person else None,
        "study_id": line.center.study_id,
        "center_id": line.center_id,
        "surgery_date": line.surgery_date,
        "status": line.status,
        "verdict": line.eligibility["verdict"],
        "awaits_pathology": "pathology" in line.eligibility.get("awaits", []),
        "has_consent": Consent.objects.filter(screening=line).exists(),
        "exclusion_reason": line.exclusion_reason,
        "person_status": person.status if person else "",
        "withdrawal": person.withdrawal if person else "",
        **{flag: bool(kinds & meant) for flag, meant in FLAGS.items()},
        "forms_submitted": Entry.objects.filter(participant=person, occurrence="", status="submitted").count() if person else 0,
        "has_adjuvant": bool(standing(TreatmentCourse, intent="adjuvant")),
        "has_declaration": bool(standing(NoAdjuvantDeclaration)),
        "is_dead": bool(standing(Death)),
        "visits_made": f",{','.join(visits)}," if visits else "",
        "last_seen_alive": max((row.on for row in [*standing(Assessment), *filter(alive, standing(Contact))]), default=None),
    }


class History:
    """Writes that chance chooses, each through its write function; what that refuses is not done."""

    def __init__(self, site: World, seed: int) -> None:
        self.site, self.chance = site, random.Random(seed)
        self.by, self.today = site.people["coordinator01"], timezone.localdate()
        self.lines = [self.screen() for _ in range(3)]
        self.people = [world.enrolled(site, surgery=self.today - timedelta(days=ago)) for ago in (60, 120, 180)]

    def screen(self) -> Screening:
        answer = self.chance.choice([{}, {"histology_hcc": "unknown"}, {"other_malignancy": "yes"}])
        return world.screened(self.site, surgery=self.today - timedelta(days=self.chance.randint(5, 150)), **answer)

    def step(self) -> bool:
        line, person = self.chance.choice(self.lines), Participant.objects.get(pk=self.chance.choice(self.people).pk)
        chosen: Callable[[], Any] = self.chance.choice([*self._of_line(Screening.objects.get(pk=line.pk)), *self._of_person(person)])
        try:
            with transaction.atomic():
                made = chosen()
        except (ValidationError, NotAllowedNow, DatabaseError):
            return False
        if isinstance(made, Participant) and made.pk not in {each.pk for each in self.people}:
            self.people.append(made)
        return True

    def _of_line(self, line: Screening) -> list[Callable[[], Any]]:
        by, signed = self.by, {"form_version": papers.CONSENT_VERSION, "signed_on": line.screened_on}
        answer = {"histology_hcc": self.chance.choice(["yes", "unknown"]), "other_malignancy": self.chance.choice(["yes", "no"])}
        return [
            lambda: screening.amend(screening=line, answers=answer, reason="report", by=by),
            lambda: screening.amend(screening=line, surgery_date=line.surgery_date - timedelta(days=1), reason="typo", by=by),
            lambda: screening.exclude(screening=line, reason_code="refused", by=by),
            lambda: screening.reinstate(screening=line, reason="in error", by=by),
            lambda: consent.record(screening=line, by=by, **signed),
            lambda: enrollment.enroll(screening=line, by=by),
        ]

    def _of_person(self, person: Participant) -> list[Callable[[], Any]]:
        by, surgery = self.by, person.screening.surgery_date
        seen = {"modality": "CT", "adequate": True, "finding": "free", "by": by}
        visit, ago = self.chance.choice(["M1", "M3", ""]), timedelta(days=self.chance.randint(20, 60))
        how_far = self.chance.choice([Withdrawal.NO_CONTACT, Withdrawal.NO_NEW_DATA])
        course = {"kind": "TACE", "start": surgery.isoformat(), "source": "file", "by": by}
        called = {"outcome": self.chance.choice(["answered", "no_answer"]), "vital": self.chance.choice(["", "alive", "unknown"])}
        return [
            lambda: self._happened(person),
            lambda: self._taken_back(person),
            lambda: events.record_assessment(participant=person, visit=visit, on=surgery + ago, **seen),
            lambda: treatment.record_course(participant=person, intent=self.chance.choice(["adjuvant", "recurrence"]), **course),
            lambda: treatment.declare_no_adjuvant(participant=person, declared_on=surgery + timedelta(days=95), source="call", by=by),
            lambda: treatment.close_window(participant=person, on=surgery + timedelta(days=95), by=by),
            lambda: events.record_death(participant=person, on=self.today.isoformat(), cause="hcc", by=by),
            lambda: events.record_contact(participant=person, on=surgery + ago, by=by, **called),
            lambda: self._voided(person),
            lambda: forms.record(participant=person, form="laboratory", values={}, submit=True, by=by),
            lambda: enrollment.withdraw(participant=person, how_far=how_far, on=self.today, reason="moved", by=by),
        ]

    def _happened(self, person: Participant) -> None:
        with audit.act(by=self.by, action="test"):
            milestones.record(participant=person, kind=self.chance.choice(OTHER), on=person.enrolled_on, by=self.by)

    def _voided(self, person: Participant) -> None:
        for table in self.chance.sample([TreatmentCourse, NoAdjuvantDeclaration, Assessment, Contact, Death], 2):
            for row in table.objects.in_force().filter(participant=person):
                entry.void(row=row, reason="wrong", by=self.by)

    def _taken_back(self, person: Participant) -> None:
        with audit.act(by=self.by, action="test"):
            for milestone in milestones.in_force().filter(participant=person, kind=self.chance.choice(OTHER)):
                milestones.retract(milestone=milestone, by=self.by)


def stored(line: Screening) -> dict[str, Any]:
    row = Progress.objects.filter(screening=line).values().get()
    return {key: value for key, value in row.items() if key not in ("id", "screening_id", "lists", "known_alive")}


@pytest.mark.django_db
@pytest.mark.parametrize("seed", [1, 2])
def test_rows_say_what_the_records_say_after_any_history(seed: int) -> None:
    """Every column of every line, and every open visit, against the records read one by one."""
    history = History(world.build(), seed)
    assert sum(history.step() for _ in range(45)) > 12
    lines = list(Screening.objects.all())
    assert {line.pk: stored(line) for line in lines} == {line.pk: said(line) for line in lines}
    assert [*progress.verify(), *followup_progress.verify()] == []
    assert [(each.number, each.window.code) for each in visit_lists.open_visits(history.by)] == awaited(history.today)
    assert visit_lists.visit_counts(history.by)["all"] == len(awaited(history.today))
    check_bits_and_counts(history)


def check_bits_and_counts(history: History) -> None:
    """The number that the database derives against each list's condition, and each count of treatment windows against its list."""
    conditions = {"people": progress_lists.PEOPLE, "lines": progress_lists.LINES, "accounts": progress_lists.ACCOUNTS}
    rows = {row.pk: row.lists for row in Progress.objects.all()}
    for (kind, code), bit in progress_lists.BITS.items():
        stand = set(Progress.objects.filter(conditions[kind][code]).values_list("pk", flat=True))
        assert {key for key, lists in rows.items() if lists & bit} == stand, (kind, code)
    for state in treatment_lists.TREATMENT_FILTERS:
        assert treatment_lists.treatment_counts(history.by)[state] == len(treatment_lists.treatment_rows(history.by, state)), state


def awaited(today: date) -> list[tuple[str, str]]:
    """The visits that each participant's own page calls due or overdue, in the order of the list."""
    found = []
    for person in Participant.objects.exclude(withdrawal__in=["no_new_data", "erase"]):
        if not Death.objects.in_force().filter(participant=person).exists():
            rows = pages.visits(person, pages.entries(person, "assessment", "death"), on=today)
            found += [(row.window.closes, person.study_number, row.window.code) for row in rows if row.open]
    return [(number, code) for _closes, number, code in sorted(found)]


@pytest.mark.django_db
def test_pages_of_the_visits_are_the_whole_list_in_its_order() -> None:
    """However few rows are looked up at a time, and with several who were operated on one day."""
    site = world.build()
    for ago in (38, 60, 60, 60, 120, 120):
        world.enrolled(site, surgery=timezone.localdate() - timedelta(days=ago))
    by = site.people["coordinator01"]
    for state in visit_lists.VISIT_FILTERS:
        whole, paged, after = visit_lists.open_visits(by, state), [], ""
        while rows := visit_lists.open_visits(by, state, after=after, limit=2):
            paged, after = paged + rows, rows[-1].key
        assert paged == whole
        assert len(whole) == visit_lists.visit_counts(by)[state]
    assert all(one.key < next_one.key for one, next_one in pairwise(visit_lists.open_visits(by)))


@pytest.mark.django_db
def test_verify_names_a_row_that_says_something_else() -> None:
    person = world.enrolled(world.build())
    Progress.objects.filter(participant=person).update(has_seal=True, is_dead=True)
    assert [f"screening_id {person.screening_id}:" in fault for fault in progress.verify()] == [True]
    assert [f"participant_id {person.pk}:" in fault for fault in followup_progress.verify()] == [True]
    with connection.cursor() as cursor:
        cursor.execute("SELECT studies_progress_refresh(%s), followup_progress_refresh(%s)", [[person.screening_id], [person.pk]])
    assert [*progress.verify(), *followup_progress.verify()] == []


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_both_show() -> None:
    """The later one waits for the row and then reads what the earlier one wrote; the login of seals may cause a change it may not make."""
    site = world.build()
    person, held, system = world.enrolled(site), Event(), User.objects.system()
    sooner = person.screening.surgery_date - timedelta(days=1)

    def earlier() -> None:
        with transaction.atomic(), audit.act(by=system, action="test"):
            Screening.objects.filter(pk=person.screening_id).update(
                age_at_surgery=59, surgery_date=person.screening.surgery_date - timedelta(1)
            )
            held.set()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.3)")
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(earlier)
        assert held.wait(10)
        with signed_in_as("infer"):
            with transaction.atomic(), audit.act(by=system, action="test"):
                milestones.record(participant=person, kind=Kind.SEALED, on=person.enrolled_on, by=system)
            with pytest.raises(DatabaseError), transaction.atomic():
                Progress.objects.update(has_seal=False)
        first.result()
    row = Progress.objects.get(participant=person)
    assert (row.has_seal, row.surgery_date) == (True, sooner)
