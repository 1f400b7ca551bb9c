"""kill -9 at any moment: whatever was answered 0x0000 arrives exactly once, with the same samples (NW-08).

`make test` runs a few schedules, `make soak` SOAK more with PRIME_SOAK_INSTANCES (500) images each.
"""

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread

from imaging.edge import pseudonyms
from imaging.edge.home import Home
from tests.imaging.edge import sender
from tests.imaging.edge.parts import EdgeProcess, Platform, pixel_hash, rows, until

Start = Callable[..., EdgeProcess]
SHORT, SOAK = 6, 200
VICTIMS = ("both", "receiving", "working")
INSTANCES, SOAK_INSTANCES = 50, int(os.environ.get("PRIME_SOAK_INSTANCES", "500"))


def check_exactly_once(home: Home, platform: Platform, count: int, acknowledged: Path) -> None:
    """Wait until nothing is on its way any more, then count what is where."""
    on_way = "SELECT count(*) FROM object WHERE state IN ('waiting', 'packing', 'packed')"
    until(lambda: not list(home.spool.iterdir()) and rows(home, on_way) == [(0,)], "everything archived", 60 + count)
    arrived = [dcmread(path) for path in platform.objects()]
    samples = {pseudonyms.keyed_uid(home.center_key, image.SOPInstanceUID): pixel_hash(image) for image in sender.images(count)}
    counted = Counter(str(image.SOPInstanceUID) for image in arrived)
    promised = {pseudonyms.keyed_uid(home.center_key, uid) for uid in acknowledged.read_text().split()}
    assert len(promised) == count
    assert promised <= counted.keys(), "an acknowledged instance is lost"
    assert set(counted.values()) == {1}, "an instance arrived twice"
    assert {str(image.SOPInstanceUID): pixel_hash(image) for image in arrived} == samples
    assert not list(home.quarantine.iterdir())
    until(lambda: not [path for path in home.outbox.rglob("*") if path.is_file()], "outbox purged")
    numbers = sorted(opened.manifest["seq"] for opened in platform.opened.values())
    assert numbers == list(range(1, len(numbers) + 1)), "a package number is missing"


@pytest.mark.parametrize(
    ("seed", "count"),
    [
        *((seed, INSTANCES) for seed in range(SHORT)),
        *(pytest.param(SHORT + seed, SOAK_INSTANCES, marks=pytest.mark.soak) for seed in range(SOAK)),
    ],
)
def test_kill_at_random_moments_loses_and_doubles_nothing(  # noqa: PLR0917 - fixtures and parameters
    edge_home: Home, platform: Platform, start_edge: Start, tmp_path: Path, seed: int, count: int
) -> None:
    """Seed by seed all of the edge is killed, or only one half, which comes back by itself and must find the other one's work in order."""
    chance, victim = random.Random(seed), VICTIMS[seed % len(VICTIMS)]
    edge = start_edge(edge_home)
    pacs = sender.start(edge_home.directory / "running.json", count, tmp_path / "acknowledged")
    until((tmp_path / "acknowledged").exists, "the sender sends")
    for _ in range(2):
        time.sleep(chance.uniform(0.05, 1.0))
        if victim == "both":
            edge.kill()
            edge.start()
        else:
            edge.kill_half(victim)
    assert pacs.wait(timeout=60 + count) == 0
    check_exactly_once(edge_home, platform, count, tmp_path / "acknowledged")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.parametrize(("call", "when"), [
    ("fdatasync", 3),
    ("link,linkat", 2),
    ("link,linkat", 4),
    ("rename", 2),
    ("fsync", 3),
    ("unlink", 2),
    ("unlink", 5),
    ("pwrite64", 40),
    ("sendto", 6),
])  # fmt: skip
def test_kill_at_a_system_call_loses_and_doubles_nothing(  # noqa: PLR0917 - fixtures and parameters
    edge_home: Home, platform: Platform, start_edge: Start, tmp_path: Path, call: str, when: int
) -> None:
    """SIGKILL of a half on entry of the n-th such call: between sync, rename, directory sync, commit, removal and answer."""
    inject = ("strace", "-f", "-q", "-o", str(tmp_path / "trace"), "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={when}")
    edge = start_edge(edge_home, under=inject, wait=False)
    pacs = sender.start(edge_home.directory / "running.json", 12, tmp_path / "acknowledged")
    until(lambda: killed_by(tmp_path / "trace"), f"a half is killed at {call} {when}", 180)
    edge.kill()
    edge.under = ()
    edge.start()
    assert pacs.wait(timeout=60) == 0
    check_exactly_once(edge_home, platform, 12, tmp_path / "acknowledged")


def killed_by(trace: Path) -> bool:
    """Whether strace has killed a process by now."""
    return trace.exists() and "+++ killed by SIGKILL +++" in trace.read_text(errors="replace")
