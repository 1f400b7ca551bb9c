"""The half that works on what was received: intake, matching, packing, forwarding, operating list, heartbeat and the hospital's page.

Each part has its own thread and database connection; a fault in one is logged by its class, shown in the status and tried again.
"""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from imaging.edge import clock, envelope, match, quarantine, state
from imaging.edge.carriage import FolderForwarder
from imaging.edge.exchange import Exchange, PlatformUnreachable
from imaging.edge.forward import Forwarder
from imaging.edge.halves import DISK, RECEIVING, WORKING
from imaging.edge.home import SOFTWARE, Home
from imaging.edge.intake import Intake
from imaging.edge.packing import Packer
from imaging.edge.page import server
from imaging.edge.sandbox import Sandbox
from imaging.edge.screening import Sender
from imaging.edge.status import beat, status

log = logging.getLogger(__name__)
WORK_SECONDS, FAULT_SECONDS, HEARTBEAT_SECONDS = 0.25, 5.0, 10.0
INTAKE_ROUNDS = 20
TIDY = timedelta(hours=1)


def run(home: Home) -> None:
    """Work until SIGTERM or SIGINT. HomeFault when another one works here."""
    half = Working(home)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: half.stopping.set())
    half.run(os.environ.get("PRIME_BIND", "127.0.0.1"), int(os.environ.get("PRIME_EDGE_PORT", "8042")))


class Working:
    """The running half. `run` returns after `stopping` was set."""

    def __init__(self, home: Home) -> None:
        self.home, self.quiet = home, float(home.settings["quiet_seconds"])
        self.stopping = threading.Event()
        self.faults: dict[str, str] = {}
        self.reached: str | None = None

    def run(self, address: str, http_port: int) -> None:
        """Pack and forward, and show the page at this address (port 0 = any free one), until told to stop."""
        with self.home.only_one(WORKING):
            state.connect(self.home.database).close()
            page = server.Page(self.home, self.report, address, http_port)
            threads = [threading.Thread(target=part, name=getattr(part, "__name__", "part")) for part in self._parts()]
            for thread in (*threads, threading.Thread(target=page.serve, name="page", daemon=True)):
                thread.start()
            self.home.announce(http_port=page.port, working=os.getpid())
            log.info("%s works, and shows its page on %s, port %d", SOFTWARE, address, page.port)
            self.stopping.wait()
            page.close()
            for thread in threads:
                thread.join()
        log.info("stopped working")

    def _parts(self) -> tuple[Callable[[], None], ...]:
        """What runs beside the page; without a network to the platform nobody tries to speak to it."""
        alone = "exchange_folder" in self.home.settings
        return (self.work, self.forward) if alone else (self.work, self.forward, self.screen, self.beat)

    def report(self) -> tuple[bool, dict[str, Any]]:
        """Whether everything that must not fail works, and the counts."""
        connection = state.connect(self.home.database)
        try:
            counts = status(self.home, connection, at=clock.now())
        finally:
            connection.close()
        received = counts["halves"][RECEIVING] and counts["halves"][DISK]
        return bool(received) and "work" not in self.faults, counts | {"faults": dict(self.faults), "reached": self.reached}

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
