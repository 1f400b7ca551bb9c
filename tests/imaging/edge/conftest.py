"""A platform and an edge, each real, ended after the test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from imaging.edge.home import Home
from tests.imaging.edge.parts import EdgeProcess, Platform, make_home


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    (tmp_path / "platform").mkdir()
    made = Platform(tmp_path / "platform")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def edge_home(tmp_path: Path, platform: Platform) -> Home:
    return make_home(tmp_path / "edge", platform)


@pytest.fixture
def start_edge() -> Iterator[Callable[..., EdgeProcess]]:
    started: list[EdgeProcess] = []

    def start(home: Home, **options: Any) -> EdgeProcess:
        started.append(EdgeProcess(home, **options))
        return started[-1]

    yield start
    for edge in started:
        if edge.process.poll() is None:
            edge.kill()
