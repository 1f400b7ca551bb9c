"""The edge as one program: listener, worker, forwarder, operating list, heartbeat and the hospital's page, until SIGTERM.

Each part has its own thread and database connection; a fault in one is logged by its class, shown in the status and tried again, and
never reaches the listener.
"""

import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from imaging.edge import clock, envelope, match, quarantine, state
from imaging.edge.carriage import FolderForwarder
from imaging.edge.custody import Custody
from imaging.edge.dicom.certificates import Certificates
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.forward import Forwarder
from imaging.edge.history import History
from imaging.edge.home import SOFTWARE, Home, HomeFault
from imaging.edge.intake import Intake
from imaging.edge.listener import Listener
from imaging.edge.packing import Packer
from imaging.edge.page import server
from imaging.edge.sandbox import Sandbox
from imaging.edge.screening import Sender
from imaging.edge.spool import Spool, write_durably
from imaging.edge.status import beat, status

log = logging.getLogger(__name__)
SWITCH_SECONDS = 0.0005  # a thread that receives waits so long at most for one that computes
WORK_SECONDS, FAULT_SECONDS, HEARTBEAT_SECONDS = 0.25, 5.0, 10.0
INTAKE_ROUNDS = 20
TIDY = timedelta(hours=1)


@dataclass(frozen=True)
class Ports:
    """Where the edge listens: one address, the DICOM port, its AE title, the page's port, the DICOM port with TLS (0 = any free one)."""

    address: str
    dicom: int
    ae_title: str
    http: int
    dicom_tls: int | None = None


class Edge:
    """One running edge. `run` returns after `stop` was called or SIGTERM or SIGINT came."""

    def __init__(self, home: Home, ports: Ports) -> None:
        self.home, self.ports, self.quiet = home, ports, float(home.settings["quiet_seconds"])
        self.stopping = threading.Event()
        self.faults: dict[str, str] = {}
        self.reached: str | None = None
        self.spool = Spool(home.spool, reserve=int(home.settings["reserve_bytes"]))
        self.certificates = Certificates(home.tls)
        if ports.dicom_tls is not None and not self.certificates.ready:
            raise HomeFault("There is no certificate for TLS yet: edge tls make NAME, or edge tls use CERTIFICATE KEY.")
        self.listener = Listener(
            ae_title=ports.ae_title,
            spool=self.spool,
            peers_file=home.peers,
            history=History(home.associations),
            certificates=self.certificates,
            custodian=Custody(home),
        )

    def run(self) -> None:
        """Receive, pack and forward until told to stop."""
        sys.setswitchinterval(SWITCH_SECONDS)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        with self.home.only_one():
            self.spool.sweep()
            state.connect(self.home.database).close()
            page = server.Page(self.home, self.report, self.ports.address, self.ports.http)
            where = self._listen()
            threads = [threading.Thread(target=part, name=getattr(part, "__name__", "part")) for part in self._parts()]
            for thread in (*threads, threading.Thread(target=page.serve, name="page", daemon=True)):
                thread.start()
            self._announce(where | {"http_port": page.port})
            self.stopping.wait()
            self.listener.stop()
            page.close()
            for thread in threads:
                thread.join()
        log.info("stopped")

    def _parts(self) -> tuple[Callable[[], None], ...]:
        """What runs beside listener and page; without a network to the platform nobody tries to speak to it."""
        alone = "exchange_folder" in self.home.settings
        return (self.work, self.forward) if alone else (self.work, self.forward, self.screen, self.beat)

    def stop(self) -> None:
        """End `run` from another thread."""
        self.stopping.set()

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether everything that must not fail works, and the counts."""
        connection = state.connect(self.home.database)
        try:
            counts = status(self.home, connection, at=clock.now())
        finally:
            connection.close()
        return self.spool.healthy and "work" not in self.faults, counts | {
            "faults": dict(self.faults),
            "disk": self.spool.healthy,
            "reached": self.reached,
        }

    def work(self) -> None:
        """Take in, match, pack, again and again."""
        connection, sandbox = state.connect(self.home.database), Sandbox()
        intake, packer = Intake(self.home, connection, sandbox), Packer(self.home, connection, sandbox)
        self._repeat("work", packer.resume, once=True)
        tidy_at = [clock.now()]

        def step() -> float:
            for _ in range(INTAKE_ROUNDS):  # what came while the last were read belongs to the same series
                if not intake.step():
                    break
            if clock.now() >= tidy_at[0]:
                quarantine.purge(self.home, connection, at=clock.now())
                tidy_at[0] = clock.now() + TIDY
            for batch in match.batches(connection, now=time.time(), quiet=self.quiet):
                packer.pack(batch, at=clock.now())
            return WORK_SECONDS

        self._repeat("work", step)
        sandbox.close()
        connection.close()

    def forward(self) -> None:
        """Carry sealed packages to the platform."""
        connection = state.connect(self.home.database)
        folder = self.home.settings.get("exchange_folder")
        way = FolderForwarder(self.home, connection, Path(folder)) if folder else None
        forwarder: Forwarder | FolderForwarder = way or Forwarder(self.home, connection, Exchange(self.home))

        def step() -> float:
            forwarder.step()
            self._note("forward", forwarder.fault)
            return forwarder.wait

        self._repeat("forward", step)
        connection.close()

    def screen(self) -> None:
        """Send the operating list's rows to the platform and take their numbers."""
        connection = state.connect(self.home.database)
        sender = Sender(self.home.settings["center"], connection, Exchange(self.home))

        def step() -> float:
            sender.step()
            self._note("screening", sender.fault)
            return sender.wait

        self._repeat("screening", step)
        connection.close()

    def beat(self) -> None:
        """Tell the platform every ten seconds that this edge lives."""
        exchange = Exchange(self.home)

        def step() -> float:
            try:
                answer = beat(exchange, self.report()[1])
                self._note("heartbeat", "" if answer.status < 400 else f"http-{answer.status}")
                if answer.status < 400:
                    self.reached = envelope.instant(clock.now())
            except PlatformUnreachable as fault:
                self._note("heartbeat", str(fault))
            return HEARTBEAT_SECONDS

        self._repeat("beat", step)

    def _repeat(self, name: str, step: Callable[[], float | None], *, once: bool = False) -> None:
        while not self.stopping.is_set():
            try:
                pause = step() or 0.0
                if name in self.faults and name not in ("forward", "screening"):
                    self._note(name, "")
                if once:
                    return
            except Exception as error:
                log.error("%s met a fault of kind %s; it will try again", name, type(error).__name__)
                self._note(name, type(error).__name__)
                pause = FAULT_SECONDS
            self.stopping.wait(pause)

    def _note(self, name: str, fault: str) -> None:
        if fault:
            self.faults[name] = fault
        else:
            self.faults.pop(name, None)

    def _listen(self) -> dict[str, int]:
        where = {"dicom_port": self.listener.start(self.ports.address, self.ports.dicom)}
        if self.ports.dicom_tls is not None:
            where["dicom_tls_port"] = self.listener.start(self.ports.address, self.ports.dicom_tls, secured=True)
        return where

    def _announce(self, where: dict[str, int]) -> None:
        path = self.home.directory / "running.json"
        path.with_name(path.name + ".part").unlink(missing_ok=True)
        write_durably(path, [json.dumps(where | {"ae_title": self.ports.ae_title}).encode()])
        ports = ", ".join(f"{name} {port}" for name, port in where.items())
        log.info("%s listens as %s on %s: %s", SOFTWARE, self.ports.ae_title, self.ports.address, ports)
