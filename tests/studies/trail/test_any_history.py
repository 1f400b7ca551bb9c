"""AU-07: whatever happened to a patient, his state at any moment is rebuilt from the trail alone.

Random histories of two hundred steps through the real write functions, each step in a transaction of its own; after each one the
tables are copied, and at the end every copy is compared with what the events say about that instant.
"""

import random
from collections import Counter
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import audit
from accounts.transitions import NotAllowedNow
from followup import entry, events, treatment
from followup.models import Assessment, Contact, TreatmentCourse
from imaging.models import ImagingStudy, Series
from studies import consent, enrollment, screening
from studies import entry as forms
from studies.locking import signing
from studies.models import Participant, Screening
from studies.trail import history
from studies.trail.kinds import KINDS
from tests import world
from tests.studies.locking.signed_world import PROOF

STEPS = 200
LINES = 4
REFUSALS = (NotAllowedNow, ValidationError, PermissionDenied)


class Life:
    """A few patients of one hospital, and what may happen to them."""

    def __init__(self, site, chance):
        self.site, self.chance = site, chance
        self.by = site.people["coordinator01"]
        self.lines = [world.screened(site) for _ in range(LINES)]

    def step(self, happened):
        """Do one thing to one patient; his line."""
        line = Screening.objects.select_related("center__study").get(pk=self.chance.choice(self.lines).pk)
        person = Participant.objects.select_related("study", "screening", "center").filter(screening=line).first()
        act = self.chance.choice(ACTS if person else BEFORE)
        try:
            act(self, person or line)
        except REFUSALS:
            happened["refused"] += 1
        else:
            happened[act.__name__] += 1
        return line

    def day(self, person):
        return person.screening.surgery_date + timedelta(days=self.chance.randint(3, 18))

    def amend(self, line):
        answers = {self.chance.choice(["he_slide_qualified", "imaging_quality"]): self.chance.choice(["yes", "yes", "unknown"])}
        screening.amend(screening=line, reason="checked", age_at_surgery=self.chance.randint(30, 70), answers=answers, by=self.by)

    def exclude(self, line):
        screening.exclude(screening=line, reason_code="declined", by=self.by)

    def reinstate(self, line):
        screening.reinstate(screening=line, reason="asked again", by=self.by)

    def agree(self, line):
        if hasattr(line, "consent"):
            signed_on = line.screened_on - timedelta(days=self.chance.randint(0, 1))
            consent.correct(consent=line.consent, reason="typing error", form_version="2.1", signed_on=signed_on, by=self.by)
        else:
            consent.record(screening=line, form_version="2.1", signed_on=line.screened_on, by=self.by)

    def enrol(self, line):
        enrollment.enroll(screening=line, on=line.screened_on + timedelta(days=1), by=self.by)

    def fill(self, person):
        code, number = self.chance.choice(["afp", "albumin", "platelets"]), str(self.chance.randint(11, 69))
        forms.record_texts(participant=person, texts={code: number}, reason="checked", by=self.by, submit=self.chance.random() < 0.1)

    def treat(self, person):
        start = self.day(person).isoformat()
        treatment.record_course(participant=person, kind="TACE", intent="adjuvant", start=start, source="record", by=self.by)

    def see(self, person):
        facts = {"modality": "CT", "adequate": True, "finding": self.chance.choice(["free", "suspected"])}
        events.record_assessment(participant=person, on=self.day(person), by=self.by, **facts)

    def call(self, person):
        events.record_contact(participant=person, on=self.day(person), outcome="answered", by=self.by)

    def void(self, person):
        table = self.chance.choice([TreatmentCourse, Assessment, Contact])
        rows = list(table.objects.filter(participant=person, voided_at=None).order_by("pk"))
        if not rows:
            raise NotAllowedNow
        entry.void(row=self.chance.choice(rows), reason="wrong patient", by=self.by)

    def image(self, person):
        number = f"2.25.{person.pk}{self.chance.randint(1, 10**9)}"
        study = ImagingStudy.objects.create(center=person.center, participant=person, study_instance_uid=number)
        with history_act(self.by):
            Series.objects.create(
                center=person.center, participant=person, imaging_study=study, series_instance_uid=f"{number}1", modality="CT"
            )

    def sign(self, person):
        signing.sign(participant=person, meaning="approved", proof=PROOF, by=self.site.people["site_pi01"])

    def correct(self, person):
        self.amend(person.screening)

    def withdraw(self, person):
        if self.chance.random() < 0.9:
            raise NotAllowedNow
        enrollment.withdraw(participant=person, how_far="no_contact", on=person.study.today(), reason="wish", by=self.by)


def history_act(by):
    """A write of a test's own, in the trail like any other."""
    stack = ExitStack()
    stack.enter_context(transaction.atomic())
    stack.enter_context(audit.act(by=by, action="test"))
    return stack


BEFORE = (Life.amend, Life.exclude, Life.reinstate, Life.agree, Life.enrol, Life.enrol)
ACTS = (Life.fill, Life.fill, Life.treat, Life.see, Life.call, Life.void, Life.void, Life.image, Life.sign, Life.correct, Life.withdraw)
OF_A_LINE = ("studies.Screening", "studies.Consent")
WRITTEN = ("studies.Participant", "studies.Entry", "studies.Milestone", "studies.Signature", "imaging.Series", *(
    f"followup.{name}" for name in ("TreatmentCourse", "Assessment", "Contact")
))  # fmt: skip
"""What the acts above write for a participant."""


def copied(line):
    """Every record of a line and its participant, from the tables."""
    states = {
        label: {row.pk: history.state_of(KINDS[label], row) for row in KINDS[label].model.objects.filter(**{way: line.pk})}
        for label, way in zip(OF_A_LINE, ("pk", "screening"), strict=True)
    }
    person = Participant.objects.filter(screening=line).first()
    known = history.participant_now(person, [KINDS[label] for label in WRITTEN]) if person else {}
    return {label: rows for label, rows in {**states, **known}.items() if rows}


def rebuilt(line, at):
    """The same from the events alone."""
    states = {}
    for label, way in zip(OF_A_LINE, ("id", "screening_id"), strict=True):
        kind = KINDS[label]
        for pk in set(kind.events.objects.filter(**{way: line.pk}).values_list("pgh_obj_id", flat=True)):
            if state := history.state_at(kind, pk, at):
                states.setdefault(label, {})[pk] = state
    person = Participant.objects.filter(screening=line).first()
    return {**states, **(history.participant_at(person, at, [KINDS[label] for label in WRITTEN]) if person else {})}


@pytest.fixture
def site(transactional_db):
    return world.build()


def test_state_at_any_step_is_rebuilt_from_the_trail(site):
    """AU-07."""

    @settings(max_examples=1, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def live(seed):
        life, happened, seen = Life(site, random.Random(seed)), Counter(), []
        for _ in range(STEPS):
            line = life.step(happened)
            seen.append((timezone.now(), line, copied(line)))
        assert sum(happened.values()) == STEPS
        assert happened["enrol"] >= 1
        assert sum(happened[act.__name__] for act in ACTS) >= STEPS // 4
        for at, line, copy in seen:
            assert rebuilt(line, at) == copy, (seed, at)

    live()
