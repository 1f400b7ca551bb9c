"""A sender, a real edge, the real site over HTTP and the worker's sweeps: the whole way of an image (NW-08, NW-11)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from accounts.models import Heartbeat, User
from imaging import assessment, gateways, inbox, ingest
from imaging.edge import home as homes
from imaging.edge import keys, peers
from imaging.edge.home import Home
from imaging.models import Instance, Package, Series
from studies import study_number
from tests.imaging import world as worlds
from tests.imaging.edge.parts import EdgeProcess, ct, link, rows, send, until
from tests.imaging.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(var: Path, live_server: LiveServer) -> World:
    return worlds.build()


@pytest.fixture
def edge_home(made: World, live_server: LiveServer, tmp_path: Path) -> Home:
    """An edge of center 01 that was made from the platform's description and registered by its own file."""
    described: dict[str, Any] = {
        "v": 1, "study": made.study.code, "url": live_server.url, "package": keys.to_text(keys.package_public_bytes(made.package_key)),
        "receipt_stored": keys.to_text(made.public["stored"]), "receipt_archived": keys.to_text(made.public["archived"]),
    }  # fmt: skip
    directory = tmp_path / "edge"
    homes.make(directory, center="01", platform=json.dumps(described).encode(), approval="2026-001")
    document = json.loads((directory / "gateway.json").read_bytes())
    gateways.register(study=made.study, document=document, by=User.objects.system())
    settings = json.loads((directory / "edge.json").read_bytes()) | {"quiet_seconds": 0.3, "reserve_bytes": 0}
    (directory / "edge.json").write_text(json.dumps(settings))
    peers.add(directory / "peers.json", ae_title="STORESCU", addresses=[])
    return Home(directory)


@pytest.fixture
def edge(edge_home: Home) -> Iterator[EdgeProcess]:
    running = EdgeProcess(edge_home)
    yield running
    running.kill()


def worked(done: Callable[[], bool]) -> bool:
    """One round of the worker, then the question."""
    ingest.sweep()
    return done()


def test_pushed_images_are_archived_and_purged_at_the_hospital(made: World, edge: EdgeProcess) -> None:
    """NW-08: 0x0000 to the sender; the edge lets go only after the platform's signed `archived`."""
    number = made.enrol().study_number
    link(edge.home, number, "P000123")
    assert send(edge.port, [ct(i) for i in range(12)]) == [0] * 12
    until(lambda: worked(lambda: rows(edge.home, "SELECT state FROM package") == [("archived",)]), "archived and believed")
    until(lambda: not list(edge.home.spool.iterdir()) and not list(edge.home.outbox.iterdir()), "purged at the hospital")
    assessment.sweep()
    series = Series.objects.get()
    assert (series.participant.study_number, series.verdict, series.phase_proposed) == (number, "regular", "arterial")
    assert Instance.objects.count() == 12
    until(lambda: Heartbeat.objects.filter(name="edge:01").exists(), "heartbeat")


def test_refused_package_tells_the_hospital_why(made: World, edge: EdgeProcess) -> None:
    """EN-05: a link to a number that nobody has: refused with its reason; the originals stay at the hospital."""
    link(edge.home, study_number.make("01", 999), "P000123")
    assert send(edge.port, [ct(1)]) == [0]
    until(lambda: worked(lambda: rows(edge.home, "SELECT state, reason FROM package") == [("refused", "unknown_participant")]), "refused")
    assert list(edge.home.spool.iterdir())
    assert Package.objects.get().state == "refused"


def test_package_altered_on_the_platform_is_refused_though_never_opened(made: World, edge: EdgeProcess) -> None:
    """NW-08: the ciphertext rots in the inbox; the receipt cannot know the package's number, and is believed."""
    number = made.enrol().study_number
    link(edge.home, number, "P000123")
    send(edge.port, [ct(1)])
    until(lambda: Package.objects.filter(state="stored").exists(), "stored")
    [path] = inbox.directory().glob("*.package")
    path.write_bytes(path.read_bytes()[:-1])
    until(lambda: worked(lambda: rows(edge.home, "SELECT state, reason FROM package") == [("refused", "not_a_package")]), "refused")
