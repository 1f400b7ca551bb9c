"""Fields are verified for one value, critical ones for everybody, sampled ones by a draw; a change makes them due again (AU-06)."""

import uuid
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.transitions import NotAllowedNow
from followup import entry, treatment
from studies import entry as entry_of_forms
from studies import screening
from studies.models import Verification
from studies.quality import checking, verification
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.quality.test_query_pages import page_as, post_as
from tests.studies.world import SURGERY


@pytest.fixture
def participant(world):
    person = worlds.enrolled(world)
    checking.settle(participants=[person.pk])
    return person


def field(participant, name):
    return Verification.objects.get(participant=participant, field=name)


def verify(world, participant, *names, source="operation note"):
    rows = [field(participant, name) for name in names]
    seen = {row.uuid: row.value_hash for row in rows}
    return verification.verify(participant=participant, seen=seen, source=source, by=world.people[Role.MONITOR])


def test_surgery_r0_and_consent_are_verified_for_everybody(participant):
    """The age, the sex and the other answers are not."""
    rows = Verification.objects.filter(participant=participant).values_list("record", "field", "why")
    assert set(rows) == {
        ("studies.Screening", "surgery_date", "critical"), ("studies.Screening", "r0_resection", "critical"),
        ("studies.Consent", "consent", "critical"),
    }  # fmt: skip


def test_mark_holds_for_one_value_only(world, participant):
    """Verified, changed: due; changed back to what was verified: the mark holds again, for it was that value."""
    verify(world, participant, "surgery_date", "r0_resection")
    row = field(participant, "surgery_date")
    assert (row.verified_by, row.source, row.verified_hash == row.value_hash) == (world.people[Role.MONITOR], "operation note", True)
    line = participant.screening
    screening.amend(screening=line, surgery_date=SURGERY - timedelta(days=1), reason="slip", by=world.coordinator)
    assert Verification.objects.filter(verification.DUE, participant=participant).values_list("field", flat=True).get(field="surgery_date")
    assert not Verification.objects.filter(verification.DUE, field="r0_resection").exists()
    screening.amend(screening=line, surgery_date=SURGERY, reason="no slip", by=world.coordinator)
    assert not Verification.objects.filter(verification.DUE, field="surgery_date").exists()


def test_value_that_changed_under_the_eyes_is_not_marked(world, participant):
    row = field(participant, "surgery_date")
    seen = {row.uuid: row.value_hash}
    screening.amend(screening=participant.screening, surgery_date=date(2026, 3, 1), reason="slip", by=world.coordinator)
    with pytest.raises(NotAllowedNow), transaction.atomic():
        verification.verify(participant=participant, seen=seen, source="note", by=world.people[Role.MONITOR])
    assert not Verification.objects.exclude(verified_hash="").exists()


def test_treatment_is_critical_and_goes_when_voided(world, participant):
    start = (SURGERY + timedelta(days=30)).isoformat()
    row = treatment.record_course(participant=participant, kind="TACE", intent="adjuvant", start=start, source="note", by=world.coordinator)
    found = Verification.objects.filter(record="followup.TreatmentCourse", record_uuid=row.uuid)
    assert set(found.values_list("field", "why")) == {("kind", "critical"), ("intent", "critical"), ("start", "critical")}
    assert found.filter(verification.DUE).count() == 3
    entry.void(row=row, reason="other patient", by=world.coordinator)
    assert found.count() == 3
    assert not found.filter(verification.DUE).exists()


def test_only_the_monitor_marks_and_says_against_what(world, participant):
    row = field(participant, "surgery_date")
    seen = {row.uuid: row.value_hash}
    for role in (Role.COORDINATOR, Role.DATA_MANAGER, Role.SITE_PI):
        with pytest.raises(PermissionDenied):
            verification.verify(participant=participant, seen=seen, source="note", by=world.people[role])
    for wrong in ({"seen": seen, "source": " "}, {"seen": {}, "source": "note"}):
        with pytest.raises(ValidationError):
            verification.verify(participant=participant, by=world.people[Role.MONITOR], **wrong)
    with pytest.raises(NotAllowedNow):
        verification.verify(participant=participant, seen={uuid.uuid4(): "x"}, source="note", by=world.people[Role.MONITOR])


def test_mark_is_taken_back_with_a_reason(world, participant):
    [row] = verify(world, participant, "surgery_date")
    with pytest.raises(ValidationError):
        verification.take_back(row=row, reason="", by=world.people[Role.MONITOR])
    row = verification.take_back(row=row, reason="wrong patient's note", by=world.people[Role.MONITOR])
    assert (row.verified_hash, row.verified_by, row.source) == ("", None, "")
    with pytest.raises(NotAllowedNow):
        verification.take_back(row=row, reason="again", by=world.people[Role.MONITOR])


def test_draw_is_keyed_repeatable_and_of_the_share_asked_for():
    """20 % of 5,000: a binomial share lies within 4 standard errors (0.0226) of 0.2; another key draws others."""
    people = [SimpleNamespace(uuid=uuid.UUID(int=number)) for number in range(5000)]
    drawn = [verification.is_sampled(each, "laboratory", 20, "key") for each in people]
    assert abs(sum(drawn) / 5000 - 0.2) < 0.0226
    assert drawn == [verification.is_sampled(each, "laboratory", 20, "key") for each in people]
    assert drawn != [verification.is_sampled(each, "laboratory", 20, "other") for each in people]
    assert not any(verification.is_sampled(each, "laboratory", 0, "key") for each in people)
    assert all(verification.is_sampled(each, "laboratory", 100, "key") for each in people)


def test_list_counts_what_it_lists_and_opens_the_page(world, participant):
    second = worlds.enrolled(world)
    checking.settle(participants=[second.pk])
    verify(world, second, "surgery_date", "r0_resection", "consent")
    monitor = world.people[Role.MONITOR]
    for state, expected in (("due", 1), ("critical", 1), ("sampled", 0), ("complete", 1), ("all", 2)):
        shown = page_as(monitor, "verification-due", state=state)
        assert len(shown.context["rows"]) == shown.context["total"] == expected
        assert {each.code: each.count for each in shown.context["filters"]}[state] == expected
    assert verification.due(monitor).count() == 1
    assert page_as(world.coordinator, "verification-due").status_code == 403


def test_page_marks_a_form_at_once(world, participant):
    monitor = world.people[Role.MONITOR]
    shown = page_as(monitor, "verification", participant.uuid)
    assert (shown.context["due"], shown.context["total"]) == (3, 3)
    rows = [field(participant, name) for name in ("surgery_date", "r0_resection")]
    marked = [f"{row.uuid}|{row.value_hash}" for row in rows]
    assert post_as(monitor, "verification", participant.uuid, field=marked, source="").status_code == 400
    assert post_as(monitor, "verification", participant.uuid, field=["nonsense"], source="note").status_code == 400
    assert post_as(world.coordinator, "verification", participant.uuid, field=marked, source="note").status_code == 403
    assert post_as(monitor, "verification", participant.uuid, field=marked, source="operation note").status_code == 302
    assert page_as(monitor, "verification", participant.uuid).context["due"] == 1


def test_list_takes_the_same_number_of_queries_for_one_and_for_five(world):
    monitor, used = world.people[Role.MONITOR], []
    for more in (1, 4):
        checking.settle(participants=[worlds.enrolled(world).pk for _ in range(more)])
        with CaptureQueriesContext(connection) as asked:
            assert page_as(monitor, "verification-due").status_code == 200
        used.append(len(asked))
    assert used[0] == used[1]


def test_items_of_a_form_are_verified_by_their_class_in_the_dictionary(world, participant):
    """MVI is critical, the capsule is not verified; a value with its reason counts as a value."""
    entry_of_forms.record_texts(
        participant=participant, texts={"mvi": "M1", "capsule": "complete", "margin_cm": "0.8"}, by=world.coordinator
    )
    found = dict(Verification.objects.filter(record="studies.Entry").values_list("field", "why"))
    assert found == {"mvi": "critical", "margin_cm": "critical"}
    verify(world, participant, "mvi")
    entry_of_forms.record_texts(participant=participant, texts={"mvi": "M2"}, by=world.coordinator)
    assert set(Verification.objects.filter(verification.DUE, record="studies.Entry").values_list("field", flat=True)) == {
        "mvi",
        "margin_cm",
    }
