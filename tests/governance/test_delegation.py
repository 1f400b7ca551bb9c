"""The delegation log decides who may enter what, on which day, at which center (SE-03, AU-01)."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import AccessRecord, User
from studies import access, consent, screening, setup
from studies.access import GRANTS, TASK_OF, Permission
from studies.governance import delegation, standing
from studies.models import Center, Delegation, Training
from studies.vocabulary import CENTER_ROLES, STUDY_ROLES, Role, Task
from tests.studies import world as worlds
from tests.studies.world import World

TODAY = timezone.localdate()
DAY = timedelta(days=1)


@pytest.fixture
def nurse(world: World) -> User:
    """A coordinator of center 01 to whom nothing is delegated."""
    user = worlds.person("nurse")
    setup.add_member(study=world.study, user=user, role=Role.COORDINATOR, center=world.own, since=date(2026, 1, 1), by=world.system)
    return user


def trained(world: World, user: User, *codes: str, on: date = date(2026, 1, 2), until: date | None = None) -> None:
    for code in codes or ("gcp", "protocol"):
        delegation.record_training(
            center=world.own, user=user, code=code, trained_on=on, expires_on=until, certificate="GCP-7", by=world.people[Role.SITE_PI]
        )


def delegated(world: World, user: User, *tasks: str, since: date = date(2026, 1, 2), until: date | None = None) -> list[Delegation]:
    return delegation.delegate(center=world.own, user=user, tasks=tasks, since=since, until=until, by=world.people[Role.SITE_PI])


def test_role_alone_lets_nobody_enter(world: World, nurse: User) -> None:
    """Looking is a matter of the role, entering of the log: the refusal names the task and whom to ask."""
    assert access.may(nurse, Permission.PARTICIPANT_VIEW, world.own)
    with pytest.raises(PermissionDenied, match=r"screening and eligibility.*site PI|筛选与资格判定.*授权分工表"):
        worlds.screened(world, by=nurse)


@pytest.mark.parametrize(
    ("since", "until", "allowed"),
    [
        (TODAY, None, True),
        (TODAY + DAY, None, False),
        (TODAY - 9 * DAY, TODAY, True),
        (TODAY - 9 * DAY, TODAY - DAY, False),
    ],
    ids=["first day", "day before", "last day", "day after"],
)
def test_entry_outside_the_delegated_dates_is_refused(world: World, nurse: User, since: date, until: date | None, allowed: bool) -> None:
    """Both boundaries of a delegation; outside them the sentence says which date it was."""
    trained(world, nurse)
    delegated(world, nurse, Task.ELIGIBILITY, since=since, until=until)
    if allowed:
        assert worlds.screened(world, by=nurse).pk
    else:
        with pytest.raises(PermissionDenied, match=(until or since).isoformat()):
            worlds.screened(world, by=nurse)


@pytest.mark.parametrize(
    ("on", "until", "allowed"),
    [(TODAY, None, True), (TODAY - 400 * DAY, TODAY, True), (TODAY - 400 * DAY, TODAY - DAY, False)],
    ids=["trained today", "last day", "expired yesterday"],
)
def test_training_comes_first_and_must_be_valid(world: World, nurse: User, on: date, until: date | None, allowed: bool) -> None:
    delegated(world, nurse, Task.ELIGIBILITY)
    trained(world, nurse, "protocol")
    with pytest.raises(PermissionDenied, match="GCP"):
        worlds.screened(world, by=nurse)
    trained(world, nurse, "gcp", on=on, until=until)
    assert access.may(nurse, Permission.SCREEN, world.own) is allowed


@pytest.mark.parametrize("dates", [(since, until) for since in (-9, 0, 1) for until in (None, -1, 0) if until is None or since <= until])
@pytest.mark.parametrize("codes", [(), ("gcp",), ("gcp", "protocol")])
@pytest.mark.parametrize("expires", [None, -1, 0])
def test_one_center_is_judged_as_the_list_of_centers_is(world: World, nurse: User, dates, codes, expires) -> None:
    """What a write asks of its center and what a list asks of all centers are two formulations of one rule."""
    if codes:
        trained(world, nurse, *codes, on=TODAY - 30 * DAY, until=None if expires is None else TODAY + expires * DAY)
    since, until = (None if day is None else TODAY + day * DAY for day in dates)
    delegated(world, nurse, Task.ELIGIBILITY, since=since, until=until)
    for user in (nurse, world.people[Role.SITE_PI], world.people[Role.COORDINATOR]):
        listed = set(Center.objects.filter(standing.delegated(user, Task.ELIGIBILITY, TODAY)))
        assert {each for each in Center.objects.all() if standing.in_hand(user, Task.ELIGIBILITY, each, TODAY)} == listed


def test_only_the_task_delegated_is_open(world: World, nurse: User) -> None:
    """Each permission of the table asks for its own task and no other."""
    trained(world, nurse)
    for task in Task:
        [row] = delegated(world, nurse, task)
        for permission, needed in TASK_OF.items():
            assert access.may(nurse, permission, world.own) is (needed is task), (permission, task)
            assert not access.may(nurse, permission, world.other)
        delegation.end(delegation=row, last_day=TODAY - DAY, reason="next", by=world.people[Role.SITE_PI])


def test_every_entry_permission_of_a_center_role_names_a_task() -> None:
    """What a center role may do beyond TASK_OF enters nothing about a patient: it looks, signs, leads, asks and reports."""
    verbs = {code.split(".")[1] for code in TASK_OF}
    beyond = frozenset[str]().union(*(GRANTS[role] for role in CENTER_ROLES)) - set(TASK_OF)
    entering = {code for code in beyond if code.split(".")[1] in verbs}
    assert entering == {"training.record", "deviation.report"}
    assert not [role for role in STUDY_ROLES if GRANTS[role] & set(TASK_OF) - {"range.enter"}]  # a range is of no patient


def test_site_pi_answers_for_every_task_but_is_trained_too(world: World) -> None:
    chief = worlds.person("chief")
    setup.add_member(study=world.study, user=chief, role=Role.SITE_PI, center=world.own, since=date(2026, 1, 1), by=world.system)
    with pytest.raises(PermissionDenied, match="GCP"):
        worlds.screened(world, by=chief)
    trained(world, chief)
    line = worlds.screened(world, by=chief)
    assert consent.record(screening=line, form_version="2.1", signed_on=worlds.SCREENED, by=chief).pk


def test_only_the_site_pi_of_the_center_delegates(world: World, nurse: User) -> None:
    elsewhere = worlds.person("elsewhere")
    worlds.join(world.study, elsewhere, Role.SITE_PI, world.other, world.system)
    for by in (nurse, elsewhere, world.coordinator, world.people[Role.DATA_MANAGER]):
        with pytest.raises(PermissionDenied):
            delegation.delegate(center=world.own, user=nurse, tasks=[Task.CONSENT], since=TODAY, by=by)
    [row] = delegated(world, nurse, Task.CONSENT)
    with pytest.raises(PermissionDenied):
        delegation.end(delegation=row, last_day=TODAY, reason="leaves", by=world.people[Role.DATA_MANAGER])


def test_task_beyond_the_role_or_held_already_is_refused(world: World, nurse: User) -> None:
    reader, stranger = world.people[Role.READER], worlds.person("stranger")
    for user, task in ((reader, Task.CONSENT), (stranger, Task.IMAGING), (nurse, "surgery")):
        with pytest.raises(ValidationError):
            delegated(world, user, task)
    delegated(world, nurse, Task.CONSENT)
    with pytest.raises(ValidationError):
        delegated(world, nurse, Task.CONSENT)
    row = Delegation(center=world.own, user=nurse, task="consent", since=TODAY, recorded_at=timezone.now(), recorded_by=world.system)
    with pytest.raises(IntegrityError, match="delegation_held_once"), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.save()


def test_ended_delegation_keeps_its_line_and_its_reason(world: World, nurse: User) -> None:
    """AU-03: nothing is deleted; a new line follows, and the end is not moved back later."""
    [row] = delegated(world, nurse, Task.CONSENT)
    pi = world.people[Role.SITE_PI]
    with pytest.raises(ValidationError):
        delegation.end(delegation=row, last_day=TODAY, reason=" ", by=pi)
    ended = delegation.end(delegation=row, last_day=TODAY, reason="leaves the hospital", by=pi)
    with pytest.raises(ValidationError):
        delegation.end(delegation=ended, last_day=TODAY + DAY, reason="stays", by=pi)
    assert audit.history(ended).last().pgh_context["reason"] == "leaves the hospital"
    assert delegated(world, nurse, Task.CONSENT, since=TODAY + DAY)
    with pytest.raises(DatabaseError, match="delete"), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.delete()


def test_whole_log_is_entered_by_the_operator_alone(world: World, nurse: User) -> None:
    manager = world.people[Role.DATA_MANAGER]
    with pytest.raises(PermissionDenied):
        setup.add_member(study=world.study, user=worlds.person("x"), role=Role.READER, center=world.own, by=manager, delegated=True)
    assert not Delegation.objects.filter(user__username="x").exists()
    assert set(Delegation.objects.filter(user=world.coordinator).values_list("task", flat=True)) == set(Task.values)
    assert set(Training.objects.filter(user=world.coordinator).values_list("code", flat=True)) == {"gcp", "protocol"}


def test_training_is_known_dated_and_of_a_colleague(world: World, nurse: User) -> None:
    elsewhere = worlds.person("elsewhere")
    setup.add_member(study=world.study, user=elsewhere, role=Role.COORDINATOR, center=world.other, since=date(2026, 1, 1), by=world.system)
    for wrong in ({"code": "driving"}, {"on": TODAY + DAY}, {"user": worlds.person("stranger")}, {"user": elsewhere}):
        given = {"user": nurse, "code": "gcp", "on": TODAY} | wrong
        with pytest.raises(ValidationError):
            trained(world, given["user"], given["code"], on=given["on"])  # type: ignore[arg-type]
    with pytest.raises(PermissionDenied):
        delegation.record_training(center=world.own, user=nurse, code="gcp", trained_on=TODAY, certificate="1", by=nurse)


def test_pages_refuse_with_the_sentence_and_record_the_refusal(world: World, nurse: User) -> None:
    """AU-01: the page and the API ask the same rule; screening without the task is 403 with what to do."""
    client = Client()
    client.force_login(nurse)
    page = client.get(reverse("screening-new"))
    assert page.status_code == 403
    assert "授权分工表" in page.content.decode()
    given = {"center": str(world.own.uuid), "surgery_date": "2026-03-02", "answers": {}}
    told = client.post("/api/v1/screenings/", given, content_type="application/json")
    assert told.status_code == 403
    assert "授权分工表" in told.content.decode()
    assert AccessRecord.objects.filter(kind="refusal", username="nurse").count() == 2


def test_log_page_delegates_records_and_ends(world: World, nurse: User) -> None:
    """What the site PI does on the page is what the log says; a coordinator reads it and has no form."""
    client = Client()
    client.force_login(world.people[Role.SITE_PI])
    log = reverse("delegation-log", args=[world.own.uuid])
    day = TODAY.isoformat()
    given = {"user": nurse.uuid, "tasks": ["consent", "eligibility"], "since": day, "until": ""}
    assert client.post(reverse("delegate", args=[world.own.uuid]), given).status_code == 302
    again = client.post(reverse("delegate", args=[world.own.uuid]), given)
    assert again.status_code == 400
    assert "该工作已授权给此人" in again.content.decode()
    for code in ("gcp", "protocol"):
        given = {"user": nurse.uuid, "code": code, "trained_on": day, "expires_on": "", "certificate": "G-1"}
        assert client.post(reverse("training-record", args=[world.own.uuid]), given).status_code == 302
    assert access.may(nurse, Permission.SCREEN, world.own)
    row = Delegation.objects.get(user=nurse, task="consent")
    assert client.post(reverse("delegation-end", args=[row.uuid]), {"last_day": day, "reason": "离职"}).status_code == 302
    client.force_login(nurse)
    shown = client.get(log).content.decode()
    assert "nurse" in shown and 'id="delegate"' not in shown and 'id="training"' not in shown
    assert (
        client.post(reverse("delegate", args=[world.own.uuid]), {"user": nurse.uuid, "tasks": ["imaging"], "since": day}).status_code == 403
    )


def test_pages_take_as_many_queries_for_many_lines(world: World) -> None:
    client = Client()
    client.force_login(world.people[Role.SITE_PI])
    asked = []
    for number in (1, 60):
        for each in range(number):
            worlds.join(world.study, worlds.person(f"reader{number}-{each}"), Role.READER, world.own, world.system)
        with CaptureQueriesContext(connection) as queries:
            shown = [client.get(url) for url in (reverse("delegation-log", args=[world.own.uuid]), reverse("centers"))]
        asked.append(len(queries))
    assert asked[0] == asked[1]
    assert len(shown[0].context["lines"]) == 50
    assert shown[0].context["total"] == Delegation.objects.filter(center=world.own).count() > 60


def test_amending_asks_the_same_task(world: World, nurse: User) -> None:
    """Every write function of the room obeys, not the page alone."""
    line = worlds.screened(world)
    trained(world, nurse)
    delegated(world, nurse, Task.DATA_ENTRY)
    for write in (
        lambda: screening.amend(screening=line, reason="x", age_at_surgery=59, by=nurse),
        lambda: screening.exclude(screening=line, reason_code="duplicate", by=nurse),
        lambda: consent.record(screening=line, form_version="2.1", signed_on=worlds.SCREENED, by=nurse),
    ):
        with pytest.raises(PermissionDenied):
            write()
