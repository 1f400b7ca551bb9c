"""The listener: it receives instances and answers them. Command set, peer list and disk decide, nothing else.

It never parses a dataset, asks no database and no network. The C-STORE contract (PS3.4 annex B, NW-05):
0x0000 durable, 0x0117 malformed UID, 0xA700 no room, 0xA701 disk fault, 0xC211 anything unforeseen.
"""

import logging
import re
import uuid
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from pydicom import config
from pynetdicom import AE, AllStoragePresentationContexts, _config, evt
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]
from pynetdicom.transport import ThreadedAssociationServer

from imaging.edge import part10, peers
from imaging.edge.history import History
from imaging.edge.spool import Spool, SpoolBroken, SpoolFull

log = logging.getLogger(__name__)

SUCCESS, INVALID_INSTANCE, OUT_OF_ROOM, DISK_FAULT = 0x0000, 0x0117, 0xA700, 0xA701
UID = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
LONGEST_UID = 64
UNKNOWN_CALLER, UNKNOWN_CALLED, LOCAL_LIMIT = (1, 1, 3), (1, 1, 7), (2, 3, 2)  # PS3.8 §9.3.4

TRANSFER_SYNTAXES = [  # NW-03: neither deflated (a bomb) nor big endian
    "1.2.840.10008.1.2",  # implicit VR little endian
    "1.2.840.10008.1.2.1",  # explicit VR little endian
    "1.2.840.10008.1.2.4.70",  # JPEG lossless, first-order prediction
    "1.2.840.10008.1.2.4.57",  # JPEG lossless
    "1.2.840.10008.1.2.4.80",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81",  # JPEG-LS near lossless
    "1.2.840.10008.1.2.4.90",  # JPEG 2000 lossless
    "1.2.840.10008.1.2.4.91",  # JPEG 2000
    "1.2.840.10008.1.2.5",  # RLE
    "1.2.840.10008.1.2.4.50",  # JPEG baseline: lossy, flagged later
    "1.2.840.10008.1.2.4.51",  # JPEG extended
]
MAXIMUM_ASSOCIATIONS = 32
ASSOCIATION_SECONDS, IDLE_SECONDS = 15, 60


class Listener:
    """A storage and verification SCP on one port; `start` returns once it listens, `stop` ends every association."""

    def __init__(self, *, ae_title: str, spool: Spool, peers_file: Path, history: History) -> None:
        self.ae_title = ae_title
        self.spool = spool
        self.peers_file = peers_file
        self.history = history
        self.answers: dict[Any, Counter[str]] = {}
        self.server: ThreadedAssociationServer | None = None

    def start(self, address: str, port: int) -> int:
        """Listen on `address` and `port` (0 = any free one) and return the port."""
        logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)  # it logs identifiers and tracebacks
        config.settings.reading_validation_mode = config.settings.writing_validation_mode = config.IGNORE  # its warnings quote values
        _config.UNRESTRICTED_STORAGE_SERVICE = False
        ae = AE(ae_title=self.ae_title)
        ae.maximum_associations = MAXIMUM_ASSOCIATIONS
        ae.acse_timeout = ASSOCIATION_SECONDS
        ae.dimse_timeout = ae.network_timeout = IDLE_SECONDS
        ae.add_supported_context(Verification)
        for context in AllStoragePresentationContexts:
            ae.add_supported_context(context.abstract_syntax or "", TRANSFER_SYNTAXES)
        self.server = cast(ThreadedAssociationServer, ae.start_server((address, port), block=False, evt_handlers=self._handlers()))
        return int(self.server.server_address[1])

    def stop(self) -> None:
        """Stop listening; associations that are open are aborted (their senders will send again)."""
        if self.server is not None:
            self.server.shutdown()
            for association in self.server.ae.active_associations:
                if not association.is_rejected:  # one that was turned away is closing already
                    association.abort()

    def _handlers(self) -> list[Any]:
        return [
            (evt.EVT_REQUESTED, self.on_requested),
            (evt.EVT_ACCEPTED, self.on_accepted),
            (evt.EVT_REJECTED, self.on_rejected),
            (evt.EVT_CONN_CLOSE, self.on_closed),
            (evt.EVT_DIMSE_RECV, self.on_message),
            (evt.EVT_C_ECHO, lambda event: SUCCESS),
            (evt.EVT_C_STORE, self.on_store),
        ]

    def on_requested(self, event: evt.Event) -> None:
        """Turn away who is not a listed peer, and who calls another AE title than ours."""
        caller, called, address = _parties(event)
        reason = self._refusal(caller, called, address)
        if reason is None:
            return
        self.history.add("rejected", ip=address, calling=caller, called=called, reason="/".join(map(str, reason)))
        event.assoc.acse.send_reject(*reason)
        event.assoc.kill()

    def _refusal(self, caller: str, called: str, address: str) -> tuple[int, int, int] | None:
        try:
            if not peers.is_known(self.peers_file, caller, address):
                return UNKNOWN_CALLER
        except (OSError, ValueError):
            log.error("the list of peers cannot be read; every association is turned away")
            return UNKNOWN_CALLER
        if called != self.ae_title:
            return UNKNOWN_CALLED
        return None if self.spool.healthy else LOCAL_LIMIT

    def on_rejected(self, event: evt.Event) -> None:
        """Note an association that pynetdicom turned away: too many at once."""
        caller, called, address = _parties(event)
        self.history.add("rejected", ip=address, calling=caller, called=called, reason="/".join(map(str, LOCAL_LIMIT)))

    def on_accepted(self, event: evt.Event) -> None:
        """Note an association that begins."""
        caller, called, address = _parties(event)
        self.answers[event.assoc] = Counter()
        self.history.add("accepted", ip=address, calling=caller, called=called)

    def on_closed(self, event: evt.Event) -> None:
        """Note how an association ended: how many instances, with which answers."""
        answers = self.answers.pop(event.assoc, None)
        if answers is not None:
            caller, called, address = _parties(event)
            self.history.add("ended", ip=address, calling=caller, called=called, answers=dict(answers))

    def on_message(self, event: evt.Event) -> None:
        """Cut a UID of more than 64 characters, on which pynetdicom would abort, to a malformed one that gets its answer."""
        command = event.message.command_set
        for name in ("AffectedSOPClassUID", "AffectedSOPInstanceUID"):
            uid = str(command.get(name) or "")
            if len(uid) > LONGEST_UID:
                setattr(command, name, uid[: LONGEST_UID - 1] + "?")

    def on_store(self, event: evt.Event) -> int:
        """Make the received bytes durable in the spool; say success only after that."""
        try:
            status = self._store(event)
        except Exception as error:
            log.error("an instance was turned away by a fault of ours: %s", type(error).__name__)
            raise  # pynetdicom answers 0xC211: a failure, so the sender keeps its copy
        self.answers.setdefault(event.assoc, Counter())[f"0x{status:04X}"] += 1
        return status

    def _store(self, event: evt.Event) -> int:
        request = cast(C_STORE, event.request)
        sop_class, sop_instance = str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID)
        if not UID.fullmatch(sop_instance) or not UID.fullmatch(sop_class):
            return INVALID_INSTANCE
        head = part10.header(
            sop_class=sop_class,
            sop_instance=sop_instance,
            transfer_syntax=str(event.context.transfer_syntax),
            caller=event.assoc.requestor.ae_title.strip(),
        )
        data = cast(BytesIO, request.DataSet).getbuffer()
        try:
            self.spool.take(f"{uuid.uuid4().hex}.dcm", (head, data), len(head) + len(data))
        except SpoolFull:
            log.warning("an instance was turned away: the disk is at its reserve")
            return OUT_OF_ROOM
        except SpoolBroken:
            log.error("an instance was turned away: the disk failed; restart the edge after checking it")
            return DISK_FAULT
        return SUCCESS


def _parties(event: evt.Event) -> tuple[str, str, str]:
    requested = cast(A_ASSOCIATE, event.assoc.requestor.primitive)
    caller, called = (str(title).strip() for title in (requested.calling_ae_title, requested.called_ae_title))
    return caller, called, str(event.assoc.requestor.address)
