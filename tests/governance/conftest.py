"""Fixtures of the conduct of a study."""

import pytest

from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()
