"""A PACS in a process of its own: sends every image until it is told 0x0000, and writes down each such answer at once.

`python -m tests.imaging.edge.sender RUNNING_JSON COUNT ACKNOWLEDGED` sends `ct(0)` … `ct(COUNT - 1)` in three series.
"""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association

from tests.imaging.edge.parts import REPOSITORY, ct


def images(count: int) -> list[Dataset]:
    return [ct(number, series=f"1.2.3.{number % 3}") for number in range(count)]


def start(running: Path, count: int, acknowledged: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-W", "ignore", "-m", "tests.imaging.edge.sender", str(running), str(count), str(acknowledged)]
    return subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.DEVNULL)


def send_all(running: Path, count: int, acknowledged: Path) -> None:
    todo = images(count)
    with acknowledged.open("w") as said:
        while todo:
            with contextlib.suppress(OSError, ValueError, KeyError, RuntimeError):
                association = associate(running, todo[0])
                while todo and association.is_established and association.send_c_store(todo[0]).get("Status") == 0:
                    said.write(todo.pop(0).SOPInstanceUID + "\n")
                    said.flush()
                if association.is_established:
                    association.release()
            time.sleep(0.02)


def associate(running: Path, image: Dataset) -> Association:
    ae = AE(ae_title="STORESCU")
    ae.connection_timeout = ae.acse_timeout = ae.dimse_timeout = 5
    ae.add_requested_context(image.SOPClassUID or "", image.file_meta.TransferSyntaxUID)
    return ae.associate("127.0.0.1", int(json.loads(running.read_bytes())["dicom_port"]), ae_title="PRIME")


if __name__ == "__main__":
    send_all(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
