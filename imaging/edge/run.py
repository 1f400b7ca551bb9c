"""The edge as one program: listener, worker, forwarder, heartbeat and status page, until SIGTERM.

Each part has its own thread and database connection; a fault in one is logged by its class, shown in the status and tried again, and
never reaches the listener.
"""

import json
import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imaging.edge import clock, health, match, state
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.forward import Forwarder
from imaging.edge.history import History
from imaging.edge.home import SOFTWARE, Home
from imaging.edge.intake import Intake
from imaging.edge.listener import Listener
from imaging.edge.packing import Packer
from imaging.edge.sandbox import Sandbox
from imaging.edge.spool import Spool, write_durably
from imaging.edge.status import beat, status

log = logging.getLogger(__name__)
WORK_SECONDS, FAULT_SECONDS, HEARTBEAT_SECONDS = 0.25, 5.0, 10.0
INTAKE_ROUNDS = 20


@dataclass(frozen=True)
class Ports:
    """Where the edge listens: one address, the DICOM port, its AE title, and the status page's port (0 = any free port)."""

    address: str
    dicom: int
    ae_title: str
    http: int


class Edge:
    """One running edge. `run` returns after `stop` was called or SIGTERM or SIGINT came."""

    def __init__(self, home: Home, ports: Ports) -> None:
        self.home, self.ports, self.quiet = home, ports, float(home.settings["quiet_seconds"])
        self.stopping = threading.Event()
        self.faults: dict[str, str] = {}
        self.spool = Spool(home.spool, reserve=int(home.settings["reserve_bytes"]))
        self.listener = Listener(ae_title=ports.ae_title, spool=self.spool, peers_file=home.peers, history=History(home.associations))

    def run(self) -> None:
        """Receive, pack and forward until told to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        with self.home.only_one():
            self.spool.sweep()
            state.connect(self.home.database).close()
            page = health.server(self.ports.address, self.ports.http, self.report)
            dicom = self.listener.start(self.ports.address, self.ports.dicom)
            threads = [threading.Thread(target=part, name=part.__name__) for part in (self.work, self.forward, self.beat)]
            for thread in (*threads, threading.Thread(target=page.serve_forever, name="page", daemon=True)):
                thread.start()
            self._announce(dicom, int(page.server_address[1]))
            self.stopping.wait()
            self.listener.stop()
            page.shutdown()
            for thread in threads:
                thread.join()
        log.info("stopped")

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
        return self.spool.healthy and "work" not in self.faults, counts | {"faults": dict(self.faults), "disk": self.spool.healthy}

    def work(self) -> None:
        """Take in, match, pack, again and again."""
        connection, sandbox = state.connect(self.home.database), Sandbox()
        intake, packer = Intake(self.home, connection, sandbox), Packer(self.home, connection, sandbox)
        self._repeat("work", packer.resume, once=True)

        def step() -> float:
            for _ in range(INTAKE_ROUNDS):  # what came while the last were read belongs to the same series
                if not intake.step():
                    break
            for batch in match.batches(connection, now=time.time(), quiet=self.quiet):
                packer.pack(batch, at=clock.now())
            return WORK_SECONDS

        self._repeat("work", step)
        sandbox.close()
        connection.close()

    def forward(self) -> None:
        """Carry sealed packages to the platform."""
        connection = state.connect(self.home.database)
        forwarder = Forwarder(self.home, connection, Exchange(self.home))

        def step() -> float:
            forwarder.step()
            self._note("forward", forwarder.fault)
            return forwarder.wait

        self._repeat("forward", step)
        connection.close()

    def beat(self) -> None:
        """Tell the platform every ten seconds that this edge lives."""
        exchange = Exchange(self.home)

        def step() -> float:
            try:
                answer = beat(exchange, self.report()[1])
                self._note("heartbeat", "" if answer.status < 400 else f"http-{answer.status}")
            except PlatformUnreachable as fault:
                self._note("heartbeat", str(fault))
            return HEARTBEAT_SECONDS

        self._repeat("beat", step)

    def _repeat(self, name: str, step: Callable[[], float | None], *, once: bool = False) -> None:
        while not self.stopping.is_set():
            try:
                pause = step() or 0.0
                if name in self.faults and name != "forward":
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

    def _announce(self, dicom: int, http: int) -> None:
        where = {"dicom_port": dicom, "http_port": http, "ae_title": self.ports.ae_title}
        path = self.home.directory / "running.json"
        path.with_name(path.name + ".part").unlink(missing_ok=True)
        write_durably(path, [json.dumps(where).encode()])
        log.info("%s listens as %s on %s port %d, status page on port %d", SOFTWARE, self.ports.ae_title, self.ports.address, dicom, http)
