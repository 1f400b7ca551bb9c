"""What the tests of predictions begin with."""

from pathlib import Path
from typing import Any

import pytest

from tests import world
from tests.predictions import sealed_world


@pytest.fixture
def site(db: None, tmp_path: Path, settings: Any) -> world.World:
    """A study with a locked model of tier 0, and a state directory of its own."""
    settings.VAR = tmp_path
    site = world.build()
    sealed_world.prepare(site)
    return site
