"""What the clock asks for, done as the worker does it: under its own login, which owns nothing (SE-09, RL-01)."""

from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from prime_platform.celery import BEAT, app
from studies.models import CheckRun, Query
from studies.vocabulary import CheckRunStatus
from tests import world as worlds
from tests.gates.test_addresses import objects_at
from tests.site_login import signed_in_as

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(tmp_path: Path, settings: Any) -> worlds.World:
    """A hospital with one participant who has something of everything, and an empty inbox."""
    app.loader.import_default_modules()
    settings.VAR = tmp_path
    (tmp_path / "inbox").mkdir()
    world = worlds.build()
    with transaction.atomic():
        objects_at(world, "01", worlds.enrolled(world, "01"), tmp_path)
    return world


@pytest.mark.parametrize("name", BEAT)
def test_worker_may_do_what_the_clock_asks_for(site: worlds.World, name: str) -> None:
    """Twice: the first time there is something to do, the second time nothing."""
    with signed_in_as("worker"):
        app.tasks[name]()
        app.tasks[name]()


def test_checks_are_run_daily_and_their_queries_raised(site: worlds.World) -> None:
    """A recurrence five days after surgery, and TACE beside a declaration that nothing was given; the next run is due in a day."""
    with signed_in_as("worker"):
        app.tasks["studies.tasks.sweep_checks"]()
        app.tasks["studies.tasks.sweep_checks"]()
    run = CheckRun.objects.get()
    assert (run.status, run.done, run.total) == (CheckRunStatus.DONE, 1, 1)
    assert set(Query.objects.exclude(rule="").values_list("rule", flat=True)) == {"DECLARED_NONE_BUT_TREATED", "RECURRENCE_EARLY"}
