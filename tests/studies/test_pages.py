"""What pages read: lists whose counts are their lengths, timelines, completeness, a fixed number of queries."""

from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts import audit
from accounts.models import User
from studies import clock, counting, enrollment, entry, milestones, pages, screening
from studies.models import Participant
from studies.vocabulary import MilestoneKind, Role
from tests.studies import world as worlds
from tests.studies.world import ELIGIBLE, SURGERY, World


def happen(participant: Participant, kind: MilestoneKind, day: int, by: User) -> None:
    with transaction.atomic(), audit.act(by=by, action="test"):
        milestones.record(participant=participant, kind=kind, on=SURGERY + timedelta(days=day), by=by)


@pytest.fixture
def busy(world: World) -> World:
    """Six participants in different states and three lines of the log that are none."""
    people = [worlds.enrolled(world) for _ in range(6)]
    for participant in people[:4]:
        happen(participant, MilestoneKind.SERIES_RECEIVED, 12, world.system)
    for participant in people[:3]:
        happen(participant, MilestoneKind.PHASE_CONFIRMED, 13, world.system)
    happen(people[0], MilestoneKind.SEALED, 14, world.system)
    happen(people[1], MilestoneKind.DEATH, 200, world.system)
    enrollment.withdraw(participant=people[5], how_far="no_new_data", on=date(2026, 6, 1), reason="moved", by=world.coordinator)
    worlds.screened(world)
    worlds.screened(world, answers={**ELIGIBLE, "histology_hcc": "unknown"})
    declined = worlds.screened(world, answers={**ELIGIBLE, "histology_hcc": "no"})
    screening.exclude(screening=declined, reason_code="not_eligible", by=world.coordinator)
    return world


def test_counts_are_the_lengths_of_their_lists(busy: World) -> None:
    """ui.md: every count is the length of a list that its link opens."""
    for role in (Role.COORDINATOR, Role.MONITOR, Role.DMC):
        user = busy.people[role]
        assert pages.participant_counts(user) == {state: pages.participants(user, state).count() for state in pages.PARTICIPANT_STATES}
        assert pages.screening_counts(user) == {state: pages.screenings(user, state).count() for state in pages.SCREENING_STATES}
    assert pages.participant_count(busy.coordinator) == pages.participant_counts(busy.coordinator)["all"] == 6
    assert pages.screening_count(busy.coordinator) == pages.screening_counts(busy.coordinator)["all"] == 9


def test_lists_are_counted_together_in_one_statement(busy: World) -> None:
    """Also a list whose condition cannot hold, and one with parameters of its own."""
    open_lines = pages.screenings(busy.coordinator, "open").order_by("surgery_date")
    lists = {"open": open_lines, "nobody": Participant.objects.none(), "sealed": pages.participants(busy.coordinator, "sealed")}
    with CaptureQueriesContext(connection) as asked:
        assert counting.together(lists) == {"open": 2, "nobody": 0, "sealed": 1}
        assert counting.together({}) == {}
    assert len(asked) == 1


def test_clock_draws_many_who_stand_alike_as_one_mark() -> None:
    """Nobody is lost: the marks' numbers are the people's; a few are drawn one by one, with their links."""
    people = [clock.Standing(str(number), str(number), number % 5, "wait", f"/{number}/") for number in range(clock.MOST_MARKS)]
    assert clock.gathered(people) == people
    more = [*people, clock.Standing("a", "a", 7, "seal", "/a/")]
    drawn = clock.ruler(clock.gathered(more))
    assert [(mark.standing.day, mark.standing.people) for mark in drawn.marks] == [(0, 8), (1, 8), (2, 8), (3, 8), (4, 8), (7, 1)]
    assert (drawn.people, drawn.count("wait"), drawn.count("seal")) == (41, 40, 1)
    assert [mark.standing.url for mark in drawn.marks] == ["", "", "", "", "", "/a/"]


def test_states_of_participants_hold_whom_they_should(busy: World) -> None:
    counts = pages.participant_counts(busy.coordinator)
    expected = {"images_missing": 1, "phases_to_confirm": 1, "phases_complete": 3, "running": 4, "sealed": 1, "withdrawn": 1}
    assert {state: counts[state] for state in expected} == expected
    counts = pages.screening_counts(busy.coordinator)
    assert {state: counts[state] for state in ("open", "eligible", "unknown", "excluded", "enrolled")} == {
        "open": 2, "eligible": 1, "unknown": 1, "excluded": 1, "enrolled": 6,
    }  # fmt: skip


def test_each_screened_patient_is_in_exactly_one_leaf(busy: World) -> None:
    """EN-07: screened = enrolled + not enrolled + open; open = eligible + unknown + fails."""
    counts = pages.screening_counts(busy.coordinator)
    assert counts["all"] == counts["enrolled"] + counts["excluded"] + counts["open"]
    assert counts["open"] == counts["eligible"] + counts["unknown"] + counts["fails"]


def test_queries_of_a_list_do_not_grow_with_its_rows(world: World) -> None:
    """At most 20, and the same for three participants as for nine."""
    used = []
    for _ in range(2):
        for _ in range(3 if not used else 6):
            happen(worlds.enrolled(world), MilestoneKind.SERIES_RECEIVED, 12, world.system)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            rows = list(pages.participants(world.coordinator))
            pages.completeness(rows, date(2026, 4, 1))
            pages.participant_counts(world.coordinator)
            [(row.study_number, row.center.code, row.screening.surgery_date, row.study.today()) for row in rows]
        used.append(len(queries))
    assert used[0] == used[1] <= 20


def test_timeline_counts_days_from_surgery_and_leaves_out_what_was_cancelled(world: World) -> None:
    participant = worlds.enrolled(world)
    happen(participant, MilestoneKind.VISIT_DONE, 33, world.system)
    with transaction.atomic(), audit.act(by=world.system, action="test"):
        wrong = participant.milestones.get(kind=MilestoneKind.VISIT_DONE)
        milestones.record(
            participant=participant, kind=MilestoneKind.VISIT_DONE, on=SURGERY + timedelta(35), by=world.system, cancels=wrong
        )
    assert [(row.kind, row.day) for row in pages.timeline(participant)] == [
        ("screened", 5), ("consented", 5), ("enrolled", 9), ("visit_done", 35),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (
            20,
            {
                "consent": "done",
                "phases": "missing",
                "baseline": "missing",
                "sealed": "waiting",
                "treatment": "waiting",
                "visits": "waiting",
            },
        ),
        (90, {"sealed": "waiting", "treatment": "waiting", "visits": "overdue"}),
        (91, {"sealed": "missing", "treatment": "overdue"}),
    ],
)
def test_cells_say_what_is_done_due_or_missing(world: World, day: int, expected: dict[str, str]) -> None:
    """The eight cells in their order; M1 ends on day 42, the adjuvant window on day 90 (EP-07, TX-02)."""
    participant = worlds.enrolled(world)
    found = pages.completeness([participant], SURGERY + timedelta(days=day))[participant.uuid]
    assert [cell.key for cell in found] == ["consent", "phases", "slide", "pathology", "baseline", "sealed", "treatment", "visits"]
    assert {cell.key: cell.state for cell in found if cell.key in expected} == expected


def test_finished_cells_carry_their_day_and_visits_their_count(world: World) -> None:
    participant = worlds.enrolled(world)
    for kind, day in ((MilestoneKind.SEALED, 17), (MilestoneKind.NO_ADJUVANT_DECLARED, 90), (MilestoneKind.VISIT_DONE, 33)):
        happen(participant, kind, day, world.system)
    cells = {cell.key: cell for cell in pages.completeness([participant], SURGERY + timedelta(days=100))[participant.uuid]}
    assert (cells["sealed"].state, cells["sealed"].on) == ("done", SURGERY + timedelta(days=17))
    assert (cells["treatment"].state, cells["treatment"].on) == ("done", SURGERY + timedelta(days=90))
    assert (cells["visits"].state, cells["visits"].done, cells["visits"].of) == ("done", 1, 1)


def test_baseline_cell_counts_the_values_recorded(world: World) -> None:
    """n of m, and done when the protocol asks for nothing more; what was attested at screening does not count."""
    participant = worlds.enrolled(world)
    asked = [participant.study.dictionary.item(code) for code in participant.study.protocol.baseline]
    told = []
    for texts in ({}, {"afp": "20"}, {item.code: item.options[0].code if item.options else "1" for item in asked} | {"albumin": "ND"}):
        entry.record_texts(participant=participant, texts=texts, by=world.coordinator)
        cell = pages.completeness([participant], SURGERY)[participant.uuid][4]
        told.append((cell.state, cell.done, cell.of))
    assert told == [("missing", 0, len(asked)), ("missing", 1, len(asked)), ("done", len(asked), len(asked))]
