"""One association from its first byte to its last, in a thread of its own: let in or turned away, then each message answered in turn."""

import logging
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imaging.edge import peers
from imaging.edge.dicom import commands, commitment, negotiation, upper_layer
from imaging.edge.dicom.admission import Admission
from imaging.edge.dicom.certificates import Certificates
from imaging.edge.dicom.commands import C_CANCEL, C_ECHO, C_STORE, N_ACTION, RESPONSE, Command
from imaging.edge.dicom.commitment import Custodian
from imaging.edge.dicom.limits import Limits
from imaging.edge.dicom.negotiation import LOCAL_LIMIT, UNKNOWN_CALLED, UNKNOWN_CALLER, Context, Request
from imaging.edge.dicom.reception import SUCCESS, Reception
from imaging.edge.dicom.upper_layer import ABORT, INVALID, NOT_SPECIFIED, P_DATA, RELEASE_RQ, UNEXPECTED, Ended, Link
from imaging.edge.history import History
from imaging.edge.spool import Spool

log = logging.getLogger(__name__)

UNRECOGNISED_OPERATION = 0x0211
_PDV = struct.Struct(">IBB")


class Dataset(Protocol):
    """What becomes of a message's dataset: fragments, then one status, or nothing at all."""

    def take(self, fragment: memoryview) -> None:
        """The next fragment."""

    def answer(self) -> int:
        """The status, after the last fragment."""

    def drop(self) -> None:
        """The connection ended before."""


class Unwanted:
    """A dataset nobody asked for: read to its end and forgotten."""

    def __init__(self, status: int) -> None:
        self.status = status

    def take(self, fragment: memoryview) -> None:
        pass

    def answer(self) -> int:
        return self.status

    def drop(self) -> None:
        pass


@dataclass(frozen=True)
class Station:
    """What every association of one listener shares."""

    ae_title: str
    spool: Spool
    peers_file: Path
    history: History
    limits: Limits
    certificates: Certificates | None = None
    """Of senders that must use TLS; None where nobody has one."""
    custodian: Custodian | None = None
    """Answers storage commitment; None where it is not offered."""


@dataclass
class Message:
    """A message that is not complete yet."""

    context: int
    command: bytes = b""
    decoded: Command | None = None
    dataset: Dataset | None = None
    size: int = 0


class Association:
    """`run` returns when the connection is closed. Its place is asked of `admission`, where its link waits already."""

    def __init__(self, station: Station, link: Link, address: str, *, secured: bool, admission: Admission) -> None:
        self.station, self.link, self.address, self.secured, self.admission = station, link, address, secured, admission
        self.certificate = b""
        self.parties: dict[str, str] = {"ip": address}
        self.contexts: dict[int, Context] = {}
        self.answers: Counter[str] = Counter()
        self.message: Message | None = None
        self.objects = 0
        self.accepted = False

    def run(self) -> None:
        """Speak until one side ends it; whatever happens, nothing half received stays and the place is free again."""
        try:
            if self._let_in():
                self._serve()
                self._end("released")
                self.link.farewell(upper_layer.release_reply())
            self.link.close(wait=True)
        except Ended as end:
            self._end(end.how)
            self._cut(end.abort)
        except Exception as error:
            log.error("an association ended by a fault of ours: %s", type(error).__name__)
            self._end("fault")
            self._cut(NOT_SPECIFIED)
        finally:
            self.admission.leave(self.link)

    def _cut(self, abort: int | None) -> None:
        if abort is not None:
            self.link.abort(abort)
        self.link.close(wait=False)

    def _end(self, how: str) -> None:
        """Leave nothing half received, free the place, tell the history."""
        if self.message is not None and self.message.dataset is not None:
            self.message.dataset.drop()
        self.message = None
        self.admission.retire(self.link)
        if self.accepted:
            self.station.history.add("ended", **self.parties, answers=dict(self.answers), how=how)
        elif self.link.received or how != "lost":  # a connection without a byte is a probe of the port
            self.station.history.add_seldom("dropped", **self.parties, reason=how)
        self.accepted = False

    # -- who is let in

    def _let_in(self) -> bool:
        """Shake hands where TLS is spoken, read the A-ASSOCIATE-RQ and answer it; whether the association stands."""
        if self.secured and self.station.certificates is not None:
            self.certificate = self.link.secure(self.station.certificates.context())
        kind, body = self.link.pdu()
        if kind != upper_layer.ASSOCIATE_RQ:
            raise Ended("aborted")
        try:
            request = negotiation.read(body)
        except negotiation.Malformed:
            raise Ended("malformed", INVALID) from None
        self.parties |= {"calling": request.caller, "called": request.called}
        reason = self._refusal(request)
        if reason is not None:
            self.station.history.add("rejected", **self.parties, reason="/".join(map(str, reason)))
            self.link.farewell(negotiation.reject(*reason))
            return False
        offered = self.station.custodian is not None
        said, self.contexts = negotiation.accept(request, longest=self.station.limits.data_pdu, commitment=offered)
        self.accepted = True
        self.station.history.add("accepted", **self.parties)
        self.link.establish()
        self.link.send(said)
        return True

    def _refusal(self, request: Request) -> tuple[int, int, int] | None:
        """Turn away who is not a listed peer, who calls another AE title than ours, and who comes when there is no place."""
        if request.fault is not None:
            return request.fault
        try:
            why = self._stranger(request.caller)
        except (OSError, ValueError):
            log.error("the list of peers cannot be read; every association is turned away")
            return UNKNOWN_CALLER
        if why is not None:
            self.parties |= why
            return UNKNOWN_CALLER
        if request.called != self.station.ae_title:
            return UNKNOWN_CALLED
        return None if self.station.spool.healthy and self.admission.establish(self.link) else LOCAL_LIMIT

    def _stranger(self, caller: str) -> dict[str, str] | None:
        """Why a caller is none of ours (facts for the history), or None: its address is listed, and its certificate where it has one.

        Without TLS only senders of the hospital's own network are heard, and none that was given a certificate.
        """
        if not peers.is_known(self.station.peers_file, caller, self.address):
            return {}
        certificates = self.station.certificates
        if self.secured:
            bound = certificates is not None and certificates.is_bound(caller, self.certificate)
            return None if bound else {"why": "certificate-of-another"}
        if certificates is not None and certificates.has_any(caller):
            return {"why": "must-use-tls"}
        return None if peers.is_local(self.address) else {"why": "plain-from-outside"}

    # -- messages

    def _serve(self) -> None:
        """Answer messages until the sender releases the association."""
        while True:
            kind, body = self.link.pdu()
            if kind == P_DATA:
                self._data(body)
            elif kind == RELEASE_RQ and self.message is None:
                return
            elif kind == ABORT:
                raise Ended("aborted")
            else:
                raise Ended("pdu-type", UNEXPECTED)

    def _data(self, body: memoryview) -> None:
        """The presentation data values of one PDU (PS3.8 §9.3.5)."""
        at = 0
        while at < len(body):
            if at + _PDV.size > len(body):
                raise Ended("malformed", INVALID)
            length, context, control = _PDV.unpack_from(body, at)
            end = at + 4 + length
            if length < 2 or end > len(body) or (length == 2 and not control & 2):
                raise Ended("malformed", INVALID)
            self._fragment(context, control, body[at + _PDV.size : end])
            at = end

    def _fragment(self, context: int, control: int, data: memoryview) -> None:
        if self.message is None:
            if context not in self.contexts:
                raise Ended("context", INVALID)
            self.message = Message(context)
        message, is_command, is_last = self.message, bool(control & 1), bool(control & 2)
        if context != message.context or is_command != (message.dataset is None):
            raise Ended("malformed", INVALID)
        message.size += len(data)
        if message.dataset is None:
            if message.size > self.station.limits.command_bytes:
                raise Ended("command-size", INVALID)
            message.command += data
            if is_last:
                self._begin(message)
            return
        limits = self.station.limits
        if message.size > (limits.object_bytes if isinstance(message.dataset, Reception) else limits.note_bytes):
            raise Ended("object-size", NOT_SPECIFIED)
        message.dataset.take(data)
        if is_last:
            self._finish(message)

    def _begin(self, message: Message) -> None:
        """The command set is complete: see what is asked, and whether a dataset follows."""
        try:
            message.decoded = command = commands.decode(message.command)
        except commands.Malformed:
            raise Ended("malformed", INVALID) from None
        message.dataset, message.size = self._asked(command, self.contexts[message.context]), 0
        if commands.number(command, commands.DATASET_TYPE) == commands.NO_DATASET:
            self._finish(message)

    def _asked(self, command: Command, context: Context) -> Dataset:
        field = commands.number(command, commands.FIELD)
        if field == C_STORE:
            self.objects += 1
            if self.objects > self.station.limits.objects:
                raise Ended("objects", NOT_SPECIFIED)
            return Reception(self.station.spool, command, context, self.parties["calling"])
        if field == N_ACTION and self.station.custodian is not None:
            return commitment.Request(self.station.custodian, command, context)
        return Unwanted(SUCCESS if field == C_ECHO else UNRECOGNISED_OPERATION)

    def _finish(self, message: Message) -> None:
        """The message is complete: answer it (responses and cancellations have no answer)."""
        assert message.decoded is not None and message.dataset is not None  # noqa: S101 - set together in _begin
        field = commands.number(message.decoded, commands.FIELD)
        status = message.dataset.answer()
        self.message = None
        if field == C_STORE:
            self.answers[f"0x{status:04X}"] += 1
        if not field & RESPONSE and field != C_CANCEL:
            self.link.send(commands.p_data(message.context, command=commands.answer(message.decoded, status)))
        if isinstance(message.dataset, commitment.Request) and status == SUCCESS:
            self._report(message.context, message.dataset)
        self.link.rest()
        if field == C_STORE:
            self.station.spool.arrivals.prepare()

    def _report(self, context: int, request: commitment.Request) -> None:
        """Tell the sender what of its instances is held, on the association on which it asked."""
        command, dataset, judged = request.report(message_id=1)
        self.station.history.add("committed", **self.parties, held=len(judged.held), failed=len(judged.failed))
        self.link.send(commands.p_data(context, command=command, dataset=dataset))
