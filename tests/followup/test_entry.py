"""The writes of treatment and follow-up: taken whenever possible, refused with a sentence when impossible, never lost."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone, translation

from accounts import audit, ledger
from accounts.transitions import NotAllowedNow
from followup import entry, events, treatment
from followup.models import Assessment, Contact, Death, TreatmentCourse
from studies import milestones
from tests import world

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def english():
    with translation.override("en"):
        yield


@pytest.fixture
def site():
    return world.build()


@pytest.fixture
def participant(site):
    return world.enrolled(site, surgery=timezone.localdate() - timedelta(days=120))


@pytest.fixture
def by(site):
    return site.people["coordinator01"]


def day(participant, number):
    return participant.screening.surgery_date + timedelta(days=number)


def kinds(participant):
    return list(milestones.in_force().filter(participant=participant).order_by("pk").values_list("kind", flat=True))


def course(participant, by, on=20, **given):
    facts = {"kind": "TACE", "intent": "adjuvant", "start": day(participant, on).isoformat(), "source": "operation record"} | given
    return treatment.record_course(participant=participant, by=by, **facts)


def test_adjuvant_course_is_on_the_timeline_and_the_ledger(site, participant, by):
    """blinding §4: knowledge of treatment is recorded when it is entered."""
    course(participant, by)
    assert kinds(participant)[-1] == "treatment_started"
    assert [row.kind for row in ledger.rows(site.study.code)] == ["genesis", "treatment_known"]
    assert ledger.verify(site.study.code) == []


def test_salvage_course_tells_nothing_about_adjuvant_treatment(site, participant, by):
    course(participant, by, on=100, intent="salvage")
    assert "treatment_started" not in kinds(participant)
    assert [row.kind for row in ledger.rows(site.study.code)] == ["genesis"]


def test_treatment_may_be_known_to_the_month_only(participant, by):
    """EP-09: partial dates keep their precision."""
    month = day(participant, 20).isoformat()[:7]
    assert course(participant, by, start=month).start == month


@pytest.mark.parametrize("start", ["2026-13", "yesterday", "26-01-01", "2026-02-30"])
def test_date_that_never_was_is_refused_with_a_sentence(participant, by, start):
    with pytest.raises(ValidationError, match="2026-05-03"):
        course(participant, by, start=start)


def test_no_identity_stands_in_a_source_or_a_reason(participant, by):
    """EN-05: a telephone or citizen number stays at the hospital, whatever field it was typed into."""
    with pytest.raises(ValidationError, match="telephone number"):
        course(participant, by, source="call with the daughter, 138-1234-5678")
    row = course(participant, by, source="operation record 2026-12345")
    with pytest.raises(ValidationError, match="citizen identity number"):
        entry.void(row=row, reason="belongs to 11010519491231002X", by=by)


def test_course_before_surgery_or_in_the_future_is_refused(participant, by):
    """EP-10"""
    with pytest.raises(ValidationError, match="before the surgery"):
        course(participant, by, on=-3)
    with pytest.raises(ValidationError, match="in the future"):
        course(participant, by, on=121)


def test_systemic_course_needs_its_drug(participant, by):
    with pytest.raises(ValidationError, match="drug"):
        course(participant, by, kind="SYSTEMIC")
    assert course(participant, by, kind="SYSTEMIC", drug="lenvatinib", drug_class="TKI").pk


def test_no_adjuvant_is_declared_when_the_window_has_ended(site, participant, by):
    with pytest.raises(ValidationError, match="window ends"):
        treatment.declare_no_adjuvant(participant=participant, declared_on=day(participant, 89), source="call", by=by)
    treatment.declare_no_adjuvant(participant=participant, declared_on=day(participant, 90), source="call", by=by)
    assert kinds(participant)[-2:] == ["no_adjuvant_declared", "window_closed"]
    assert [row.kind for row in ledger.rows(site.study.code)] == ["genesis", "window_closed"]


def test_treatment_entry_is_not_blocked_by_a_declaration(participant, by):
    """Entry of treatment is never blocked; the contradiction is visible instead."""
    treatment.declare_no_adjuvant(participant=participant, declared_on=day(participant, 95), source="call", by=by)
    assert not treatment.contradicted(participant)
    course(participant, by)
    assert treatment.contradicted(participant)


def test_declaration_after_a_course_is_refused(participant, by):
    course(participant, by)
    with pytest.raises(ValidationError, match="on record"):
        treatment.declare_no_adjuvant(participant=participant, declared_on=day(participant, 95), source="call", by=by)


def test_window_closed_twice_is_said_once(site, participant, by):
    course(participant, by)
    for _ in range(2):
        treatment.close_window(participant=participant, on=day(participant, 95), by=by)
    assert [row.kind for row in ledger.rows(site.study.code)] == ["genesis", "treatment_known", "window_closed"]


def test_silence_is_no_statement_about_treatment(site, participant, by):
    """TX-05: without a course or a declaration the window is not complete, and nobody is read as "surgery alone"."""
    course(participant, by, intent="salvage")
    with pytest.raises(ValidationError, match="Neither an adjuvant course"):
        treatment.close_window(participant=participant, on=day(participant, 95), by=by)
    assert "window_closed" not in {row.kind for row in ledger.rows(site.study.code)}


def test_voided_last_course_takes_the_closed_window_back(participant, by):
    """TX-05: what was stated on the ground of a course is not left standing when the course was an error."""
    rows = [course(participant, by, on=20), course(participant, by, on=40)]
    treatment.close_window(participant=participant, on=day(participant, 95), by=by)
    entry.void(row=rows[0], reason="wrong patient", by=by)
    assert "window_closed" in kinds(participant)
    entry.void(row=rows[1], reason="wrong patient", by=by)
    assert "window_closed" not in kinds(participant)


def test_voided_course_stays_with_its_reason_and_no_longer_counts(participant, by):
    """AU-03: entered in error is a state, not a deletion."""
    row = course(participant, by)
    with pytest.raises(ValidationError, match="Say why"):
        entry.void(row=row, reason=" ", by=by)
    entry.void(row=row, reason="wrong patient", by=by)
    assert not TreatmentCourse.objects.in_force().exists()
    assert TreatmentCourse.objects.count() == 1
    assert audit.history(row).last().pgh_context["reason"] == "wrong patient"
    assert "treatment_started" not in kinds(participant)
    with pytest.raises(NotAllowedNow):
        entry.void(row=row, reason="again", by=by)


def test_nothing_is_deleted(participant, by):
    row = course(participant, by)
    with pytest.raises(DatabaseError), transaction.atomic(), audit.act(by=by, action="test"):
        row.delete()


def assessment(participant, by, on=91, **given):
    facts = {"on": day(participant, on), "modality": "CT", "adequate": True, "finding": "free", "visit": "M3"} | given
    return events.record_assessment(participant=participant, by=by, **facts)


def test_visit_is_recorded_once_and_shown(participant, by):
    assessment(participant, by)
    assert kinds(participant)[-1] == "visit_done"
    with pytest.raises(ValidationError):
        assessment(participant, by, on=92)
    assessment(participant, by, on=93, visit="")


def test_inadequate_check_cannot_show_absence_of_tumour(participant, by):
    """EP-03"""
    with pytest.raises(ValidationError, match="not assessable"):
        assessment(participant, by, adequate=False)


def test_unknown_visit_is_refused(participant, by):
    with pytest.raises(ValidationError, match="no visit"):
        assessment(participant, by, visit="M7")


def test_recurrence_is_dated_by_first_sight(participant, by):
    """EP-02"""
    events.record_recurrence(
        participant=participant,
        first_seen_on=day(participant, 60),
        confirmed_on=day(participant, 80),
        site="intrahepatic",
        modality="CT",
        by=by,
    )
    assert milestones.in_force().get(participant=participant, kind="recurrence").on == day(participant, 60)


def test_death_before_a_later_visit_is_refused(participant, by):
    """EP-10: no visit after death, no death before a visit."""
    assessment(participant, by)
    with pytest.raises(ValidationError, match="was seen on"):
        events.record_death(participant=participant, on=day(participant, 80).isoformat(), cause="hcc", by=by)
    events.record_death(participant=participant, on=day(participant, 100).isoformat(), cause="hcc", by=by)
    with pytest.raises(ValidationError, match="after the death"):
        events.record_contact(participant=participant, on=day(participant, 110), outcome="answered", by=by)
    assert (Death.objects.count(), Contact.objects.count(), Assessment.objects.count()) == (1, 0, 1)


def test_death_known_to_the_year_is_refused(participant, by):
    """EP-09: at least the month."""
    with pytest.raises(ValidationError):
        events.record_death(participant=participant, on=day(participant, 100).isoformat()[:4], cause="hcc", by=by)


@pytest.mark.parametrize("who", ["coordinator02", "monitor", "investigator", "reader01", "pacs_admin01", "custodian"])
def test_only_the_centers_own_people_enter(site, participant, who):
    with pytest.raises(PermissionDenied):
        course(participant, site.people[who])
    assert not TreatmentCourse.objects.exists()


def test_voided_declaration_takes_the_closed_window_back(participant, by):
    """What the declaration stated is stated no longer."""
    declaration = treatment.declare_no_adjuvant(participant=participant, declared_on=day(participant, 95), source="call", by=by)
    entry.void(row=declaration, reason="wrong patient", by=by)
    assert {"no_adjuvant_declared", "window_closed"}.isdisjoint(kinds(participant))
