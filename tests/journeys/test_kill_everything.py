"""kill -9 of edge, worker, PostgreSQL and web while images come: whatever was answered 0x0000 is archived, once (NW-08, NW-11, RL-05).

`make soak` kills 500 times; PRIME_SOAK_SEEDS says how often it does that.
"""

import contextlib
import hashlib
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from imaging.edge import keys, pseudonyms
from tests.imaging.edge.parts import LOCAL_ID, pixel_hash, until
from tests.journeys import pacs
from tests.journeys.hospital import PROGRAMS, Hospital, parent

pytestmark = pytest.mark.journey
SEEDS = int(os.environ.get("PRIME_SOAK_SEEDS", "1"))
PER_KILL = pacs.SERIES
RESTART, SETTLE = 90.0, 180.0
_first = itertools.count(0, 100_000)


class Push:
    """A push that runs on its own: its images, and what was acknowledged so far."""

    def __init__(self, hospital: Hospital, count: int, directory: Path) -> None:
        self.first, self.count, self.file = next(_first), count, directory / "acknowledged"
        directory.mkdir(exist_ok=True)
        self.file.touch()
        self.process = pacs.start(hospital.edge / "running.json", self.first, count, self.file)

    def acknowledged(self) -> list[str]:
        return self.file.read_text().split()


@pytest.fixture
def linked(hospital: Hospital) -> Hospital:
    """The hospital with its PACS allowed and its patient linked; linking again changes nothing."""
    hospital.manage("edge", "peer", "add", "STORESCU")
    hospital.manage("edge", "link", hospital.numbers[0], LOCAL_ID)
    return hospital


@pytest.mark.parametrize(("seed", "kills"), [
    (1, 10),
    *(pytest.param(seed, 500, marks=pytest.mark.soak) for seed in range(2, 2 + SEEDS)),
])  # fmt: skip
def test_killed_parts_lose_and_double_nothing(linked: Hospital, tmp_path: Path, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    push = Push(linked, kills * PER_KILL, tmp_path)
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 1.6))
        victim = chance.choice(sorted(PROGRAMS))
        os.kill(until(lambda part=victim: linked.child(part), f"{victim} is back", RESTART), signal.SIGKILL)
    check_exactly_once(linked, push)


@pytest.mark.parametrize("outages", [3, pytest.param(20, marks=pytest.mark.soak)])
def test_push_goes_on_while_the_database_does_not_answer(linked: Hospital, tmp_path: Path, outages: int) -> None:
    """NW-11: PostgreSQL is stopped with all its sessions, goes on, and is killed; each time a series is acknowledged meanwhile."""
    pushes = []
    for number in range(outages):
        until(lambda: linked.child("postgres"), "PostgreSQL is back", RESTART)
        with stopped(linked):
            pushes.append(Push(linked, 3 * PER_KILL, tmp_path / str(number)))
            until(lambda: len(pushes[-1].acknowledged()) >= PER_KILL, "the push goes on")
        os.kill(linked.child("postgres"), signal.SIGKILL)
        until(lambda: len(pushes[-1].acknowledged()) >= 2 * PER_KILL, "the push goes on")
    check_exactly_once(linked, *pushes)


@contextlib.contextmanager
def stopped(hospital: Hospital) -> Iterator[None]:
    """SIGSTOP the server and every session of it; SIGCONT afterwards."""
    server = hospital.child("postgres")
    everyone = [server, *(pid for pid in hospital.platform.processes() if parent(pid) == server)]
    for pid in everyone:
        tell(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(everyone):
            tell(pid, signal.SIGCONT)


def tell(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def check_exactly_once(hospital: Hospital, *pushes: Push) -> None:
    """Wait until nothing is on its way, then count what is where."""
    for push in pushes:
        assert push.process.wait(timeout=SETTLE + push.count) == 0
    until(lambda: arrived(hospital), "everything archived", SETTLE + pushes[-1].count)
    key = keys.read_key(hospital.edge / "keys" / "center.key")
    images = [image for push in pushes for image in pacs.images(push.first, push.count)]
    sent = {pseudonyms.keyed_uid(key, image.SOPInstanceUID): pixel_hash(image) for image in images}
    promised = {pseudonyms.keyed_uid(key, uid) for push in pushes for uid in push.acknowledged()}
    assert promised == sent.keys(), "everything was acknowledged in the end"
    known = "select i.sop_instance_uid, o.sha256 from imaging_instance i join imaging_archivedobject o on o.id = i.object_id"
    archived = [row for row in hospital.rows(known) if row[0] in sent]
    assert Counter(uid for uid, _ in archived) == Counter(sent.keys()), "each instance exactly once"
    assert len({sha256 for _, sha256 in archived}) == len(sent), "each object of its own"
    assert {uid: stored_pixels(hospital, sha256) for uid, sha256 in archived} == sent
    check_nothing_is_left(hospital)
    assert "everything holds" in hospital.manage("verify")


def arrived(hospital: Hospital) -> bool:
    """Whether spool, outbox and inbox are empty and no instance waits."""
    hospital.platform.wait_until_ready()
    said = hospital.edge_status()
    return bool(said) and not said["spool"] and not said["outbox"] and not set(said["objects"]) - {"archived", "quarantined"}


def stored_pixels(hospital: Hospital, sha256: str) -> str:
    """The hash of the samples of an archived object, whose own hash must be its name."""
    path = hospital.var / "archive" / sha256[:2] / sha256
    assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256
    return pixel_hash(dcmread(path))


def check_nothing_is_left(hospital: Hospital) -> None:
    """No conflict, refusal, quarantine, doubled milestone, missing package number, or half-written file."""
    assert hospital.edge_status()["quarantine"] == {}
    assert hospital.rows("select count(*) from imaging_instanceconflict") == [(0,)]
    packages = hospital.rows("select seq, state from imaging_package order by seq")
    assert packages == [(number, "archived") for number in range(1, len(packages) + 1)]
    doubled = "select ref_uuid from studies_milestone where kind = 'series_received' group by ref_uuid having count(*) > 1"
    assert hospital.rows(doubled) == []
    files = list((hospital.var / "archive").glob("??/*"))
    assert {path.suffix for path in files} == {""}, "a half-written file"
    known = {sha256 for (sha256,) in hospital.rows("select sha256 from imaging_archivedobject where media_type = 'application/dicom'")}
    assert {path.name for path in files if path.read_bytes()[128:132] == b"DICM"} == known
