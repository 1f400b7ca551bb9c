"""Screening, consent and enrolment (EN-01…EN-06), on the real database."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction

from accounts import audit
from accounts.transitions import NotAllowedNow
from studies import consent, enrollment, screening, setup, study_number
from studies.governance import ethics
from studies.models import Consent, EthicsApproval, Milestone, Participant, Screening
from studies.vocabulary import MilestoneKind, ScreeningStatus
from tests.studies import world as worlds
from tests.studies.world import ELIGIBLE, ENROLLED, SCREENED, SURGERY, World


def test_enrolment_gives_a_study_number_a_snapshot_and_three_milestones(world: World) -> None:
    """EN-03: one call, everything that enrolment means."""
    participant = worlds.enrolled(world)
    assert participant.study_number == study_number.make("01", 1)
    assert participant.screening.status == ScreeningStatus.ENROLLED
    assert participant.eligibility["verdict"] == "pass"
    assert participant.eligibility["protocol"]["digest"] == world.study.protocol_digest
    assert participant.eligibility["inputs"]["histology_hcc"] == "yes"
    found = {(row.kind, row.on) for row in participant.milestones.all()}
    assert found == {(MilestoneKind.SCREENED, SCREENED), (MilestoneKind.CONSENTED, SCREENED), (MilestoneKind.ENROLLED, ENROLLED)}


def test_sequence_of_a_center_counts_enrolments_and_not_screenings(world: World) -> None:
    """EN-05: the study number's sequence is its own, the screening number another."""
    worlds.screened(world)
    first, second = worlds.enrolled(world), worlds.enrolled(world)
    assert [first.sequence, second.sequence] == [1, 2]
    assert [first.screening.number, second.screening.number] == [2, 3]


def test_two_clicks_enroll_once(world: World) -> None:
    line = worlds.consented(world)
    enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)
    with pytest.raises(NotAllowedNow):
        enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)
    assert Participant.objects.count() == 1


def test_enrolment_without_screening_is_impossible(world: World) -> None:
    """EN-01: the database refuses a participant without a line of the log."""
    participant = worlds.enrolled(world)
    copy = Participant.objects.get(pk=participant.pk)
    copy.pk, copy.screening_id, copy.sequence = None, None, 9  # type: ignore[assignment]
    with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=world.system, action="test"):
        copy.save()


def test_participant_of_another_center_than_its_screening_is_refused(world: World) -> None:
    participant = worlds.enrolled(world)
    with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=world.system, action="test"):
        Participant.objects.filter(pk=participant.pk).update(center=world.other)


@pytest.mark.parametrize(
    ("answers", "names"),
    [({**ELIGIBLE, "r0_resection": "no"}, "I3, E3"), ({**ELIGIBLE, "histology_hcc": "unknown"}, "I1")],
)
def test_not_eligible_or_not_yet_known_is_refused_by_name(world: World, answers: dict[str, str], names: str) -> None:
    """EL-01: UNKNOWN blocks enrolment as FAIL does; the sentence names the criteria."""
    line = worlds.consented(world, answers=answers)
    with pytest.raises(NotAllowedNow, match=names):
        enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)


def test_no_consent_and_late_consent_are_refused(world: World) -> None:
    """EN-03: consent or waiver, dated on or before enrolment."""
    line = worlds.screened(world)
    assert any("consent" in reason or "知情" in reason for reason in enrollment.obstacles(line, ENROLLED))
    with pytest.raises(NotAllowedNow):
        enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)
    consent.record(screening=line, form_version="2.1", signed_on=ENROLLED + timedelta(days=1), by=world.coordinator)
    with pytest.raises(NotAllowedNow):
        enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)
    assert enrollment.enroll(screening=line, on=ENROLLED + timedelta(days=1), by=world.coordinator).pk


def test_a_waiver_stands_for_the_signed_form(world: World) -> None:
    line = worlds.screened(world)
    consent.record(screening=line, waiver_number="EC-W-7", waived_on=SURGERY, by=world.coordinator)
    participant = enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)
    assert participant.milestones.get(kind=MilestoneKind.CONSENTED).on == SURGERY


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"form_version": "2.1"},
        {"signed_on": SCREENED},
        {"form_version": "2.1", "signed_on": SCREENED, "waiver_number": "7", "waived_on": SCREENED},
    ],
)
def test_half_a_consent_or_both_kinds_are_refused(world: World, given: dict[str, object]) -> None:
    line = worlds.screened(world)
    with pytest.raises(ValidationError):
        consent.record(screening=line, by=world.coordinator, **given)  # type: ignore[arg-type]
    row = Consent(screening=line, recorded_at=line.screened_at, recorded_by=world.system, **given)
    with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.save()


def test_consent_cannot_be_changed_after_enrolment(world: World) -> None:
    participant = worlds.enrolled(world)
    with pytest.raises(NotAllowedNow):
        consent.correct(
            consent=participant.screening.consent, form_version="2.1", signed_on=SURGERY, reason="typing error", by=world.coordinator
        )


@pytest.mark.parametrize(
    ("valid_until", "allowed"), [(ENROLLED - timedelta(days=1), False), (ENROLLED, True)], ids=["expired the day before", "last day"]
)
def test_ethics_approval_must_cover_the_day(world: World, valid_until: date, allowed: bool) -> None:
    """EN-03: an expired approval is refused."""
    line = worlds.consented(world)
    [approval] = EthicsApproval.objects.filter(center=world.own)
    ethics.end_approval(approval=approval, last_day=valid_until, reason="suspended", by=world.system)
    if allowed:
        assert enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator).pk
    else:
        with pytest.raises(NotAllowedNow):
            enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)


@pytest.mark.parametrize("closed", ["study", "center"])
@pytest.mark.parametrize(
    ("signed_on", "last_day", "overrun", "allowed"),
    [
        (SCREENED, ENROLLED, 0, True),
        (SCREENED, ENROLLED - timedelta(days=1), 0, False),
        (SCREENED, ENROLLED - timedelta(days=1), 1, True),
        (SCREENED, ENROLLED - timedelta(days=2), 1, False),
        (ENROLLED, ENROLLED - timedelta(days=1), 30, False),
    ],
    ids=["last day", "after it", "overrun", "after the overrun", "consented after closure"],
)
def test_closed_accrual_takes_only_who_consented_before_and_within_the_overrun(  # noqa: PLR0917 - a table of cases
    world: World, closed: str, signed_on: date, last_day: date, overrun: int, allowed: bool
) -> None:
    """EN-03: closed by date or by center, with a declared overrun so that consecutiveness holds."""
    line = worlds.consented(world, signed_on=signed_on)
    end = last_day if closed == "study" else date(2027, 1, 1)
    setup.close_accrual(study=world.study, last_day=end, overrun_days=overrun, reason="target reached", by=world.system)
    if closed == "center":
        setup.close_center(center=world.own, on=last_day, reason="center leaves", by=world.system)
    if allowed:
        assert enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator).pk
    else:
        with pytest.raises(NotAllowedNow):
            enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)


def test_failing_trail_undoes_the_whole_enrolment(world: World) -> None:
    """AU-02: when the history of the last row cannot be written, nothing was enrolled."""
    line = worlds.consented(world)
    before = Milestone.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trail is full'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER zz_refuse BEFORE INSERT ON studies_milestoneevent FOR EACH ROW WHEN (NEW.kind = 'enrolled') "
            "EXECUTE FUNCTION pg_temp.refuse()"
        )
    with pytest.raises(DatabaseError, match="trail is full"), transaction.atomic():
        enrollment.enroll(screening=line, on=ENROLLED, by=world.coordinator)
    assert Screening.objects.get(pk=line.pk).status == ScreeningStatus.SCREENED
    assert (Participant.objects.count(), Milestone.objects.count()) == (0, before)


def test_trail_names_actor_action_and_reason(world: World) -> None:
    """AU-01, AU-03: the first value and every change are in the history, with who, what and why."""
    line = worlds.screened(world)
    screening.amend(screening=line, age_at_surgery=59, reason="read the wrong line", by=world.coordinator)
    events = list(audit.history(line))
    assert [event.age_at_surgery for event in events] == [58, 59]
    assert [event.pgh_context["action"] for event in events] == ["screening.screened", "screening.amended"]
    assert events[1].pgh_context["reason"] == "read the wrong line"
    assert events[1].pgh_context["by"] == world.coordinator.username


def test_first_answers_need_no_reason_and_changes_do(world: World) -> None:
    """AU-03: a line from the operating list is answered; what was said before, also "unknown", changes with a reason only."""
    line = worlds.screened(world, answers={})
    line = screening.amend(screening=line, answers={"r0_resection": "unknown", "histology_hcc": "yes"}, sex=line.sex, by=world.coordinator)
    assert line.answers == {"r0_resection": "unknown", "histology_hcc": "yes"}
    for change in ({"answers": {"r0_resection": "yes"}}, {"answers": {"histology_hcc": ""}}, {"age_at_surgery": 59}):
        with pytest.raises(ValidationError) as refused:
            screening.amend(screening=line, by=world.coordinator, reason=" ", **change)
        assert set(refused.value.message_dict) == {"reason"}
    assert Screening.objects.get(pk=line.pk).answers == line.answers


def test_write_outside_act_is_refused(world: World) -> None:
    line = worlds.screened(world)
    with pytest.raises(DatabaseError, match="outside audit.act"), transaction.atomic():
        Screening.objects.filter(pk=line.pk).update(age_at_surgery=20)


def test_typed_birth_date_leaves_no_trace(world: World) -> None:
    """formats.md k: used for the age and dropped; it is in no table, history included."""
    line = worlds.screened(world, age_at_surgery=None, birth_date=date(1951, 7, 13))
    screening.amend(screening=line, birth_date=date(1951, 7, 14), reason="identity card", by=world.coordinator)
    assert Screening.objects.get(pk=line.pk).age_at_surgery == 74
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        for table in tables:
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)} t WHERE t::text ~ '1951-?07-?1[34]'")
            assert cursor.fetchone() == (0,), table


def test_birth_after_surgery_and_two_ages_are_refused_without_repeating_the_date(world: World) -> None:
    for changes in ({"age_at_surgery": None, "birth_date": date(2026, 3, 3)}, {"birth_date": date(1960, 1, 1)}):
        with pytest.raises(ValidationError) as refused:
            worlds.screened(world, **changes)
        assert "2026-03-03" not in str(refused.value) and "1960" not in str(refused.value)


def test_patient_is_screened_before_anything_else_is_known(world: World) -> None:
    """EN-01: every resection gets its line at once; what is not known is unknown."""
    line = worlds.screened(world, answers=None, age_at_surgery=None)
    assert (line.number, line.eligibility["verdict"]) == (1, "unknown")


def test_same_row_of_the_operating_list_is_screened_once(world: World) -> None:
    first = worlds.screened(world, row_token="a" * 64)
    again = worlds.screened(world, row_token="a" * 64)
    assert (first.pk, Screening.objects.count()) == (again.pk, 1)
    with pytest.raises(ValidationError):
        worlds.screened(world, row_token="a" * 64, surgery_date=SURGERY - timedelta(days=1))
    elsewhere = worlds.screened(world, row_token="a" * 64, center=world.other, by=_coordinator_of_other(world))
    assert elsewhere.number == 1, "row tokens are unique per center: no oracle across centers (SE-03)"


def test_exclusion_needs_a_reason_of_the_protocol_that_fits(world: World) -> None:
    line = worlds.screened(world)
    for code in ("not_eligible", "because"):
        with pytest.raises(ValidationError):
            screening.exclude(screening=line, reason_code=code, by=world.coordinator)
    assert screening.exclude(screening=line, reason_code="consent_declined", by=world.coordinator).status == "excluded"
    assert screening.reinstate(screening=line, reason="changed her mind", by=world.coordinator).exclusion_reason == ""


def test_answers_that_are_no_answers_are_refused(world: World) -> None:
    for answers in (
        {"histology_hcc": "maybe"},
        {"favourite_colour": "yes"},
        {"imaging_date": "20/02/2026"},
        {"imaging_date": "2026-02-30"},
    ):
        with pytest.raises(ValidationError):
            worlds.screened(world, answers=answers)


def test_what_comes_later_leaves_eligibility_as_it_was(world: World) -> None:
    """EL-01, EL-03: corrections, follow-up and withdrawal after enrolment do not touch the snapshot."""
    participant = worlds.enrolled(world)
    snapshot = participant.eligibility
    screening.amend(screening=participant.screening, answers={"r0_resection": "no"}, reason="slide re-read", by=world.coordinator)
    enrollment.withdraw(participant=participant, how_far="no_contact", on=date(2026, 6, 1), reason="moved", by=world.coordinator)
    fresh = Participant.objects.get(pk=participant.pk)
    assert fresh.eligibility == snapshot
    assert fresh.screening.eligibility["verdict"] == "fail"


def test_nobody_enters_or_enrols_elsewhere(world: World) -> None:
    """SE-03: the write functions ask for themselves."""
    line = worlds.consented(world)
    for act in (
        lambda: worlds.screened(world, center=world.other),
        lambda: enrollment.enroll(screening=line, on=ENROLLED, by=_coordinator_of_other(world)),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_numbers_once_given_are_never_deleted(world: World) -> None:
    """EN-02: neither a line of the log nor a participant can go, by whatever way."""
    participant = worlds.enrolled(world)
    for table, key in (("studies_participant", participant.pk), ("studies_screening", participant.screening_id)):
        with pytest.raises(DatabaseError), transaction.atomic(), audit.act(by=world.system, action="test"), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [key])


def _coordinator_of_other(world: World) -> "worlds.User":
    user = worlds.person("elsewhere")
    worlds.join(world.study, user, worlds.Role.COORDINATOR, world.other, world.system)
    return user
