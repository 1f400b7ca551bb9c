"""The write functions under the site's real database logins, which own nothing (AU-02, SE-09)."""

from datetime import date

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts import audit, scope
from studies import milestones, screening
from studies.models import Milestone, Participant, Screening
from studies.vocabulary import MilestoneKind
from tests.site_login import signed_in_as
from tests.studies import world as worlds

pytestmark = pytest.mark.django_db(transaction=True)


def test_site_screens_enrols_and_leaves_a_trail_it_cannot_write_itself() -> None:
    """The history names the login that wrote, and the login has no way to write history."""
    world = worlds.build()
    assert world.coordinator.pk
    with signed_in_as("web"), scope.within_reach_of(world.coordinator):
        participant = worlds.enrolled(world)
        assert [event.pgh_context["login"] for event in audit.history(participant)] == ["prime_web"]
        line = screening.amend(screening=worlds.screened(world), age_at_surgery=60, reason="typing error", by=world.coordinator)
        assert line.number == 2
        for statement in ("DELETE FROM studies_screening", "INSERT INTO studies_screeningevent SELECT * FROM studies_screeningevent"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
        assert (Screening.objects.count(), Participant.objects.count()) == (2, 1)


@pytest.mark.parametrize("login", ["worker", "infer"])
def test_machines_report_milestones(login: str) -> None:
    """A login that may change no participant can still say that something happened to one."""
    world = worlds.build()
    participant = worlds.enrolled(world)
    with signed_in_as(login), transaction.atomic(), audit.act(by=world.system, action="batch.sealed"):
        milestones.record(participant=participant, kind=MilestoneKind.SEALED, on=date(2026, 3, 20), by=world.system)
    assert Milestone.objects.filter(kind=MilestoneKind.SEALED).count() == 1
