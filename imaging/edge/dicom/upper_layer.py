"""The DICOM upper layer over one connection (PS3.8 §9): whole PDUs in, bytes out, and no wait without an end.

Blocking calls in the association's own thread. The kernel's receive timeout is the clock's tick, so that one system call takes what has
come, and a peer that drips bytes is measured as well as one that is silent. A PDU's length is judged after its first six bytes.
"""

import contextlib
import socket
import ssl
import struct
import time

from imaging.edge.dicom.limits import Limits

ASSOCIATE_RQ, ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
NOT_SPECIFIED, UNRECOGNISED, UNEXPECTED, INVALID = 0, 1, 2, 6  # reasons of the service provider, PS3.8 table 9-26
TICK_SECONDS = 0.5
CLOSING, SILENT, HEARD = range(3)  # in this order connections that wait have to go when there are too many
SHORT = 4  # length of a release or abort

_HEADER = struct.Struct(">BxI")


class Ended(Exception):
    """The connection is over: `how` is a code for the history, `abort` the A-ABORT's reason, None where none is due."""

    def __init__(self, how: str, abort: int | None = None) -> None:
        super().__init__(how)
        self.how, self.abort = how, abort


class Link:
    """One connection. `pdu` gives views into a buffer that the next `pdu` writes over."""

    def __init__(self, connection: socket.socket, limits: Limits) -> None:
        self.socket, self.limits = connection, limits
        self.longest = {ASSOCIATE_RQ: limits.association_pdu, ABORT: SHORT}
        self.deadline: float | None = time.monotonic() + limits.association_seconds
        self.told_to_end = ""
        self.received = 0
        self.stage = SILENT
        self._buffer = memoryview(bytearray(limits.association_pdu + _HEADER.size))
        self._start = self._end = 0
        self._busy, self._waited, self._idle = False, 0.0, time.monotonic()
        self._window = 0
        self._set_up(connection)

    def _set_up(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if isinstance(connection, ssl.SSLSocket):  # OpenSSL would try again for ever after the kernel's timeout
            connection.settimeout(TICK_SECONDS)
            return
        connection.settimeout(None)
        for option, seconds in ((socket.SO_RCVTIMEO, TICK_SECONDS), (socket.SO_SNDTIMEO, self.limits.send_seconds)):
            connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(seconds), int(seconds % 1 * 1e6)))

    def secure(self, context: ssl.SSLContext) -> bytes:
        """Shake hands as a TLS server, in the association's own thread; the peer's certificate (DER). Ended when it does not come about."""
        try:
            self.socket.settimeout(self.limits.handshake_seconds)  # absolute over the whole handshake
            secured = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.socket = secured
            if self.told_to_end:
                raise Ended(self.told_to_end)
            secured.do_handshake()
            self._set_up(secured)
            return secured.getpeercert(binary_form=True) or b""
        except ssl.SSLError as error:
            raise Ended(self.told_to_end or f"tls-{(error.reason or 'failed').lower().replace('_', '-')}") from None
        except OSError as error:
            raise Ended(self.told_to_end or ("deadline" if isinstance(error, TimeoutError) else "tls-failed")) from None

    def establish(self) -> None:
        """The association stands: its PDUs are data, releases and aborts; no absolute deadline any more."""
        self.longest = {P_DATA: self.limits.data_pdu, RELEASE_RQ: SHORT, ABORT: SHORT}
        self.deadline = None
        unread = bytes(self._buffer[self._start : self._end])
        self._buffer = memoryview(bytearray(2 * (self.limits.data_pdu + _HEADER.size)))
        self._buffer[: len(unread)] = unread
        self._start, self._end = 0, len(unread)
        self.rest()

    def rest(self) -> None:
        """A message is complete: from now on the sender may be idle."""
        self._busy, self._idle = False, time.monotonic()

    def pdu(self) -> tuple[int, memoryview]:
        """The next PDU's type and body; Ended when it does not come, is not expected now or is too long."""
        self._have(_HEADER.size)
        kind, length = _HEADER.unpack_from(self._buffer, self._start)
        if kind not in self.longest:
            raise Ended("pdu-type", UNEXPECTED if ASSOCIATE_RQ <= kind <= ABORT else UNRECOGNISED)
        if length > self.longest[kind]:
            raise Ended("pdu-length", INVALID)
        self._have(_HEADER.size + length)
        begin = self._start + _HEADER.size
        self._start = begin + length
        self.stage = HEARD
        return kind, self._buffer[begin : self._start]

    def _have(self, count: int) -> None:
        """Receive until `count` unread bytes lie in one piece."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start + count > len(self._buffer):
            unread = self._end - self._start
            self._buffer[:unread] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, unread
        while self._end - self._start < count:
            self._receive()

    def _receive(self) -> None:
        begun = time.monotonic()
        self._judge(begun)
        try:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)  # the kernel forgets it: see performance of stock senders
            count = self.socket.recv_into(self._buffer[self._end :])
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            self._waited += time.monotonic() - begun
            return
        except OSError:
            raise Ended(self.told_to_end or "lost") from None
        if count == 0:
            raise Ended(self.told_to_end or "lost", NOT_SPECIFIED if self.told_to_end else None)
        if not self._busy:
            self._busy, self._waited, self._window = True, 0.0, self.received
        else:
            self._waited += time.monotonic() - begun
        self._end += count
        self.received += count

    def _judge(self, now: float) -> None:
        """Ended when the peer has had its time: absolute, between messages, or for the bytes it brought."""
        if self.told_to_end:
            raise Ended(self.told_to_end, NOT_SPECIFIED)
        if self.deadline is not None and now > self.deadline:
            raise Ended("deadline", NOT_SPECIFIED)
        if not self._busy:
            if now - self._idle > self.limits.idle_seconds:
                raise Ended("idle", NOT_SPECIFIED)
        elif self._waited >= self.limits.slow_seconds:
            if self.received - self._window < self.limits.slowest * self._waited:
                raise Ended("slow", NOT_SPECIFIED)
            self._waited, self._window = 0.0, self.received

    def send(self, data: bytes) -> None:
        """Send all of it; Ended when the peer does not take it."""
        try:
            self.socket.sendall(data)
        except OSError:
            raise Ended("lost") from None

    def farewell(self, data: bytes) -> None:
        """Send the last thing that we have to say."""
        self.stage = CLOSING
        self.send(data)

    def end(self, how: str) -> None:
        """From another thread: let the connection's own thread end it, at once."""
        self.told_to_end = how
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RD)  # an SSLSocket's own would forget its keys under the reading thread

    def abort(self, reason: int) -> None:
        """Say A-ABORT as service provider, to whoever still listens."""
        with contextlib.suppress(Ended):
            self.send(struct.pack(">BxI2xBB", ABORT, SHORT, 2, reason))

    def close(self, *, wait: bool) -> None:
        """Close; after a farewell (`wait`) the peer may close first, within its seconds."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
        end = time.monotonic() + (self.limits.closing_seconds if wait else 0)
        with contextlib.suppress(OSError):
            while time.monotonic() < end and not self.told_to_end:
                with contextlib.suppress(BlockingIOError, TimeoutError):
                    if not self.socket.recv_into(self._buffer):
                        break
        self.socket.close()


def release_reply() -> bytes:
    """A-RELEASE-RP (PS3.8 §9.3.7)."""
    return struct.pack(">BxI4x", RELEASE_RP, SHORT)
