"""Milestones: append-only, closed vocabularies, cancelling (docs/formats.md j)."""

from datetime import date
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from studies import milestones
from studies.models import Milestone, Participant
from studies.vocabulary import CENTER_MILESTONES, PARTICIPANT_MILESTONES, MilestoneKind
from tests.studies import world as worlds
from tests.studies.world import World

DAY = date(2026, 4, 1)


@pytest.fixture
def participant(world: World) -> Participant:
    return worlds.enrolled(world)


def record(participant: Participant, by: User, kind: str = MilestoneKind.VISIT_DONE, on: date = DAY, **more: object) -> Milestone:
    with transaction.atomic(), audit.act(by=by, action="test"):
        return milestones.record(participant=participant, kind=kind, on=on, by=by, **more)  # type: ignore[arg-type]


def in_force(participant: Participant) -> list[tuple[str, date]]:
    rows = milestones.in_force().filter(participant=participant).exclude(kind__in=["screened", "consented", "enrolled"])
    return list(rows.order_by("pk").values_list("kind", "on"))


def test_recorded_twice_it_stands_once(world: World, participant: Participant) -> None:
    """RL-02: a task that runs twice leaves one milestone; another reference is another fact."""
    ref = uuid4()
    assert record(participant, world.system, ref=ref) == record(participant, world.system, ref=ref)
    record(participant, world.system, ref=uuid4())
    assert len(in_force(participant)) == 2


def test_rows_of_one_transaction_carry_one_time(world: World, participant: Participant) -> None:
    """blinding §3: a batch has one time stamp, so that no order within it can be read."""
    other = worlds.enrolled(world)
    with transaction.atomic(), audit.act(by=world.system, action="test"):
        batch = [milestones.record(participant=who, kind=MilestoneKind.SEALED, on=DAY, by=world.system) for who in (participant, other)]
    assert len({row.recorded_at for row in batch}) == 1


def test_cancelled_row_gives_way_to_the_one_that_names_it(world: World, participant: Participant) -> None:
    first = record(participant, world.system)
    second = record(participant, world.system, on=date(2026, 4, 2), cancels=first)
    assert in_force(participant) == [("visit_done", date(2026, 4, 2))]
    with pytest.raises(NotAllowedNow):
        record(participant, world.system, on=date(2026, 4, 3), cancels=first)
    with transaction.atomic(), audit.act(by=world.system, action="test"):
        milestones.retract(milestone=second, by=world.system)
    assert in_force(participant) == []
    record(participant, world.system)
    assert in_force(participant) == [("visit_done", DAY)]


@pytest.mark.parametrize("statement", ["UPDATE {} SET kind = 'death'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_rows_are_append_only(world: World, participant: Participant, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), audit.act(by=world.system, action="test"):
            cursor.execute(statement.format("studies_milestone"))


def test_sealed_carries_the_batch_date_and_nothing_else(world: World, participant: Participant) -> None:
    """blinding §3: no reference, no link; refused by the function and by the database."""
    assert record(participant, world.system, MilestoneKind.SEALED).on == DAY
    for more in ({"ref": uuid4()}, {"url_name": "participant"}):
        with pytest.raises(ValidationError):
            record(participant, world.system, MilestoneKind.SEALED, date(2026, 4, 9), **more)
    row = _bare(world, participant=participant, kind=MilestoneKind.SEALED, ref_uuid=uuid4())
    with pytest.raises(IntegrityError, match="sealed_leads_nowhere"), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.save()


def test_kinds_fit_their_subject(world: World, participant: Participant) -> None:
    """Closed vocabularies: center kinds for centers, the others for participants, never both, never neither."""
    wrong = [
        *({"participant": participant, "kind": kind} for kind in CENTER_MILESTONES),
        *({"center": world.own, "kind": kind} for kind in PARTICIPANT_MILESTONES),
        {"participant": participant, "center": world.own, "kind": MilestoneKind.DEATH},
        {"kind": MilestoneKind.DEATH},
        {"participant": participant, "kind": "remission"},
    ]
    for fields in wrong:
        with pytest.raises(IntegrityError), transaction.atomic(), audit.act(by=world.system, action="test"):
            _bare(world, **fields).save()


def test_milestone_of_one_participant_cannot_cancel_anothers(world: World, participant: Participant) -> None:
    theirs = record(worlds.enrolled(world), world.system)
    row = _bare(world, participant=participant, kind=MilestoneKind.VISIT_DONE, cancels=theirs)
    with pytest.raises(IntegrityError, match="cancels"), transaction.atomic(), audit.act(by=world.system, action="test"):
        row.save()


def _bare(world: World, **fields: object) -> Milestone:
    return Milestone(on=DAY, recorded_at=timezone.now(), recorded_by=world.system, **fields)  # type: ignore[misc]
