"""`python -m tests.journeys.small_study UID_BASE PATIENTS`: the state directory of PRIME_VAR before its first `up`.

Tables, a study with `PATIENTS` participants at its first center, the platform's keys, and that center's edge, registered; made in one
process because a start of the whole platform takes longer. Its last line is the study numbers as JSON.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.core.management import call_command

from prime_platform.embedded import broker, logins, postgres, state

if TYPE_CHECKING:
    from studies.models import Study

CODE, CENTER = "JOURNEY", "01"


Maker = Callable[..., list[str]]
"""Makes a study: `make(var, who, patients=…)`, its participants' study numbers."""


def prepare(var: Path, who: state.Identities, *, patients: int, make: Maker) -> list[str]:
    """Serve the database for as long as the study is made; the study numbers of its participants."""
    state.lay_out(var, who)
    cluster = postgres.Cluster(var / "pg", uid=who.uid("pg"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(postgres.held(cluster))
        postgres.prepare(cluster)
        stack.callback(postgres.stop, postgres.start(cluster))
        urls = logins.ensure(cluster, var / "secrets")
        broker.install(urls["broker"])
        os.environ |= {"DATABASE_URL": urls["owner"], "CELERY_BROKER_URL": urls["broker"], "SECRET_KEY": state.secret_key(var)}
        django.setup()
        call_command("migrate", verbosity=0)
        call_command("grants", verbosity=0)
        return make(var, who, patients=patients)


def make(var: Path, who: state.Identities, *, patients: int) -> list[str]:
    """The study and the edge, by the functions that the pages and commands use."""
    from tests import world as worlds

    world = worlds.build(code=CODE, anew=True)
    equip(world.study, var, who)
    return [worlds.enrolled(world, CENTER).study_number for _ in range(patients)]


def equip(study: "Study", var: Path, who: state.Identities) -> None:
    """The platform's keys, and the edge of the study's first center, registered."""
    from django.conf import settings

    from accounts.models import User
    from imaging import gateways
    from imaging.edge import home
    from prime_platform.embedded import keys

    url = f"http://127.0.0.1:{settings.PRIME_HTTP_PORT}"
    platform = keys.ensure(var, who, study=study.code, url=url).read_bytes()
    edge = var / "edge" / CENTER
    document = home.make(edge, center=CENTER, platform=platform, approval="2026-12")
    state.give(edge, who, "edge")
    gateways.register(study=study, document=document, by=User.objects.system())


def run(make: Maker) -> None:
    """Do what the command line asks for, with the study that `make` makes."""
    os.umask(0o077)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prime_platform.settings")
    checkout = Path(__file__).resolve().parents[2]
    found = state.identities(checkout, int(sys.argv[1]))
    print(json.dumps(prepare(Path(os.environ["PRIME_VAR"]), found, patients=int(sys.argv[2]), make=make)))


if __name__ == "__main__":
    run(make)
