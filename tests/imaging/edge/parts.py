"""Real parts for the edge's tests: images made in code, an edge as a process, a platform that speaks by envelope and package."""

import contextlib
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from imaging.edge import clock, envelope, home, keys, links, package, peers, state
from imaging.edge.envelope import Receipt

REPOSITORY = Path(__file__).resolve().parents[3]
NUMBER, OTHER_NUMBER = "01-0007-50", "01-0008-47"
LOCAL_ID = "P000123"


def ct(
    pixels: int = 0, *, patient: str = LOCAL_ID, study: str = "1.2.3", series: str = "1.2.3.4", uid: str = "", **changed: Any
) -> Dataset:
    """A valid 16 × 16 CT image whose samples follow from `pixels`."""
    image = Dataset()
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, uid or generate_uid(entropy_srcs=[series, str(pixels)])
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, "1.2.3.9"
    image.PatientID, image.PatientName, image.PatientBirthDate, image.PatientSex = patient, "Zhang^San", "19600229", "M"
    image.StudyDate, image.SeriesDate, image.AcquisitionDate, image.AcquisitionTime = "20260301", "20260301", "20260301", "081530"
    image.Modality, image.ImageType, image.SeriesDescription = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "AX ART 1.0"
    image.Rows, image.Columns, image.SamplesPerPixel, image.PhotometricInterpretation = 16, 16, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelSpacing, image.SliceThickness, image.InstanceNumber = [0.7, 0.7], 1.0, pixels + 1
    image.ImagePositionPatient, image.ImageOrientationPatient = [0, 0, pixels], [1, 0, 0, 0, 1, 0]
    image.PixelData = np.random.default_rng(pixels).integers(0, 4096, (16, 16), dtype=np.uint16).tobytes()
    for name, value in changed.items():
        setattr(image, name, value)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.file_meta.MediaStorageSOPClassUID, image.file_meta.MediaStorageSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
    return image


def saved(image: Dataset, path: Path) -> Path:
    image.save_as(path, enforce_file_format=True)
    return path


def pixel_hash(image: Dataset) -> str:
    return hashlib.sha256(image.PixelData).hexdigest()


def until(true: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Wait for something to become true; fail with `what` when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := true():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"not in {seconds} s: {what}")


@dataclass
class Platform:
    """Plays the platform over real HTTP: verifies requests, opens packages, answers with signed receipts."""

    directory: Path
    package_key: bytes = field(default_factory=keys.new_package_key)
    stored_key: bytes = field(default_factory=keys.new_signing_key)
    archived_key: bytes = field(default_factory=keys.new_signing_key)
    gateways: dict[str, bytes] = field(default_factory=dict)
    opened: dict[str, package.OpenedPackage] = field(default_factory=dict)
    inbox: dict[str, Path] = field(default_factory=dict)
    heartbeats: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    says: str = "archived"
    lies: bool = False
    turns_away: int = 0
    """This HTTP status is the answer to the first package that comes, whenever it comes; 0: all are taken."""
    turned_away: str = ""
    server: ThreadingHTTPServer | None = None
    port: int = 0

    def start(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            platform: ClassVar[Platform] = self

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, said = self.platform.answer(self.command, self.path, dict(self.headers), body)
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_PUT = do_POST = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def description(self) -> bytes:
        said = {
            "v": 1,
            "study": "PRIME",
            "url": f"http://127.0.0.1:{self.port}",
            "package": keys.to_text(keys.package_public_bytes(self.package_key)),
            "receipt_stored": keys.to_text(keys.signing_public(self.stored_key)),
            "receipt_archived": keys.to_text(keys.signing_public(self.archived_key)),
        }
        return json.dumps(said).encode()

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        key = self.gateways[headers["Prime-Gateway"]]
        part = method == "GET" and not path.endswith("/receipt")
        envelope.verify_request(
            headers, method, path, headers["Prime-Digest"] if part else hashlib.sha256(body).hexdigest(), key, clock.now()
        )
        if part:
            return 200, {"received": 0}
        if path == envelope.HEARTBEAT_PATH:
            self.heartbeats.append(json.loads(body))
            return 200, {}
        identity = path.split("/")[4]
        if self.turns_away and (self.turned_away or identity) == identity:
            self.turned_away = identity
            return self.turns_away, {}
        if method == "PUT":
            self.inbox[identity] = self.directory / identity
            self.inbox[identity].write_bytes(body)
            return 201, self.receipt(identity, "stored")
        if identity not in self.inbox:
            return 404, {}
        if identity not in self.opened and self.says == "archived":
            name = f"{identity}.d{time.monotonic_ns()}"
            self.opened[identity] = package.open_package(self.inbox[identity], self.package_key, self.gateways.get, self.directory / name)
        return 200, self.receipt(identity, self.says)

    def receipt(self, identity: str, says: str) -> Any:
        opened = self.opened.get(identity)
        seq = opened.manifest["seq"] if opened else self.seq_of(identity)
        honest = self.stored_key if says == "stored" else self.archived_key
        receipt = Receipt(package=identity, seq=seq, state=says, reason="duplicate" if says == "refused" else "", at="2026-03-02T08:15:30Z")
        return envelope.sign_receipt(private_key=self.stored_key if self.lies else honest, receipt=receipt)

    def seq_of(self, identity: str) -> int:
        out = self.directory / f"{identity}.s{time.monotonic_ns()}"
        return package.open_package(self.inbox[identity], self.package_key, self.gateways.get, out).manifest["seq"]

    def objects(self) -> list[Path]:
        return [path for opened in self.opened.values() for path in opened.objects.values()]


def make_home(directory: Path, platform: Platform, *, quiet: float = 0.3, reserve: int = 0) -> home.Home:
    """An edge of center 01 that knows one peer and one participant."""
    made = home.make(directory, center="01", platform=platform.description(), approval="2026-12")
    platform.gateways[made["gateway"]] = keys.from_text(made["public_key"])
    settings = json.loads((directory / "edge.json").read_bytes()) | {"quiet_seconds": quiet, "reserve_bytes": reserve}
    (directory / "edge.json").write_text(json.dumps(settings))
    peers.add(directory / "peers.json", ae_title="STORESCU", addresses=[])
    link(home.Home(directory), NUMBER, LOCAL_ID)
    return home.Home(directory)


def link(where: home.Home, number: str, local_id: str, **changed: Any) -> None:
    connection = state.connect(where.database)
    given = {"issuer": "", "kind": "imaging", "name": "", "by": "test", "at": datetime(2026, 3, 1, tzinfo=UTC)} | changed
    links.link(connection, center="01", number=number, local_id=local_id, **given)
    connection.close()


class EdgeProcess:
    """`python -m imaging.edge run` on free ports, optionally under another program (strace)."""

    def __init__(self, where: home.Home, *, under: tuple[str, ...] = (), wait: bool = True) -> None:
        self.home, self.under = where, under
        self.log = where.directory / "log.txt"
        self.where: dict[str, Any] = {}
        self.start(wait=wait)

    def start(self, *, wait: bool = True) -> None:
        (self.home.directory / "running.json").unlink(missing_ok=True)
        environment = os.environ | {"PRIME_DICOM_PORT": "0", "PRIME_EDGE_PORT": "0", "PRIME_BIND": "127.0.0.1"}
        command = [*self.under, sys.executable, "-m", "imaging.edge", "run", "--dir", str(self.home.directory)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stderr=log, stdout=log, start_new_session=True)
        if wait and not self.listening():
            raise AssertionError(self.log.read_text()[-2000:])

    def listening(self) -> bool:
        """Wait until the edge listens or has ended; whether it listens."""
        until(lambda: self.both() or self.process.poll() is not None, "the edge listens or ends")
        self.where = self.home.running
        return self.both()

    def both(self) -> bool:
        """Whether both halves have announced themselves."""
        return {"receiving", "working"} <= self.home.running.keys()

    @property
    def port(self) -> int:
        return int(self.where["dicom_port"])

    def half(self, name: str) -> int:
        """The process of a half."""
        return int(self.home.running[name])

    def get(self, path: str) -> bytes:
        """The body of a page of the edge's own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.where["http_port"], timeout=20)) as connection:
            connection.request("GET", path)
            return connection.getresponse().read()

    def kill(self) -> None:
        """kill -9 of the whole session, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def kill_half(self, name: str) -> None:
        """kill -9 of one half; wait until it is back."""
        killed = self.half(name)
        os.kill(killed, signal.SIGKILL)
        until(lambda: self.half(name) != killed, f"{name} is back")
        self.where = self.home.running

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def send(port: int, images: list[Dataset], *, caller: str = "STORESCU", called: str = "PRIME") -> list[int]:
    """Send images over one association by pynetdicom and return the statuses (0 when there was no answer)."""
    ae = AE(ae_title=caller)
    ae.dimse_timeout = 120  # a disk that others write to as well takes its time
    ae.add_requested_context(Verification)
    for sop_class, syntax in {(image.SOPClassUID, image.file_meta.TransferSyntaxUID) for image in images}:
        ae.add_requested_context(sop_class, syntax)
    association = ae.associate("127.0.0.1", port, ae_title=called)
    if not association.is_established:
        return []
    statuses = [association.send_c_store(image).get("Status", -1) for image in images]
    association.release()
    return statuses


def rows(where: home.Home, query: str) -> list[Any]:
    connection = state.connect(where.database)
    found = [tuple(row) for row in connection.execute(query)]
    connection.close()
    return found
