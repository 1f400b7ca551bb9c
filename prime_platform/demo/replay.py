"""Living a synthetic study through: every fact is entered on its own day of the study's clock, by the person who would enter it.

Batches and anchors run between the days as they would have run, so that what was sealed before it was treated is so on the chain.
"""

import heapq
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count

from django.utils import timezone

from accounts import anchors
from accounts.models import User
from followup import events, treatment
from followup.vocabulary import DrugClass, Finding, Intent, Modality, RecurrenceSite, Treatment
from predictions import batch
from predictions.decision import Strategy
from predictions.replay import Software
from prime_platform.demo import papers
from prime_platform.demo.patients import Patient
from studies import consent, enrollment, entry, screening, setup
from studies.models import Center, Participant, Study
from studies.quality import checking

BATCH_EVERY = 5  # days


class Diary:
    """What is still to happen, by day; a step may put further steps on later days."""

    def __init__(self, study: Study, until: date) -> None:
        self.study, self.until = study, until
        self._steps: list[tuple[date, int, Callable[[], None]]] = []
        self._order = count()
        self.somebody_waits = False

    def on(self, day: date, step: Callable[[], None]) -> None:
        """Let `step` happen on `day`; what lies after the end never happens."""
        if day <= self.until:
            heapq.heappush(self._steps, (day, next(self._order), step))

    def live(self, software: Software) -> Study:
        """Go from day to day until nothing is left, then to the end; batches run on fixed days. Returns the study as it stands.

        A batch that nobody waits for leaves no trace, so it is left out: here everybody's inputs are complete when he is enrolled.
        """
        next_batch = self.study.today()
        while self._steps:
            day = self._steps[0][0]
            while next_batch < day:
                self._seal(next_batch, software)
                next_batch += timedelta(days=BATCH_EVERY)
            self._go_to(day)
            with checking.judged_at_the_end():
                while self._steps and self._steps[0][0] == day:
                    heapq.heappop(self._steps)[2]()
        self._go_to(self.until)
        self._seal(self.until, software)
        return self.study

    def _go_to(self, day: date) -> None:
        ahead = (day - self.study.today()).days
        if ahead > 0:
            self.study = setup.advance_clock(study=self.study, days=ahead, by=User.objects.system())

    def _seal(self, day: date, software: Software) -> None:
        if not self.somebody_waits:
            return
        self.somebody_waits = False
        self._go_to(day)
        if batch.run(study=self.study, at=self.study.now(), software=software, seconds=600, hold=False):
            anchors.write(study=self.study.code, at=self.study.now())


def schedule(diary: Diary, patient: Patient, center: Center) -> None:
    """Put a patient's screening into the diary; everything else follows from it."""
    by = coordinator(center)
    day = patient.surgery + timedelta(days=patient.screened)

    def screen() -> None:
        line = screening.screen(
            center=_fresh(center),
            surgery_date=patient.surgery,
            age_at_surgery=patient.age,
            sex=patient.sex,
            answers=patient.answers(),
            by=by,
        )
        match patient.fate:
            case "not_r0":
                screening.exclude(screening=line, reason_code="not_eligible", by=by)
            case "declined":
                screening.exclude(screening=line, reason_code="consent_declined", by=by)
            case "pathology_pending":
                pass
            case _:
                consent.record(screening=line, form_version=papers.CONSENT_VERSION, signed_on=line.screened_on, by=by)
                diary.on(patient.surgery + timedelta(days=patient.enrolled), lambda: _enrol(diary, patient, line, by))

    diary.on(day, screen)


def _enrol(diary: Diary, patient: Patient, line: screening.Screening, by: User) -> None:
    participant = enrollment.enroll(screening=screening.Screening.objects.get(pk=line.pk), by=by)
    entry.record_texts(participant=participant, texts=patient.baseline, by=by, submit=True)
    diary.somebody_waits = True
    _plan_treatment(diary, patient, participant, by)
    _plan_looks(diary, patient, participant, by)


def _plan_treatment(diary: Diary, patient: Patient, participant: Participant, by: User) -> None:
    """Courses until the recurrence is seen; then the statement that the window is known completely."""

    def give(kind: str, day: int, drug: str = "", drug_class: str = "") -> None:
        if day >= min(patient.recurrence, patient.lost):
            return
        on = patient.surgery + timedelta(days=day)
        diary.on(
            on + timedelta(days=2),
            lambda: treatment.record_course(
                participant=_again(participant), kind=kind, intent=Intent.ADJUVANT, start=on.isoformat(), source="SYNTHETIC", by=by,
                drug=drug, drug_class=drug_class,
            ),
        )  # fmt: skip

    if patient.strategy in (Strategy.TACE, Strategy.TACE_SYS):
        give(Treatment.TACE, patient.tace_on)
    if patient.strategy in (Strategy.SYS, Strategy.TACE_SYS):
        give(Treatment.SYSTEMIC, patient.systemic_on, "lenvatinib", DrugClass.TKI)
    if patient.window_closed < patient.lost:
        diary.on(patient.surgery + timedelta(days=patient.window_closed), lambda: _close(_again(participant), by))


def _close(participant: Participant, by: User) -> None:
    given = treatment.TreatmentCourse.objects.in_force().filter(participant=participant, intent=Intent.ADJUVANT).exists()
    if given:
        treatment.close_window(participant=participant, on=participant.study.today(), by=by)
    else:
        treatment.declare_no_adjuvant(participant=participant, declared_on=participant.study.today(), source="SYNTHETIC", by=by)


def _plan_looks(diary: Diary, patient: Patient, participant: Participant, by: User) -> None:
    for code, day in patient.looks(participant.study.protocol.visits):
        on = patient.surgery + timedelta(days=day)
        diary.on(on, lambda code=code, on=on, day=day: _look(participant, code, on, seen=day >= patient.recurrence, by=by))
    if patient.death <= patient.lost:
        died = patient.surgery + timedelta(days=patient.death)
        diary.on(died, lambda: events.record_death(participant=_again(participant), on=died.isoformat(), cause="hcc", by=by))


def _look(participant: Participant, code: str, on: date, *, seen: bool, by: User) -> None:
    participant = _again(participant)
    finding = Finding.RECURRENCE if seen else Finding.FREE
    events.record_assessment(participant=participant, visit=code, on=on, modality=Modality.CT, adequate=True, finding=finding, by=by)
    if seen:
        events.record_recurrence(
            participant=participant, first_seen_on=on, confirmed_on=on, site=RecurrenceSite.INTRAHEPATIC, modality=Modality.CT, by=by
        )


def _again(participant: Participant) -> Participant:
    """The participant as of now: the study's clock has moved since."""
    return Participant.objects.select_related("study", "center", "screening").get(pk=participant.pk)


def _fresh(center: Center) -> Center:
    return Center.objects.select_related("study").get(pk=center.pk)


def coordinator(center: Center) -> User:
    """The person who enters at a center."""
    return center.memberships.filter(role="coordinator").order_by("pk").select_related("user")[0].user


def days_ago(days: int) -> date:
    return timezone.localdate() - timedelta(days=days)
