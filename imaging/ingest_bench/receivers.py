"""Receivers for `manage.py bench ingest`, each a process over a fresh directory, ready before anything is measured.

`python -m imaging.ingest_bench.receivers {ours,pynetdicom} DIRECTORY PORT` is the first two; Orthanc and dcmtk's storescp run as installed.
"""

import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from imaging.edge import peers
from imaging.edge.durable import write_durably
from imaging.edge.history import History
from imaging.edge.listener import Listener
from imaging.edge.spool import Spool
from imaging.ingest_bench.senders import CALLED, CALLING, is_accepting

OURS, PYNETDICOM, ORTHANC, STORESCP = "ours", "pynetdicom + fdatasync", "Orthanc default", "dcmtk storescp"
DURABLE = {OURS: "yes", PYNETDICOM: "yes", ORTHANC: "file yes, index no", STORESCP: "no"}
READY_SECONDS, END_SECONDS = 60, 20
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Receiver:
    """A running receiver: where it listens, its process and its directory."""

    name: str
    port: int
    http_port: int
    process: "subprocess.Popen[bytes]"
    directory: Path

    def cpu_seconds(self) -> float:
        """CPU that the process has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_mib(self) -> float:
        """The most memory it ever had resident."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def stored(self) -> int:
        """How many instances it has."""
        if self.name != ORTHANC:
            return sum(1 for path in (self.directory / "spool").iterdir() if path.suffix != ".part")
        with closing(http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=30)) as connection:
            connection.request("GET", "/statistics")
            return int(json.loads(connection.getresponse().read())["CountInstances"])


def available() -> list[str]:
    """The receivers that can run here."""
    return [OURS, PYNETDICOM, *([ORTHANC] if shutil.which("Orthanc") else []), *([STORESCP] if shutil.which("storescp") else [])]


@contextmanager
def running(name: str, directory: Path) -> Iterator[Receiver]:
    """Start a receiver over an empty directory and wait until it accepts associations; end it afterwards."""
    (directory / "spool").mkdir(parents=True)
    port, http_port = _free_port(), _free_port()
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(_command(name, directory, port, http_port), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait(port, process)
        yield Receiver(name, port, http_port, process, directory)
    finally:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(name: str, directory: Path, port: int, http_port: int) -> list[str]:
    if name == STORESCP:
        return ["storescp", "-aet", CALLED, "-od", str(directory / "spool"), str(port)]
    if name == ORTHANC:
        said = {"DicomAet": CALLED, "DicomPort": port, "HttpPort": http_port}  # everything else as it is delivered
        said |= {"StorageDirectory": str(directory / "spool"), "IndexDirectory": str(directory / "spool")}
        (directory / "orthanc.json").write_text(json.dumps(said))
        return ["Orthanc", str(directory / "orthanc.json")]
    kind = "ours" if name == OURS else "pynetdicom"
    return [sys.executable, "-W", "ignore", "-m", "imaging.ingest_bench.receivers", kind, str(directory), str(port)]


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Until an association is accepted."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if is_accepting(port):
            return
        time.sleep(0.1)
    raise RuntimeError("A receiver did not become ready.")


def ours(directory: Path, port: int) -> None:
    """The edge's listener over its spool."""
    peers.add(directory / "peers.json", ae_title=CALLING, addresses=[])
    spool, history = Spool(directory / "spool", reserve=0), History(directory / "associations.jsonl")
    Listener(ae_title=CALLED, spool=spool, peers_file=directory / "peers.json", history=history).start("127.0.0.1", port)
    threading.Event().wait()


def pynetdicom(directory: Path, port: int) -> None:
    """pynetdicom's AE, each instance written as received, synced, renamed and its directory synced before the answer."""
    _config.LOG_HANDLER_LEVEL = "none"

    def store(event: evt.Event) -> int:
        write_durably(directory / "spool" / f"{uuid.uuid4().hex}.dcm", [event.encoded_dataset()])
        return 0

    ae = AE(ae_title=CALLED)
    ae.supported_contexts = AllStoragePresentationContexts
    ae.add_supported_context(Verification)
    ae.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, store)])


if __name__ == "__main__":
    {"ours": ours, "pynetdicom": pynetdicom}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
