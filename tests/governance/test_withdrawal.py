"""How far a withdrawal goes, what it stops, and the erasure that two people decide (EN-04)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.transitions import NotAllowedNow
from followup import events, treatment, visit_lists
from followup.models import Assessment
from studies import enrollment, entry
from studies.governance import withdrawal
from studies.models import ErasureRequest, Participant
from studies.vocabulary import ErasureStatus, MilestoneKind, Role, Withdrawal
from tests.studies import world as worlds
from tests.studies.world import SURGERY, World

LEFT = SURGERY + timedelta(days=60)
DAY = timedelta(days=1)


def left(world: World, how_far: str, on: date = LEFT) -> Participant:
    person = worlds.enrolled(world)
    return enrollment.withdraw(participant=person, how_far=how_far, on=on, reason="asked for it", by=world.coordinator)


def look(world: World, person: Participant, on: date, **how: str) -> None:
    events.record_assessment(participant=person, on=on, modality="CT", adequate=True, finding="free", by=world.coordinator, **how)


def test_withdrawal_goes_further_and_never_back(world: World) -> None:
    """The second step has its own day, on or after the first; the same or a lesser one is refused, erasure has another door."""
    person = left(world, "no_contact")
    for how_far, on, error in (
        ("no_contact", LEFT + DAY, NotAllowedNow),
        ("no_new_data", LEFT - DAY, ValidationError),
        ("erase", LEFT + DAY, ValidationError),
        ("no_new_data", date(2099, 1, 1), ValidationError),
    ):
        with pytest.raises(error):
            enrollment.withdraw(participant=person, how_far=how_far, on=on, reason="x", by=world.coordinator)
    further = enrollment.withdraw(participant=person, how_far="no_new_data", on=LEFT + DAY, reason="x", by=world.coordinator)
    assert (further.withdrawal, further.withdrawn_on) == ("no_new_data", LEFT + DAY)
    with pytest.raises(NotAllowedNow):
        enrollment.withdraw(participant=further, how_far="no_contact", on=LEFT + 2 * DAY, reason="x", by=world.coordinator)
    assert list(further.milestones.filter(kind=MilestoneKind.WITHDRAWN).values_list("on", flat=True)) == [LEFT, LEFT + DAY]


def test_no_new_data_refuses_what_is_dated_later(world: World) -> None:
    """EN-04 b: every kind of entry with a date after the day is refused with that day; the day itself is the last one."""
    person = left(world, "no_new_data")
    by, later = world.coordinator, LEFT + DAY
    for write in (
        lambda: look(world, person, later, late_reason="found"),
        lambda: events.record_contact(participant=person, on=later, outcome="answered", by=by, late_reason="found"),
        lambda: events.record_death(participant=person, on=later.isoformat(), cause="hcc", by=by, late_reason="found"),
        lambda: events.record_recurrence(
            participant=person, first_seen_on=later, site="intrahepatic", modality="CT", by=by, late_reason="found"
        ),
        lambda: treatment.record_course(
            participant=person, kind="TACE", intent="adjuvant", start=later.isoformat(), source="x", by=by, late_reason="found"
        ),
        lambda: treatment.close_window(participant=person, on=SURGERY + timedelta(days=91), by=by, late_reason="found"),
    ):
        with pytest.raises(NotAllowedNow, match=LEFT.isoformat()):
            write()
    look(world, person, LEFT, late_reason="the report came late")
    [made] = Assessment.objects.filter(participant=person)
    assert audit.history(made).last().pgh_context["reason"] == "the report came late"


def test_late_data_from_before_are_taken_with_a_reason_only(world: World) -> None:
    """EN-04 b: what happened before may come late; the trail says why. A month that began before is not after."""
    person = left(world, "no_new_data")
    with pytest.raises(ValidationError, match=LEFT.isoformat()):
        look(world, person, LEFT - DAY)
    course = treatment.record_course(
        participant=person, kind="TACE", intent="adjuvant", start=LEFT.strftime("%Y-%m"), source="letter", by=world.coordinator,
        late_reason="letter came late",
    )  # fmt: skip
    assert audit.history(course).last().pgh_context["reason"] == "letter came late"
    with pytest.raises(ValidationError, match="reason"):
        entry.record_texts(participant=person, texts={"afp": "12"}, by=world.coordinator)
    assert entry.record_texts(participant=person, texts={"afp": "12"}, reason="report came late", by=world.coordinator)


def test_no_contact_stops_calls_and_keeps_the_look_into_records(world: World) -> None:
    """EN-04 a: no contact after the day, passive follow-up goes on; the list says that nobody is called."""
    person = left(world, "no_contact")
    with pytest.raises(NotAllowedNow, match=LEFT.isoformat()):
        events.record_contact(participant=person, on=LEFT + DAY, outcome="answered", by=world.coordinator)
    events.record_contact(participant=person, on=LEFT, outcome="answered", by=world.coordinator)
    look(world, person, LEFT + DAY)
    waits = visit_lists.open_visits(world.coordinator)
    assert waits and all(visit.no_contact for visit in waits)
    assert visit_lists.visit_counts(world.coordinator)["all"] == len(waits)
    client = Client()
    client.force_login(world.coordinator)
    assert "不联系" in client.get(reverse("visits")).content.decode()
    assert "不得电话或书面联系" in client.get(reverse("participant", args=[person.uuid])).content.decode()


def test_nobody_who_gives_no_data_waits_on_a_list(world: World) -> None:
    left(world, "no_new_data")
    assert visit_lists.open_visits(world.coordinator) == []


def test_erasure_is_asked_by_one_and_decided_by_another(world: World) -> None:
    """EN-04 c: the same person twice is refused by the function and by the database; without a reason nothing is decided."""
    person, pi = worlds.enrolled(world), world.people[Role.SITE_PI]
    with pytest.raises(ValidationError):
        withdrawal.request_erasure(participant=person, legal_basis=" ", reason="asks", by=pi)
    asked = withdrawal.request_erasure(participant=person, legal_basis="PIPL 47", reason="asks", by=pi)
    with pytest.raises(ValidationError):
        withdrawal.request_erasure(participant=person, legal_basis="PIPL 47", reason="again", by=world.coordinator)
    with pytest.raises(PermissionDenied, match=r"second person|第二人"):
        withdrawal.decide_erasure(request=asked, approve=True, reason="lawful", by=pi)
    for by in (world.coordinator, world.people[Role.MONITOR]):
        with pytest.raises(PermissionDenied):
            withdrawal.decide_erasure(request=asked, approve=True, reason="lawful", by=by)
    with pytest.raises(ValidationError):
        withdrawal.decide_erasure(request=asked, approve=True, reason=" ", by=world.people[Role.DATA_MANAGER])
    changes = {"status": "approved", "decided_by": pi, "decided_at": timezone.now(), "decision": "x"}
    with pytest.raises(IntegrityError, match="decided_by_another"), transaction.atomic(), audit.act(by=world.system, action="test"):
        ErasureRequest.objects.filter(pk=asked.pk).update(**changes)
    assert ErasureRequest.objects.get().status == ErasureStatus.REQUESTED


def test_approved_erasure_stops_entry_and_a_refused_one_changes_nothing(world: World) -> None:
    manager, by = world.people[Role.DATA_MANAGER], world.coordinator
    person = worlds.enrolled(world)
    first = withdrawal.request_erasure(participant=person, legal_basis="PIPL 47", reason="asks", by=by)
    withdrawal.decide_erasure(request=first, approve=False, reason="no ground", by=manager)
    person.refresh_from_db()
    assert person.withdrawal == ""
    second = withdrawal.request_erasure(participant=person, legal_basis="PIPL 47", reason="asks again", by=by)
    withdrawal.decide_erasure(request=second, approve=True, reason="lawful", by=manager)
    with pytest.raises(NotAllowedNow):
        withdrawal.decide_erasure(request=second, approve=False, reason="regret", by=manager)
    person.refresh_from_db()
    assert (person.withdrawal, person.withdrawn_on) == (Withdrawal.ERASE, world.study.today())
    with pytest.raises(NotAllowedNow):
        withdrawal.request_erasure(participant=person, legal_basis="PIPL 47", reason="third", by=by)
    with pytest.raises(ValidationError):
        look(world, person, LEFT)


@pytest.mark.django_db(transaction=True)
def test_two_decisions_at_once_leave_one() -> None:
    """Two managers decide at the same moment, one for and one against: the first stands, the second hears so."""
    world = worlds.build()
    person = worlds.enrolled(world)
    asked = withdrawal.request_erasure(participant=person, legal_basis="PIPL 47", reason="asks", by=world.coordinator)
    deciders = [(world.people[Role.DATA_MANAGER], True), (world.people[Role.SITE_PI], False)]

    def decide(place: int) -> str:
        by, approve = deciders[place]
        try:
            withdrawal.decide_erasure(request=ErasureRequest.objects.get(pk=asked.pk), approve=approve, reason="x", by=by)
        except NotAllowedNow:
            return "late"
        finally:
            connection.close()
        return "decided"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(decide, range(2))) == ["decided", "late"]
    asked.refresh_from_db()
    person.refresh_from_db()
    assert (person.withdrawal == Withdrawal.ERASE) is (asked.status == ErasureStatus.APPROVED)


def test_pages_record_a_withdrawal_and_ask_why_data_come_late(world: World) -> None:
    client = Client()
    client.force_login(world.coordinator)
    person = worlds.enrolled(world)
    page = reverse("withdrawal", args=[person.uuid])
    wrong = client.post(page, {"how_far": "no_new_data", "on": "2099-01-01", "reason": "moved"})
    assert wrong.status_code == 400 and wrong.context["withdraw_form"].errors["on"]
    assert client.post(page, {"how_far": "no_new_data", "on": LEFT.isoformat(), "reason": "moved"}).status_code == 302
    visit = reverse("assessment-new", args=[person.uuid])
    given = {"on": (LEFT - DAY).isoformat(), "modality": "CT", "adequate": "yes", "finding": "free", "place": "here"}
    assert client.post(visit, given).status_code == 400
    assert client.post(visit, given | {"late_reason": "report came"}).status_code == 302
    after = client.post(visit, given | {"on": (LEFT + DAY).isoformat(), "late_reason": "x"})
    assert after.status_code == 409 and LEFT.isoformat() in after.content.decode()
    asked = client.post(reverse("erasure-request", args=[person.uuid]), {"legal_basis": "个人信息保护法第四十七条", "reason": "本人要求"})
    assert asked.status_code == 302
    decide = reverse("erasure-decide", args=[ErasureRequest.objects.get().uuid])
    assert client.post(decide, {"approve": "yes", "reason": "x"}).status_code == 403
    client.force_login(world.people[Role.DATA_MANAGER])
    assert client.post(decide, {"approve": "yes", "reason": "合法"}).status_code == 302
    assert Participant.objects.get().withdrawal == Withdrawal.ERASE
    assert client.get(reverse("erasures")).status_code == 200
