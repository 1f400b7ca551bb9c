"""DICOM written byte by byte (PS3.7, PS3.8): for what libraries refuse to send, and to see exactly what is answered."""

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

CT, IMPLICIT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
RELEASE = struct.pack(">BxI4x", 5, 4)


def item(kind: int, data: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(data)) + data


def element(number: int, data: bytes, group: int = 0) -> bytes:
    data += b"\0" * (len(data) % 2)
    return struct.pack("<HHI", group, number, len(data)) + data


def associate_rq(*, caller: str = "STORESCU", called: str = "PRIME", abstract: str = CT, syntax: str = IMPLICIT) -> bytes:
    context = item(0x20, b"\1\0\0\0" + item(0x30, abstract.encode()) + item(0x40, syntax.encode()))
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4.5"))
    titles = called.encode().ljust(16) + caller.encode().ljust(16)
    body = struct.pack(">H2x", 1) + titles + bytes(32) + item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
    return struct.pack(">BxI", 1, len(body)) + body


def pdata(control: int, data: bytes, context: int = 1) -> bytes:
    value = struct.pack(">IBB", len(data) + 2, context, control) + data
    return struct.pack(">BxI", 4, len(value)) + value


def command(field: int, *, instance: str = "1.2.3.4", dataset: bool = True, sop_class: str = CT) -> bytes:
    """The command set of a request; `field` is 1 for C-STORE and 0x30 for C-ECHO."""
    said = element(2, sop_class.encode()) + element(0x100, struct.pack("<H", field)) + element(0x110, b"\1\0")
    said += element(0x700, b"\0\0") + element(0x800, b"\0\0" if dataset else b"\1\1")
    said += element(0x1000, instance.encode()) if dataset else b""
    return element(0, struct.pack("<I", len(said))) + said


@contextmanager
def connected(port: int, source: str = "") -> Iterator[tuple[socket.socket, BinaryIO]]:
    """A connection and what comes back over it."""
    own = (source, 0) if source else None
    with socket.create_connection(("127.0.0.1", port), timeout=30, source_address=own) as link, link.makefile("rb") as answers:
        yield link, answers


@contextmanager
def associated(port: int, **proposed: str) -> Iterator[tuple[socket.socket, BinaryIO]]:
    """An association that stands."""
    with connected(port) as (link, answers):
        link.sendall(associate_rq(**proposed))
        assert pdu(answers)[0] == 2, "the association was not accepted"
        yield link, answers


def pdu(answers: BinaryIO) -> tuple[int, bytes]:
    """The next PDU that is answered; (0, b"") when the connection was closed or reset instead."""
    try:
        head = answers.read(6)
        kind, length = struct.unpack(">BxI", head) if len(head) == 6 else (0, 0)
        return kind, answers.read(length)
    except ConnectionResetError:
        return 0, b""


def status(answer: bytes) -> int:
    """The status in the body of a P-DATA."""
    at = answer.index(struct.pack("<HHI", 0, 0x900, 2)) + 8
    return int(struct.unpack_from("<H", answer, at)[0])
