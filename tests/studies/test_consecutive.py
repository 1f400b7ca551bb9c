"""Was everybody screened? Monthly counts, the report's page, the flow over the real log, and the log's single keys (EN-01, EN-07)."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from accounts import audit, people
from accounts.models import User
from prime_platform.demo import cohort
from studies import consent, enrollment, milestones, pages, screening, wording
from studies.access import screenings_for
from studies.consecutive import counts, leaves
from studies.consecutive.flow import Box
from studies.models import Progress, Screening, SurgeryCount
from studies.vocabulary import MilestoneKind, Role, ScreeningStatus
from studies.worklist import OWN
from tests.studies import world as worlds
from tests.studies.world import SCREENED, SURGERY, World

MARCH = date(2026, 3, 1)
PENDING = worlds.ELIGIBLE | {"histology_hcc": "unknown", "he_slide_qualified": "unknown"}


def browser(user: User) -> Client:
    client = Client()
    client.force_login(people.choose_language(user=user, language="en"))
    return client


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    with translation.override("en"):
        yield


# ---------- the center's own counts


def test_count_is_reported_once_and_corrected_with_a_reason(world: World) -> None:
    first = counts.report(center=world.own, month=date(2026, 3, 17), resections=7, by=world.coordinator)
    assert (first.month, first.resections) == (MARCH, 7)
    assert counts.report(center=world.own, month=MARCH, resections=7, by=world.coordinator) == first
    with pytest.raises(ValidationError, match="needs a reason"):
        counts.report(center=world.own, month=MARCH, resections=8, by=world.coordinator)
    counts.report(center=world.own, month=MARCH, resections=8, reason="one was in the other theatre", by=world.coordinator)
    said = [(event.resections, event.pgh_context["action"], event.pgh_context["reason"]) for event in audit.history(first)]
    assert said == [(7, "surgeries.reported", ""), (8, "surgeries.corrected", "one was in the other theatre")]


@pytest.mark.parametrize(("month", "words"), [(date(2099, 1, 1), "has not begun"), (date(2025, 12, 1), "was not open")])
def test_count_of_an_impossible_month_is_refused(world: World, month: date, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        counts.report(center=world.own, month=month, resections=1, by=world.coordinator)
    assert not SurgeryCount.objects.exists()


def test_demonstration_reports_as_many_resections_as_its_log_has_lines(world: World) -> None:
    """EN-01: every month that has ended, at every center that screened somebody in it."""
    for day in (SURGERY, SURGERY, SURGERY + timedelta(days=31)):
        worlds.screened(world, surgery_date=day, on=day + timedelta(days=2))
    cohort.count_surgeries(world.study)
    assert list(SurgeryCount.objects.order_by("month").values_list("center", "month", "resections")) == [
        (world.own.pk, MARCH, 2), (world.own.pk, date(2026, 4, 1), 1),
    ]  # fmt: skip


def test_only_the_center_reports_its_own_count(world: World) -> None:
    for who, center in ((world.people[Role.MONITOR], world.own), (world.coordinator, world.other)):
        with pytest.raises(PermissionDenied):
            counts.report(center=center, month=MARCH, resections=1, by=who)


def test_report_page_says_how_many_are_missing_from_the_log(world: World) -> None:
    """EN-01: two lines in March, three resections reported: a finding that names the one."""
    for _ in range(2):
        worlds.screened(world)
    client = browser(world.coordinator)
    address = reverse("surgeries-report")
    answer = client.post(address, {"center": str(world.own.uuid), "month": "2026-03", "resections": "3"}, follow=True)
    assert answer.status_code == 200
    assert "2026-03: 3 resections reported, 2 in the log. Screen the other 1." in [each.sentence for each in answer.context["findings"]]
    assert client.post(address, {"center": str(world.own.uuid), "month": "03/2026", "resections": "3"}).status_code == 400
    assert client.post(address, {"center": str(world.other.uuid), "month": "2026-03", "resections": "3"}).status_code == 404
    assert client.get(reverse("consecutiveness"), {"center": str(world.other.uuid)}).status_code == 404
    assert browser(world.people[Role.MONITOR]).get(reverse("consecutiveness"), {"center": str(world.other.uuid)}).status_code == 200
    assert browser(world.people[Role.SPONSOR]).get(reverse("consecutiveness")).status_code == 403


# ---------- consented, pathology pending


def pending(world: World) -> Screening:
    return worlds.consented(world, answers=PENDING)


def test_consented_with_pathology_pending_is_a_state_and_a_duty_of_its_own(world: World) -> None:
    line, unconsented = pending(world), worlds.screened(world, answers=PENDING)
    other = worlds.consented(world, answers=worlds.ELIGIBLE | {"imaging_quality": "unknown"})
    by_state = {state: set(pages.screenings(world.coordinator, state)) for state in ("pathology_pending", "unknown")}
    assert by_state == {"pathology_pending": {line}, "unknown": {unconsented, other}}
    assert wording.state(Screening.objects.get(pk=line.pk)) == "pathology_pending"
    [row] = OWN.rows(world.coordinator, "pathology_pending", 50)
    assert (row.number, row.state) == (str(line), "pathology_pending")
    assert row.late == (row.day > 75)
    assert OWN.counts(world.coordinator)["pathology_pending"] == 1


def test_pathology_that_comes_ends_the_wait(world: World) -> None:
    line = screening.amend(
        screening=pending(world), answers={"histology_hcc": "yes", "he_slide_qualified": "yes"}, reason="report", by=world.coordinator
    )
    assert line.eligibility["awaits"] == []
    assert list(pages.screenings(world.coordinator, "eligible")) == [line]


def test_failing_criterion_is_no_wait(world: World) -> None:
    line = worlds.consented(world, answers=PENDING | {"other_malignancy": "yes"})
    assert list(pages.screenings(world.coordinator, "fails")) == [line]
    assert not pages.screenings(world.coordinator, "pathology_pending").exists()


# ---------- the flow


def random_log(world: World, seed: int, count: int) -> None:
    """Lines in states that chance chooses, each reached by the write functions."""
    chance = random.Random(seed)
    reasons = [reason.code for reason in world.study.protocol.exclusion_reasons]
    for _ in range(count):
        answers = chance.choice([worlds.ELIGIBLE, PENDING, worlds.ELIGIBLE | {"r0_resection": "no"}, {}])
        line = worlds.screened(world, answers=answers)
        if chance.random() < 0.7:
            consent.record(screening=line, form_version="2.1", signed_on=SCREENED, by=world.coordinator)
        what = chance.choice(["stay", "exclude", "enrol"])
        if what == "exclude":
            reason = chance.choice(reasons)
            if reason != "not_eligible" or line.eligibility["verdict"] == "fail":
                screening.exclude(screening=line, reason_code=reason, by=world.coordinator)
        elif what == "enrol" and not enrollment.obstacles(line):
            person = enrollment.enroll(screening=line, by=world.coordinator)
            for kind in chance.sample([MilestoneKind.SEALED, MilestoneKind.INPUT_MISSING], chance.randint(0, 2)):
                with audit.act(by=world.system, action="test"):
                    milestones.record(kind=kind, on=person.enrolled_on, by=world.system, participant=person)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_screened_line_is_in_exactly_one_leaf(world: World, seed: int) -> None:
    """EN-07: each box is the sum of its children, and each count the length of the list that its link opens."""
    random_log(world, seed, 16)
    lines = Progress.objects.all()
    tree = leaves.tree(world.study, lines)
    assert tree.count == 16
    found = {leaf.code: set(lines.filter(leaves.condition(leaf.code)).values_list("pk", flat=True)) for leaf in tree.leaves()}
    assert {code: len(rows) for code, rows in found.items()} == {leaf.code: leaf.count for leaf in tree.leaves()}
    assert sum(len(rows) for rows in found.values()) == len(set.union(*found.values())) == 16
    client = browser(world.coordinator)
    for box in boxes(tree):
        listed = client.get(reverse("screening-log"), {"state": "all", "leaf": box.code, "center": str(world.own.uuid)})
        assert listed.context["total"] == box.count == sum(child.count for child in box.children or [box])


def boxes(box: Box) -> list[Box]:
    return [box, *(each for child in box.children for each in boxes(child))]


def test_reason_of_an_earlier_protocol_keeps_its_box(world: World) -> None:
    line = worlds.screened(world)
    screening.exclude(screening=line, reason_code="transferred", by=world.coordinator)
    with audit.act(by=world.system, action="test"):
        Screening.objects.update(exclusion_reason="moved_abroad")
    tree = leaves.tree(world.study, Progress.objects.all())
    assert tree.child("excluded").child("excluded.moved_abroad").count == 1


def test_flow_page_links_only_to_lists_that_the_reader_may_see(world: World) -> None:
    worlds.screened(world)
    mine, whole = {"center": str(world.own.uuid)}, {}
    for who, asked, linked in (
        (world.coordinator, mine, True), (world.coordinator, whole, False), (world.people[Role.MONITOR], whole, True),
        (world.people[Role.INVESTIGATOR], whole, False), (world.people[Role.SPONSOR], mine, False),
    ):  # fmt: skip
        answer = browser(who).get(reverse("flow"), asked)
        assert answer.status_code == 200
        assert all(bool(row.url) == linked for row in answer.context["rows"]), who
    assert browser(world.people[Role.READER]).get(reverse("flow")).status_code == 403
    assert browser(world.coordinator).get(reverse("flow"), {"center": "0"}).status_code == 404


def test_log_narrowed_to_what_is_no_box_or_no_center_of_mine_is_not_found(world: World) -> None:
    client = browser(world.coordinator)
    for asked in ({"leaf": "nothing"}, {"center": str(world.other.uuid)}, {"center": "x"}):
        assert client.get(reverse("screening-log"), asked).status_code == 404


@pytest.mark.parametrize("name", ["consecutiveness", "flow", "screening-log"])
def test_page_takes_as_many_queries_for_many_lines_as_for_few(world: World, name: str) -> None:
    client = browser(world.coordinator)

    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(reverse(name)).status_code == 200
        return len(queries)

    worlds.screened(world)
    asked()
    few = asked()
    random_log(world, 4, 12)
    assert asked() <= max(few, 20)


# ---------- single keys


def test_line_is_closed_by_one_key_and_taken_back(world: World) -> None:
    line, client = worlds.screened(world), browser(world.coordinator)
    shown = client.get(reverse("screening-log"))
    digits = {code: digit for digit, code, _ in shown.context["reasons"]}
    assert digits["consent_declined"] == 2
    assert f'value="{line.uuid}" form="close"' in shown.content.decode()
    sent = {"line": str(line.uuid), "reason_code": "consent_declined", "state": "all"}
    closed = client.post(reverse("screening-close"), sent, follow=True)
    assert closed.context["closed"]["line"] == line
    line.refresh_from_db()
    assert (line.status, line.exclusion_reason) == (ScreeningStatus.EXCLUDED, "consent_declined")
    client.post(reverse("screening-reinstate", args=[line.uuid]), {"reason": "wrong line or wrong key"})
    line.refresh_from_db()
    assert line.status == ScreeningStatus.SCREENED
    assert [event.pgh_context["action"] for event in audit.history(line)] == [
        "screening.screened",
        "screening.excluded",
        "screening.reinstated",
    ]


def test_key_without_a_line_or_for_another_centers_line_does_nothing(world: World) -> None:
    theirs = worlds.screened(world, center=world.other, by=elsewhere(world))
    client = browser(world.coordinator)
    assert client.post(reverse("screening-close"), {"reason_code": "consent_declined"}).status_code == 400
    sent = {"line": str(theirs.uuid), "reason_code": "consent_declined"}
    assert client.post(reverse("screening-close"), sent).status_code == 404
    eligible = worlds.screened(world)
    assert client.post(reverse("screening-close"), {"line": str(eligible.uuid), "reason_code": "not_eligible"}).status_code == 400
    assert set(Screening.objects.values_list("status", flat=True)) == {ScreeningStatus.SCREENED}


def elsewhere(world: World) -> User:
    user = worlds.person("elsewhere")
    worlds.join(world.study, user, Role.SITE_PI, world.other, world.system)
    return user


def test_who_only_looks_has_no_keys(world: World) -> None:
    line = worlds.screened(world)
    shown = browser(world.people[Role.MONITOR]).get(reverse("screening-log"))
    assert shown.context["reasons"] == []
    assert 'name="line"' not in shown.content.decode()
    sent = {"line": str(line.uuid), "reason_code": "consent_declined"}
    assert browser(world.people[Role.MONITOR]).post(reverse("screening-close"), sent).status_code == 403


def test_line_of_the_operating_list_says_so(world: World) -> None:
    by = User.objects.system()
    line = screening.screen_from_edge(center=world.own, row_token="a" * 64, surgery_date=SURGERY, age_at_surgery=58, sex="M", by=by)
    assert "from the operating list" in browser(world.coordinator).get(reverse("screening-log")).content.decode()
    assert list(screenings_for(world.coordinator)) == [line]
    assert line.screened_on - line.surgery_date >= timedelta(0)
