"""The world of these tests: a state directory of their own, a study with two centers, one participant."""

from pathlib import Path

import numpy as np
import pytest

from studies.models import Participant
from tests.imaging import readings
from tests.imaging import world as worlds


@pytest.fixture
def var(tmp_path: Path, settings: object) -> Path:
    """An empty state directory."""
    settings.VAR = tmp_path  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture
def world(db: None, var: Path) -> worlds.World:
    return worlds.build()


@pytest.fixture
def participant(world: worlds.World) -> Participant:
    return world.enrol()


@pytest.fixture
def tables(world: worlds.World) -> dict[str, np.ndarray]:
    """Participants whose tumours were outlined by two readers and by one twice: see `readings.outlined_twice`."""
    return readings.outlined_twice(world)
