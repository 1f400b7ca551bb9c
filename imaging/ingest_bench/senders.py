"""Senders for `manage.py bench ingest`: stock `storescu`, and one of our own that never waits for Nagle's algorithm.

Stock senders write each PDU in two pieces and stall 40 ms where a receiver acknowledges late; pynetdicom's polls. The own sender
(TCP_NODELAY, acknowledging at once, everything read beforehand) shows how fast a receiver itself is.
"""

import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom.filereader import read_file_meta_info

from imaging.edge import turns
from imaging.edge.dicom import commands

CALLING, CALLED = "STORESCU", "BENCH"
CT, EXPLICIT = b"1.2.840.10008.5.1.4.1.1.2", b"1.2.840.10008.1.2.1"
SECONDS = 600
LARGEST_PDU = 2**17
_DATASET_AFTER = 144  # preamble, prefix and the group length element come before the rest of group 2


@dataclass(frozen=True)
class Sent:
    """How many instances were answered 0x0000, and the wall time from connecting to the release."""

    succeeded: int
    seconds: float


def stock(port: int, files: list[Path], associations: int) -> Sent:
    """`storescu` as it is installed, one process for each association; it halts at the first instance that is not a success."""
    begun = time.monotonic()
    running = [
        (len(part), subprocess.Popen(["storescu", "-aet", CALLING, "-aec", CALLED, "127.0.0.1", str(port), *map(str, part)]))
        for part in _parts(files, associations)
    ]
    succeeded = sum(count for count, process in running if process.wait(SECONDS) == 0)
    return Sent(succeeded, time.monotonic() - begun)


def nagle_free(port: int, files: list[Path], associations: int) -> Sent:
    """The own sender, one thread for each association; the files are read before the clock runs."""
    parts = [[_read(path) for path in part] for part in _parts(files, associations)]
    counts = [0] * len(parts)

    def one(place: int) -> None:
        turns.be_short()  # on a busy machine every receiver would seem as slow as the sender's own waits
        counts[place] = _send(port, parts[place])

    threads = [threading.Thread(target=one, args=(place,)) for place in range(len(parts))]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(sum(counts), time.monotonic() - begun)


SENDERS: dict[str, Callable[[int, list[Path], int], Sent]] = {"stock storescu": stock, "Nagle-free": nagle_free}


def _parts(files: list[Path], count: int) -> list[list[Path]]:
    return [files[place::count] for place in range(count)]


def _read(path: Path) -> tuple[bytes, bytes]:
    """The command set of a file's C-STORE, and its dataset."""
    meta, data = read_file_meta_info(path), path.read_bytes()
    command = commands.encode(
        [
            (commands.AFFECTED_CLASS, str(meta.MediaStorageSOPClassUID)),
            (commands.FIELD, commands.C_STORE),
            (commands.MESSAGE_ID, 1),
            (0x0700, 0),
            (commands.DATASET_TYPE, 0),
            (commands.AFFECTED_INSTANCE, str(meta.MediaStorageSOPInstanceUID)),
        ]
    )
    return command, data[_DATASET_AFTER + int(meta.FileMetaInformationGroupLength) :]


def is_accepting(port: int) -> bool:
    """Whether a receiver accepts an association by now."""
    try:
        with _associated(port) as (_, longest):
            return longest > 0
    except OSError:
        return False


def _send(port: int, instances: list[tuple[bytes, bytes]]) -> int:
    succeeded = 0
    with _associated(port) as (link, longest):
        for command, dataset in instances if longest else []:
            _send_message(link, commands.p_data(1, command=command), memoryview(dataset), longest - 6)
            kind, body = _pdu(link)
            if kind != 4:
                return succeeded
            succeeded += commands.number(commands.decode(body[6:]), commands.STATUS) == 0
    return succeeded


@contextmanager
def _associated(port: int) -> Iterator[tuple[socket.socket, int]]:
    """A connection and the longest PDU that the receiver takes, 0 where it let nobody in; released afterwards."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(_associate())
        kind, body = _pdu(link)
        yield link, _longest(body) if kind == 2 else 0
        if kind == 2:
            link.sendall(struct.pack(">BxI4x", 5, 4))
            _pdu(link)


def _send_message(link: socket.socket, head: bytes, dataset: memoryview, step: int) -> None:
    """Each PDU in one system call and without a copy, the first one behind the command, so that the sender is not what is measured."""
    for at in range(0, len(dataset), step):
        piece = dataset[at : at + step]
        head += struct.pack(">BxIIBB", 4, len(piece) + 6, len(piece) + 2, 1, 2 if at + step >= len(dataset) else 0)
        sent = link.sendmsg([head, piece])
        if sent < len(head) + len(piece):
            link.sendall((head + bytes(piece))[sent:])
        head = b""


def _pdu(link: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxI", _exactly(link, 6))
    return kind, _exactly(link, length)


def _exactly(link: socket.socket, count: int) -> bytes:
    """Receive so many bytes, acknowledging at once: a receiver that answers in two pieces must not wait for us either."""
    data = b""
    while len(data) < count:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        piece = link.recv(count - len(data))
        if not piece:
            raise ConnectionError("A receiver closed the connection.")
        data += piece
    return data


def _item(kind: int, data: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(data)) + data


def _associate() -> bytes:
    context = _item(0x20, b"\1\0\0\0" + _item(0x30, CT) + _item(0x40, EXPLICIT))
    user = _item(0x50, _item(0x51, struct.pack(">I", 16384)) + _item(0x52, b"2.25.1"))
    titles = CALLED.encode().ljust(16) + CALLING.encode().ljust(16)
    body = struct.pack(">H2x", 1) + titles + bytes(32) + _item(0x10, b"1.2.840.10008.3.1.1.1") + context + user
    return struct.pack(">BxI", 1, len(body)) + body


def _longest(accepted: bytes) -> int:
    """The longest PDU that the receiver takes (0: any)."""
    at = accepted.index(b"\x51\0\0\4") + 4
    return min(int(struct.unpack_from(">I", accepted, at)[0]) or LARGEST_PDU, LARGEST_PDU)
