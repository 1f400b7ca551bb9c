"""The listener: it receives instances and answers them. Command set, peer list and disk decide, nothing else.

It never parses a dataset, asks no database and no network. This module only accepts connections: each then has its own thread, which
negotiates, receives into the spool and answers (`imaging.edge.dicom`), so that nobody waits for anybody else.
"""

import logging
import socket
import threading
from pathlib import Path

from pydicom import config

from imaging.edge import turns
from imaging.edge.dicom.admission import Admission
from imaging.edge.dicom.association import Association, Station
from imaging.edge.dicom.certificates import Certificates
from imaging.edge.dicom.commitment import Custodian
from imaging.edge.dicom.limits import Limits
from imaging.edge.dicom.upper_layer import Link
from imaging.edge.history import History
from imaging.edge.spool import Spool, SpoolBroken, SpoolFull

log = logging.getLogger(__name__)

BACKLOG = 128
FAULT_SECONDS, STOP_SECONDS = 0.1, 10.0


class Listener:
    """A storage and verification SCP on one port; `start` returns once it listens, `stop` ends every association."""

    def __init__(
        self,
        *,
        ae_title: str,
        spool: Spool,
        peers_file: Path,
        history: History,
        limits: Limits | None = None,
        certificates: Certificates | None = None,
        custodian: Custodian | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.station = Station(ae_title, spool, peers_file, history, self.limits, certificates, custodian)
        self.admission = Admission(self.limits)
        self.stopping = threading.Event()
        self.threads: set[threading.Thread] = set()
        self.sockets: list[socket.socket] = []

    def start(self, address: str, port: int, *, secured: bool = False) -> int:
        """Listen on `address` and `port` (0 = any free one) and return the port; again for a second port, such as one that speaks TLS."""
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it logs identifiers and tracebacks
        config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE  # its warnings quote values
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.station.spool.prepare()
        listening = socket.create_server((address, port), family=family, backlog=BACKLOG)
        self.sockets.append(listening)
        threading.Thread(target=self._accept, args=(listening, secured), name="listener", daemon=True).start()
        return int(listening.getsockname()[1])

    def stop(self) -> None:
        """Stop listening; associations that are open are aborted (their senders will send again)."""
        self.stopping.set()
        for listening in self.sockets:
            listening.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread
            listening.close()
        self.admission.end_all("stopped")
        for thread in list(self.threads):
            thread.join(STOP_SECONDS)
        self.station.spool.close()

    def _accept(self, listening: socket.socket, secured: bool) -> None:
        """Accept and hand over, nothing else: no peer can hold this loop up."""
        while not self.stopping.is_set():
            try:
                connection, (address, *_) = listening.accept()
            except OSError as error:
                if not self.stopping.wait(FAULT_SECONDS):  # such as too many open files: that passes
                    log.warning("a connection could not be accepted: %s", error.strerror)
                continue
            try:
                self._hand_over(connection, address, secured)
            except (OSError, RuntimeError) as error:  # gone again already, or no thread to be had
                log.warning("a connection was dropped: %s", type(error).__name__)
                connection.close()

    def _hand_over(self, connection: socket.socket, address: str, secured: bool) -> None:
        link = Link(connection, self.limits)
        association = Association(self.station, link, address, secured=secured, admission=self.admission)
        self.admission.enter(link, address)
        if self.stopping.is_set():
            link.end("stopped")
        thread = threading.Thread(target=self._run, args=(association,), name="association", daemon=True)
        self.threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self.threads.discard(thread)
            self.admission.leave(link)
            raise

    def _run(self, association: Association) -> None:
        try:
            turns.be_short()
            association.run()
            self._settle()
        finally:
            self.threads.discard(threading.current_thread())

    def _settle(self) -> None:
        try:
            self.station.spool.settle()
        except (SpoolFull, SpoolBroken) as fault:
            log.error("names in the spool could not be made durable: %s", type(fault).__name__)  # those in `arriving` stay
