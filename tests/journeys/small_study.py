"""A study of a few people in the database of an installation, and the directory of its center's edge; run by its operator."""

import json

from django.conf import settings

from prime_platform.embedded import keys, state
from tests import world as worlds

CODE, CENTER, UID_BASE = "JOURNEY", "01", 64100


def make(*, url: str, patients: int) -> None:
    """Make the study, `patients` participants of its first center and the platform's keys; print their study numbers as JSON."""
    world = worlds.build(code=CODE)
    numbers = [worlds.enrolled(world, CENTER).study_number for _ in range(patients)]
    who = state.identities(settings.BASE_DIR, UID_BASE)
    keys.ensure(settings.VAR, who, study=CODE, url=url)
    edge = settings.VAR / "edge" / CENTER
    edge.mkdir(mode=0o700)
    state.give(edge, who, "edge")
    print(json.dumps(numbers))
