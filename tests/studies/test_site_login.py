"""The write functions under the site's real database logins, which own nothing (AU-02, SE-09)."""

from collections.abc import Callable, Iterator
from datetime import date
from urllib.parse import unquote, urlsplit

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts import audit
from studies import milestones, screening
from studies.models import Milestone, Participant, Screening
from studies.vocabulary import MilestoneKind
from tests import cluster
from tests.studies import world as worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sign_in_as() -> Iterator[Callable[[str], None]]:
    """Let Django's own connection be that of another login; the owner comes back afterwards."""
    owner = dict(connection.settings_dict)

    def use(login: str) -> None:
        url = urlsplit(cluster.urls()[login])
        connection.settings_dict |= {"USER": url.username, "PASSWORD": unquote(url.password or "")}
        connection.close()

    yield use
    connection.settings_dict.update(owner)
    connection.close()


def test_site_screens_enrols_and_leaves_a_trail_it_cannot_write_itself(sign_in_as: Callable[[str], None]) -> None:
    """The history names the login that wrote, and the login has no way to write history."""
    world = worlds.build()
    assert world.coordinator.pk
    sign_in_as("web")
    participant = worlds.enrolled(world)
    assert [event.pgh_context["login"] for event in audit.history(participant)] == ["prime_web"]
    line = screening.amend(screening=worlds.screened(world), age_at_surgery=60, reason="typing error", by=world.coordinator)
    assert line.number == 2
    for statement in ("DELETE FROM studies_screening", "INSERT INTO studies_screeningevent SELECT * FROM studies_screeningevent"):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert (Screening.objects.count(), Participant.objects.count()) == (2, 1)


@pytest.mark.parametrize("login", ["worker", "infer"])
def test_machines_report_milestones(sign_in_as: Callable[[str], None], login: str) -> None:
    """A login that may change no participant can still say that something happened to one."""
    world = worlds.build()
    participant = worlds.enrolled(world)
    sign_in_as(login)
    with transaction.atomic(), audit.act(by=world.system, action="batch.sealed"):
        milestones.record(participant=participant, kind=MilestoneKind.SEALED, on=date(2026, 3, 20), by=world.system)
    assert Milestone.objects.filter(kind=MilestoneKind.SEALED).count() == 1
