"""The half that receives: the listener over the spool, and nothing beside it that could take its processor or its memory.

It needs the disk only. The other half, the platform and the database may be down: senders do not notice.
"""

import contextlib
import logging
import os
import signal
import threading
from dataclasses import dataclass

from imaging.edge.custody import Custody
from imaging.edge.dicom.certificates import Certificates
from imaging.edge.halves import DISK, RECEIVING
from imaging.edge.history import History
from imaging.edge.home import SOFTWARE, Home, HomeFault
from imaging.edge.listener import Listener
from imaging.edge.spool import Spool

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Doors:
    """Where senders call: one address, the DICOM port, our AE title, the DICOM port with TLS (0 = any free one)."""

    address: str
    port: int
    ae_title: str
    tls_port: int | None = None


def doors() -> Doors:
    """The doors that the environment names."""
    tls = os.environ.get("PRIME_DICOM_TLS_PORT")
    return Doors(
        address=os.environ.get("PRIME_BIND", "127.0.0.1"),
        port=int(os.environ.get("PRIME_DICOM_PORT", "11112")),
        ae_title=os.environ.get("PRIME_DICOM_AET", "PRIME"),
        tls_port=int(tls) if tls else None,
    )


def run(home: Home) -> None:
    """Receive until SIGTERM or SIGINT. HomeFault when another one receives here, or a certificate is missing."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with home.only_one(RECEIVING), contextlib.ExitStack() as disk:
        spool = Spool(home.spool, reserve=int(home.settings["reserve_bytes"]))
        spool.sweep()
        disk.enter_context(home.only_one(DISK))
        listener = _listener(home, spool, doors())
        while not stopping.wait(LOOK_SECONDS):
            if not spool.healthy:
                disk.close()
        listener.stop()
    log.info("stopped receiving")


def _listener(home: Home, spool: Spool, where: Doors) -> Listener:
    """A listener that listens, announced."""
    certificates = Certificates(home.tls)
    if where.tls_port is not None and not certificates.ready:
        raise HomeFault("There is no certificate for TLS yet: edge tls make NAME, or edge tls use CERTIFICATE KEY.")
    listener = Listener(
        ae_title=where.ae_title,
        spool=spool,
        peers_file=home.peers,
        history=History(home.associations),
        certificates=certificates,
        custodian=Custody(home),
    )
    ports = {"dicom_port": listener.start(where.address, where.port)}
    if where.tls_port is not None:
        ports["dicom_tls_port"] = listener.start(where.address, where.tls_port, secured=True)
    try:
        home.announce(**ports, ae_title=where.ae_title, receiving=os.getpid())
    except OSError as error:
        log.warning("where we listen could not be written down: %s", error.strerror)  # senders know it
    said = ", ".join(f"{name} {port}" for name, port in ports.items())
    log.info("%s receives as %s on %s: %s", SOFTWARE, where.ae_title, where.address, said)
    return listener
