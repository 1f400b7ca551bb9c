"""Who somebody is stays at the hospital, whatever hides in the files; and years and restarts later he is still the same (DI-02, DI-05)."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from pytest_django.live_server_helper import LiveServer

from imaging import ingest
from imaging.edge import state
from imaging.edge.exchange import Exchange
from imaging.edge.forward import Forwarder
from imaging.edge.home import Home
from imaging.models import Instance, Series
from tests.imaging import edges
from tests.imaging import world as worlds
from tests.imaging.edge.parts import ct, link, rows
from tests.imaging.edge.test_deidentify import CANARY, poisoned
from tests.imaging.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def made(var: Path, live_server: LiveServer) -> World:
    return worlds.build()


@pytest.fixture
def edge_home(made: World, live_server: LiveServer, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return edges.registered(made, live_server.url, tmp_path_factory.mktemp("hospital") / "edge")


def archived(home: Home) -> None:
    """Send what is sealed, open it, and believe the receipts."""
    with closing(state.connect(home.database)) as connection:
        forwarder = Forwarder(home, connection, Exchange(home))
        forwarder.step()
        ingest.sweep()
        forwarder.step()
        assert not rows(home, "SELECT * FROM package WHERE state <> 'archived'"), forwarder.fault


def dumped() -> bytes:
    """Every row of every table of the platform, as text."""
    said = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            said += [row[0] for row in cursor.fetchall()]
    return "\n".join(said).encode().lower()


@pytest.mark.filterwarnings("ignore")  # of pydicom, which an edge silences when it starts: they quote values
def test_no_canary_reaches_package_archive_database_or_log(
    made: World, edge_home: Home, var: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    source = tmp_path_factory.mktemp("disc")
    for number in range(2):
        (source / f"{CANARY.decode()}-{number}.dcm").write_bytes(poisoned(ct(number), levels=1, without=frozenset({"NumberOfFrames"})))
    link(edge_home, made.enrol().study_number, CANARY.decode(), name=CANARY.decode())
    caplog.set_level("DEBUG")
    assert edges.packed(edge_home, source) == []
    for package in edge_home.outbox.iterdir():
        assert CANARY.lower() not in package.read_bytes().lower()
    archived(edge_home)
    assert Instance.objects.count() == 2
    files = [path for path in var.rglob("*") if path.is_file()]
    assert len(files) >= 2
    for path in files:
        assert CANARY.lower() not in path.read_bytes().lower(), path
        assert CANARY.decode().lower() not in str(path.relative_to(var)).lower()
    said = dumped()
    assert len(said) > 10_000
    for canary in (CANARY.lower(), CANARY.hex().encode(), CANARY.lower().hex().encode()):
        assert canary not in said
    assert CANARY.decode().lower() not in caplog.text.lower()
    assert not list(edge_home.spool.iterdir()), "nor does an original stay behind at the hospital"


def test_two_halves_of_a_study_months_and_restarts_apart_are_one_series(
    made: World, edge_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    link(edge_home, made.enrol().study_number, "P1")
    images = [ct(number, patient="P1") for number in range(6)]
    first = edges.saved_all(images[:3], tmp_path_factory.mktemp("a") / "disc")
    assert edges.packed(edge_home, first, at=datetime(2026, 3, 2, tzinfo=UTC)) == []
    archived(edge_home)
    later = Home(edge_home.directory)  # another process, eight months later, knows what lies on the disk and nothing else
    second = edges.saved_all(images[2:], tmp_path_factory.mktemp("b") / "disc")
    assert edges.packed(later, second, at=datetime(2026, 11, 2, tzinfo=UTC)) == []
    archived(later)
    series = Series.objects.get()
    assert (series.instances.count(), series.revision) == (6, 2)
    assert rows(later, "SELECT count(*) FROM resend") == [(1,)]
    assert rows(later, "SELECT state, made_at FROM package ORDER BY seq") == [
        ("archived", "2026-03-02T00:00:00Z"), ("archived", "2026-11-02T00:00:00Z"),
    ]  # fmt: skip


def test_three_patient_numbers_of_one_person_become_one_pseudonym(
    made: World, edge_home: Home, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """E: PatientID is an imaging number that changes with every visit; a CD from outside has another one, by its own issuer."""
    number = made.enrol().study_number
    visits: list[Any] = [
        ct(1, patient="IMG-2025-17", study="1.6.1", series="1.6.1.1"),
        ct(2, patient="IMG-2026-03", study="1.6.2", series="1.6.2.1"),
        ct(3, patient="17", study="1.6.3", series="1.6.3.1", IssuerOfPatientID="OTHER HOSPITAL"),
    ]
    for visit, issuer in zip(visits, ("", "", "OTHER HOSPITAL"), strict=True):
        link(edge_home, number, visit.PatientID, issuer=issuer, kind="outside" if issuer else "imaging")
    assert edges.packed(edge_home, edges.saved_all(visits, tmp_path_factory.mktemp("c") / "disc")) == []
    archived(edge_home)
    assert {series.participant.study_number for series in Series.objects.all()} == {number}
    assert Series.objects.count() == 3
    said = dumped()
    for visit in visits[:2]:
        assert visit.PatientID.lower().encode() not in said
    assert b"other hospital" not in said
