"""Deviations: found by rules once, reported by people, assessed and closed; nothing of a prediction is among their facts."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from accounts import audit
from accounts.transitions import NotAllowedNow
from followup import events, treatment
from prime_platform import deviations as composed
from studies.governance import conduct, deviation_lists, deviations, ethics
from studies.governance.deviation_rules import FACTS, Case, findings
from studies.models import ConsentVersion, Deviation, EthicsApproval, Participant
from studies.vocabulary import DeviationStatus, Role, Task
from tests.studies import world as worlds
from tests.studies.world import SURGERY, World

RULES = conduct.load("hcc_adjuvant")
DAY = timedelta(days=1)
TODAY = date(2026, 9, 1)


def found(about: str, **facts: object) -> set[str]:
    return {each.rule.code for each in findings(RULES, [Case(about, "k", 1, 1, {"today": TODAY, **facts})])}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"consent_on": SURGERY, "enrolled_on": SURGERY}, set()),
        ({"consent_on": SURGERY + DAY, "enrolled_on": SURGERY}, {"consent_after_enrolment"}),
        ({"imaging_date": SURGERY - 42 * DAY, "surgery_date": SURGERY}, set()),
        ({"imaging_date": SURGERY - 43 * DAY, "surgery_date": SURGERY}, {"imaging_interval"}),
        ({"imaging_date": None, "surgery_date": SURGERY}, set()),
        ({"ethics_on_enrolment": "yes", "enrolled_on": SURGERY}, set()),
        ({"ethics_on_enrolment": "no", "enrolled_on": SURGERY}, {"enrolled_without_ethics"}),
        ({"reconsent_by": TODAY}, set()),
        ({"reconsent_by": TODAY - DAY}, {"reconsent_overdue"}),
    ],
)
def test_rule_about_a_participant_at_its_boundary(facts: dict[str, object], expected: set[str]) -> None:
    """What is not known deviates from nothing; the day of the limit itself is within it."""
    assert found("participant", **facts) == expected


def test_rule_about_a_visit_at_both_ends_of_its_window() -> None:
    """M3 is day 91 ± 21: open from day 70 to day 112."""
    window = {"window_opens": SURGERY + 70 * DAY, "window_closes": SURGERY + 112 * DAY}
    told = {day: found("visit", visit_on=SURGERY + day * DAY, **window) for day in (69, 70, 112, 113)}
    assert told == {69: {"visit_early"}, 70: set(), 112: set(), 113: {"visit_late"}}


@pytest.mark.parametrize(
    ("adjuvant", "outside", "expected"),
    [("yes", "yes", {"treatment_outside_strategies"}), ("no", "yes", set()), ("yes", "no", set())],
)
def test_rule_about_a_course(adjuvant: str, outside: str, expected: set[str]) -> None:
    assert found("course", start=SURGERY, adjuvant=adjuvant, outside_strategies=outside) == expected


def test_shipped_rules_read_known_facts_and_none_of_a_prediction() -> None:
    """SL-07: the vocabulary of facts is closed, and nothing of a seal, a model or an agreement is in it."""
    assert conduct.faults(RULES, tasks=frozenset(Task.values), facts=FACTS) == []
    names = " ".join([*FACTS, *(name for facts in FACTS.values() for name in facts)])
    assert not [word for word in ("seal", "predict", "model", "agree", "consisten", "recommend", "tag") if word in names]


def test_fault_of_a_rule_is_named() -> None:
    wrong = conduct.from_data(
        {
            "protocol": "x", "version": "1", "gate": [], "decisions": [], "deviation_kinds": [],
            "trainings": [{"code": "gcp", "text": {"zh": "x", "en": "x"}, "tasks": ["flying"]}],
            "deviations": [
                {"code": "a", "version": 1, "about": "visit", "category": "minor", "text": {"zh": "x", "en": "x"},
                 "when": {"yes": "sealed"}, "occurred": "sealed_on"},
                {"code": "a", "version": 1, "about": "seal", "category": "minor", "text": {"zh": "x", "en": "x"},
                 "when": {"yes": "x"}, "occurred": "x"},
            ],
        }
    )  # fmt: skip
    told = " ".join(conduct.faults(wrong, tasks=frozenset(Task.values), facts=FACTS))
    for part in ("flying", "deviation a is there 2 times", "reads sealed", "sealed_on, which is no date", "about seal"):
        assert part in told


@pytest.fixture
def deviant(world: World) -> Participant:
    """A participant with a late M3 and HAIC as adjuvant therapy."""
    person, by = worlds.enrolled(world), world.coordinator
    look = {"modality": "CT", "adequate": True, "finding": "free", "by": by}
    events.record_assessment(participant=person, on=SURGERY + 113 * DAY, visit="M3", **look)  # type: ignore[arg-type]
    events.record_assessment(participant=person, on=SURGERY + 35 * DAY, visit="M1", **look)  # type: ignore[arg-type]
    treatment.record_course(
        participant=person, kind="HAIC", intent="adjuvant", start=(SURGERY + 30 * DAY).isoformat(), source="record", by=by
    )
    return person


def test_sweep_raises_each_case_once(world: World, deviant: Participant) -> None:
    """The facts of two rooms; entry was not stopped; a second sweep adds none, a corrected record keeps what was raised."""
    assert composed.sweep(world.study) == 2
    assert composed.sweep(world.study) == 0
    rows = {row.kind: row for row in Deviation.objects.all()}
    assert set(rows) == {"visit_late", "treatment_outside_strategies"}
    late = rows["visit_late"]
    assert (late.occurred_on, late.detected_on) == (SURGERY + 113 * DAY, world.study.today())
    assert (late.participant, late.record, late.field, late.status) == (deviant, "followup.Assessment", "on", "open")
    assert late.rules_version == "1.0/1"
    assert audit.history(late).last().pgh_context["by"] == "system"


def test_overdue_renewal_and_lost_cover_are_found(world: World) -> None:
    """EN-03: an approval that ends before an enrolment that was made is found afterwards, as is an overdue newer version.

    Who died cannot sign, and deviates from nothing by that.
    """
    alive, dead = worlds.enrolled(world), worlds.enrolled(world)
    events.record_death(participant=dead, on="2026-05-20", cause="hcc", by=world.coordinator)
    approval = EthicsApproval.objects.get(center=world.own)
    ethics.approve_version(
        center=world.own, code="3.0", approval=approval, valid_from=date(2026, 5, 1), reconsent="all", reconsent_by=date(2026, 6, 1),
        by=world.system,
    )  # fmt: skip
    ethics.end_approval(approval=approval, last_day=SURGERY, reason="typing error found", by=world.system)
    composed.sweep(world.study)
    assert set(Deviation.objects.values_list("kind", "category")) == {
        ("enrolled_without_ethics", "major"),
        ("reconsent_overdue", "minor"),
    }
    assert Deviation.objects.get(kind="reconsent_overdue").participant == alive
    assert ConsentVersion.objects.filter(center=world.own).count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_at_once_raise_it_once() -> None:
    world = worlds.build()
    person = worlds.enrolled(world)
    treatment.record_course(
        participant=person, kind="HAIC", intent="adjuvant", start=(SURGERY + 30 * DAY).isoformat(), source="x", by=world.coordinator
    )

    def sweep(_: int) -> None:
        try:
            composed.sweep(world.study)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(sweep, range(2)))
    assert Deviation.objects.count() == 1


def reported(world: World, **changes: object) -> Deviation:
    given = {
        "center": world.own, "kind": "consent_process", "description": "copy not handed over", "occurred_on": SURGERY, "category": "minor",
        "by": world.coordinator,
    } | changes  # fmt: skip
    return deviations.report(**given)  # type: ignore[arg-type]


def test_report_says_what_happened_and_when(world: World) -> None:
    elsewhere = worlds.person("elsewhere")
    worlds.join(world.study, elsewhere, Role.COORDINATOR, world.other, world.system)
    theirs = worlds.enrolled(world, center=world.other, by=elsewhere)
    for wrong in (
        {"kind": "visit_late"},
        {"description": " "},
        {"occurred_on": world.study.today() + DAY},
        {"detected_on": SURGERY - DAY},
        {"category": "huge"},
        {"participant": theirs},
        {"description": "the brother, 13812345678, called"},
    ):
        with pytest.raises(ValidationError):
            reported(world, **wrong)
    with pytest.raises(PermissionDenied):
        reported(world, by=elsewhere)
    assert reported(world, by=world.people[Role.MONITOR]).status == DeviationStatus.OPEN


def test_deviation_is_assessed_then_closed_by_whom_it_concerns(world: World) -> None:
    """Assessed with a cause, closed after something was done, by the data manager; every step leaves its trail."""
    row, pi, manager = reported(world), world.people[Role.SITE_PI], world.people[Role.DATA_MANAGER]
    with pytest.raises(NotAllowedNow):
        deviations.close(deviation=row, by=manager)
    for by in (world.coordinator, world.people[Role.MONITOR]):
        with pytest.raises(PermissionDenied):
            deviations.assess(deviation=row, category="major", cause="x", by=by)
    with pytest.raises(ValidationError):
        deviations.assess(deviation=row, category="major", cause=" ", by=pi)
    with pytest.raises(ValidationError, match="citizen identity number"), translation.override("en"):
        deviations.assess(deviation=row, category="major", cause="mixed up", corrective="see 11010519491231002X", by=pi)
    row = deviations.assess(deviation=row, category="major", cause="new nurse", by=pi)
    with pytest.raises(ValidationError):
        deviations.close(deviation=row, by=manager)
    row = deviations.assess(deviation=row, category="major", cause="new nurse", corrective="handed over", preventive="trained", by=pi)
    with pytest.raises(PermissionDenied):
        deviations.close(deviation=row, by=pi)
    row = deviations.close(deviation=row, by=manager)
    for again in (
        lambda: deviations.assess(deviation=row, category="minor", cause="x", by=pi),
        lambda: deviations.close(deviation=row, by=manager),
    ):
        with pytest.raises(NotAllowedNow):
            again()
    with pytest.raises(ValidationError):
        deviations.reopen(deviation=row, reason="", by=manager)
    row = deviations.reopen(deviation=row, reason="another copy is missing", by=manager)
    assert (row.status, row.category, row.closed_at) == ("assessed", "major", None)
    assert [event.pgh_context["action"] for event in audit.history(row)] == [
        "deviation.reported", "deviation.assessed", "deviation.assessed", "deviation.closed", "deviation.reopened",
    ]  # fmt: skip


def test_deviation_is_never_deleted(world: World) -> None:
    row = reported(world)
    with pytest.raises(DatabaseError, match="delete"), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.delete()


def test_pages_of_each_role_show_and_do_what_is_theirs(world: World, deviant: Participant) -> None:
    """SE-04: a center sees its own; counts are lengths; a major one stands in its list."""
    composed.sweep(world.study)
    client = Client()
    client.force_login(world.coordinator)
    page = client.get(reverse("deviations"))
    assert page.context["total"] == deviation_lists.to_assess(world.coordinator).count() == 2
    new = {"study_number": deviant.study_number, "kind": "other", "occurred_on": "2026-03-20", "detected_on": "", "category": "major"}
    assert client.post(reverse("deviation-new"), new).status_code == 400
    assert client.post(reverse("deviation-new"), new | {"description": "x", "study_number": "09-0001-11"}).status_code == 400
    made = client.post(reverse("deviation-new"), new | {"description": "玻片破损"})
    assert made.status_code == 302
    one = made["Location"]
    shown = client.get(one).content.decode()
    assert "玻片破损" in shown and 'id="assess"' not in shown
    assert client.get(reverse("deviations") + "?state=major").context["total"] == 1
    client.force_login(world.people[Role.DATA_MANAGER])
    row = Deviation.objects.get(description="玻片破损")
    assert client.post(reverse("deviation-close", args=[row.uuid])).status_code == 409
    given = {"category": "minor", "cause": "运输", "corrective": "重切", "preventive": ""}
    assert client.post(reverse("deviation-assess", args=[row.uuid]), given).status_code == 302
    assert client.post(reverse("deviation-close", args=[row.uuid])).status_code == 302
    assert client.post(reverse("deviation-reopen", args=[row.uuid]), {"reason": ""}).status_code == 400
    elsewhere = worlds.person("elsewhere")
    worlds.join(world.study, elsewhere, Role.COORDINATOR, world.other, world.system)
    client.force_login(elsewhere)
    assert client.get(one).status_code == 404
    assert client.get(reverse("deviations") + "?state=all").context["total"] == 0


def test_queries_of_the_list_do_not_grow(world: World) -> None:
    client = Client()
    client.force_login(world.people[Role.MONITOR])
    asked = []
    for number in (1, 4):
        for each in range(number):
            reported(world, description=f"{number}-{each}")
        with CaptureQueriesContext(connection) as queries:
            assert client.get(reverse("deviations")).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1]
