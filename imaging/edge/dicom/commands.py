"""DIMSE command sets (PS3.7 §6.3, §9.3, §10.3): a few elements of group 0 in implicit VR little endian, and the P-DATA that carries it."""

import re
import struct
from collections.abc import Iterable

UID = re.compile(r"(?=.{1,64}\Z)(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))*")
C_STORE, C_ECHO, N_ACTION, C_CANCEL, N_EVENT_REPORT = 0x0001, 0x0030, 0x0130, 0x0FFF, 0x0100
RESPONSE = 0x8000
NO_DATASET = 0x0101

AFFECTED_CLASS, REQUESTED_CLASS, FIELD, MESSAGE_ID, RESPONDED_TO = 0x0002, 0x0003, 0x0100, 0x0110, 0x0120
DATASET_TYPE, STATUS, AFFECTED_INSTANCE, REQUESTED_INSTANCE = 0x0800, 0x0900, 0x1000, 0x1001
EVENT_TYPE, ACTION_TYPE = 0x1002, 0x1008

_ELEMENT = struct.Struct("<HHI")
_ECHOED = (
    (AFFECTED_CLASS, AFFECTED_CLASS),
    (AFFECTED_INSTANCE, AFFECTED_INSTANCE),
    (REQUESTED_CLASS, AFFECTED_CLASS),
    (REQUESTED_INSTANCE, AFFECTED_INSTANCE),
)
SMALLEST_PDU = 4096

Command = dict[int, bytes]


class Malformed(Exception):
    """Bytes that are no command set."""


def decode(data: bytes) -> Command:
    """Element number → value as it came. Malformed when it is not flat group 0 with every length inside."""
    command: Command = {}
    at = 0
    while at < len(data):
        if at + _ELEMENT.size > len(data):
            raise Malformed
        group, element, length = _ELEMENT.unpack_from(data, at)
        at += _ELEMENT.size
        if group != 0 or at + length > len(data):
            raise Malformed
        command[element] = data[at : at + length]
        at += length
    if len(command.get(FIELD, b"")) != 2 or len(command.get(DATASET_TYPE, b"")) != 2:
        raise Malformed
    return command


def number(command: Command, element: int) -> int:
    """A US value; 0 when it is missing."""
    value = command.get(element, b"")
    return int(struct.unpack("<H", value)[0]) if len(value) == 2 else 0


def uid(command: Command, element: int) -> str:
    """A UID as it came, without padding; what is not ASCII becomes a question mark, which no UID has."""
    return command.get(element, b"").rstrip(b"\0 ").decode("ascii", "replace").replace("\ufffd", "?")


def encode(elements: Iterable[tuple[int, int | str]]) -> bytes:
    """A command set: US for numbers, UI for texts, with its group length."""
    data = b"".join(_encoded(element, value) for element, value in elements)
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(data)) + data


def _encoded(element: int, value: int | str) -> bytes:
    data = struct.pack("<H", value) if isinstance(value, int) else value.encode("ascii")
    data += b"\0" * (len(data) % 2)
    return _ELEMENT.pack(0, element, len(data)) + data


def answer(request: Command, status: int) -> bytes:
    """The response to a request: its kind, its message id, its UIDs where they are well formed, and the status."""
    elements: list[tuple[int, int | str]] = [
        (FIELD, number(request, FIELD) | RESPONSE),
        (RESPONDED_TO, number(request, MESSAGE_ID)),
        (DATASET_TYPE, NO_DATASET),
        (STATUS, status),
    ]
    for asked, answered in _ECHOED:
        if UID.fullmatch(uid(request, asked)):
            elements.append((answered, uid(request, asked)))
    if ACTION_TYPE in request:
        elements.append((ACTION_TYPE, number(request, ACTION_TYPE)))
    return encode(sorted(elements))


def p_data(context: int, *, command: bytes = b"", dataset: bytes = b"") -> bytes:
    """P-DATA-TF PDUs of one message: its command set and, where there is one, its dataset (each below the smallest PDU a peer takes)."""
    return b"".join(_pdus(context, 1, command) + (_pdus(context, 0, dataset) if dataset else []))


def _pdus(context: int, kind: int, data: bytes) -> list[bytes]:
    step = SMALLEST_PDU - 6
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    return [
        struct.pack(">BxIIBB", 4, len(piece) + 6, len(piece) + 2, context, kind | (2 if place == len(pieces) - 1 else 0)) + piece
        for place, piece in enumerate(pieces)
    ]
