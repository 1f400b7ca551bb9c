"""A disk that turns read-only under a running edge, as ext4 does after an error: said clearly, nothing acknowledged lost (NW-05, RL-06)."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import dcmread

from imaging.edge.home import Home
from tests.imaging.edge.parts import REPOSITORY, EdgeProcess, Platform, ct, make_home, pixel_hash, rows, send, until

pytestmark = pytest.mark.skipif(
    os.getuid() != 0 or not all(map(shutil.which, ("mount", "mkfs.ext4"))), reason="needs root to mount a disk of its own"
)
TAKEN, LATER = 40, 5


class Disk:
    """An ext4 file system with a journal in a file; what it held before a fault is what its journal brings back."""

    def __init__(self, directory: Path) -> None:
        self.image, self.place = directory / "disk.ext4", directory / "disk"
        self.place.mkdir()
        with self.image.open("wb") as file:
            file.truncate(64 * 2**20)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True)

    def mount(self) -> None:
        if subprocess.run(["mount", "-o", "loop", str(self.image), str(self.place)], check=False, capture_output=True).returncode:
            pytest.skip("mounting is not allowed here")

    def fail(self) -> None:
        """What the kernel does on an I/O error in the journal: read-only at once, whoever has files open."""
        subprocess.run(["mount", "-o", "remount,abort", str(self.place)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path)
    made.mount()
    yield made
    with contextlib.suppress(subprocess.CalledProcessError):
        made.unmount()


@pytest.fixture
def home_on_disk(disk: Disk, platform: Platform) -> Home:
    return make_home(disk.place / "edge", platform)


def test_disk_that_turns_read_only_is_said_and_loses_nothing(
    disk: Disk, home_on_disk: Home, platform: Platform, start_edge: Callable[..., EdgeProcess]
) -> None:
    """0xA701, then no association at all, and /healthz says so; mounted again, each image that was answered 0x0000 arrives once."""
    home, images = home_on_disk, [ct(number, series=f"1.2.3.{number % 3}") for number in range(TAKEN + LATER)]
    edge = start_edge(home)
    assert send(edge.port, images[:TAKEN]) == [0] * TAKEN
    disk.fail()
    assert send(edge.port, images[TAKEN:]) == [0xA701] * LATER
    assert send(edge.port, images[TAKEN:]) == [], "turned away with 2/3/2 until somebody saw to the disk"
    until(lambda: not json.loads(edge.get("/status"))["halves"]["disk"], "the status says that the disk failed")
    edge.kill()
    assert "is read-only: check it, mount it for writing" in refused_to_start(home)
    disk.unmount()
    disk.mount()
    edge.start()
    assert send(edge.port, images[TAKEN:]) == [0] * LATER
    on_way = "SELECT count(*) FROM object WHERE state IN ('waiting', 'packing', 'packed')"
    until(lambda: not list(home.spool.iterdir()) and rows(home, on_way) == [(0,)], "everything archived", 120)
    arrived = Counter(pixel_hash(dcmread(path)) for path in platform.objects())
    assert arrived == Counter(pixel_hash(image) for image in images)
    assert edge.stop() == 0


def refused_to_start(home: Home) -> str:
    """What `edge run` says where it cannot run as things are."""
    command = [sys.executable, "-m", "imaging.edge", "run", "--dir", str(home.directory)]
    said = subprocess.run(command, cwd=REPOSITORY, check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode == 2
    return said.stderr
