"""A PACS in a process of its own: pushes series after series at an even pace, and writes down each 0x0000 at once.

`python -m tests.journeys.pacs RUNNING_JSON FIRST COUNT ACKNOWLEDGED` sends `images(FIRST, COUNT)`; what is not answered is sent again.
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

from pydicom.dataset import Dataset

from tests.imaging.edge.parts import REPOSITORY, ct
from tests.imaging.edge.sender import associate

SERIES, PACE = 12, 0.1


def images(first: int, count: int) -> list[Dataset]:
    """Images by their running number, twelve to a series."""
    return [ct(number, series=f"1.2.4.{number // SERIES}", study="1.2.4") for number in range(first, first + count)]


def start(running: Path, first: int, count: int, acknowledged: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-W", "ignore", "-m", "tests.journeys.pacs", str(running), str(first), str(count), str(acknowledged)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


def push(running: Path, first: int, count: int, acknowledged: Path) -> None:
    todo = images(first, count)
    with acknowledged.open("a") as said:
        while todo:
            with contextlib.suppress(OSError, ValueError, KeyError, RuntimeError):
                association = associate(running, todo[0])
                while todo and association.is_established and association.send_c_store(todo[0]).get("Status") == 0:
                    said.write(todo.pop(0).SOPInstanceUID + "\n")
                    said.flush()
                    time.sleep(PACE)
                if association.is_established:
                    association.release()
            time.sleep(PACE)


if __name__ == "__main__":
    push(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
