"""Names that are durable before anything comes in under them, so that one sync is all an instance waits for.

`arriving/` holds empty files in batches, synced with their directory. An instance is written into one of them; a mark in its preamble
(length and CRC-32 of all that follows) is written last, and one fdatasync makes content and mark durable, under a name that was so before.
It is then linked into the spool, where others see it. The name in `arriving/` goes only after the spool's own directory was synced: at
every moment a durable name leads to what was acknowledged, on any file system that keeps the promises of fsync, with a journal or without.
What lies in `arriving/` at a start was left by a crash: what its mark fits is complete, the rest was never acknowledged.
"""

import contextlib
import os
import struct
import threading
import zlib
from collections import deque
from pathlib import Path

from imaging.edge.durable import Piece, new_name, sync_directory

PREAMBLE = 128  # bytes of a Part 10 file that mean nothing (PS3.10 §7.1)
BATCH, MOST_BYTES = 32, 64 * 2**20
_MARK, _MAGIC = struct.Struct(">8sQI"), b"PRIME01\n"
_PIECE = 2**20


class Arrival:
    """One file that is being received, under a name that is durable already. The piece with the preamble and its mark is written last."""

    def __init__(self, path: Path, prepared: "Arrivals") -> None:
        self.path, self.size, self._prepared = path, 0, prepared
        self._first, self._check = b"", 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write(self, piece: Piece) -> None:
        """Append all of a piece; the first one begins with the preamble."""
        if self.size:
            self._check = zlib.crc32(piece, self._check)
            _write(self._descriptor, piece, self.size)
        else:
            self._first, self._check = bytes(piece), zlib.crc32(memoryview(piece)[PREAMBLE:])
        self.size += len(piece)

    def keep(self) -> Path:
        """Mark it complete, make it durable, show it in the spool; only after this may anybody be told that it is safe."""
        mark = _MARK.pack(_MAGIC, self.size, self._check)
        try:
            _write(self._descriptor, mark + self._first[len(mark) :], 0)
            os.fdatasync(self._descriptor)
        finally:
            self._close()
        return self._prepared.show(self)

    def drop(self) -> None:
        """Leave nothing behind."""
        self._close()
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _write(descriptor: int, piece: Piece, at: int) -> None:
    written = os.pwrite(descriptor, piece, at)
    while written < len(piece):
        written += os.pwrite(descriptor, memoryview(piece)[written:], at + written)


class Arrivals:
    """The prepared names of one spool. OSError is the disk's, and leaves no name in use that is not durable.

    The lock guards the lists only: nobody waits for a disk behind somebody else.
    """

    def __init__(self, directory: Path, spool: Path) -> None:
        self.directory, self.spool = directory, spool
        self._made: list[Arrival] = []
        self._ready: deque[Arrival] = deque()
        self._linked: list[Path] = []
        self._bytes = 0
        self._lock = threading.Lock()

    def next(self) -> Arrival:
        """A file to be filled."""
        while True:
            with self._lock:
                if self._ready:
                    return self._ready.popleft()
            self.directory.mkdir(mode=0o700, exist_ok=True)
            self._sync(self._make())

    def prepare(self) -> None:
        """One name more, while a sender that was answered gets its next instance ready; what goes wrong is told to who needs a name."""
        with contextlib.suppress(OSError):
            if len(self._ready) < BATCH:
                made = Arrival(self.directory / new_name(), self)
                with self._lock:
                    self._made.append(made)
                    batch = self._made if len(self._made) >= BATCH else []
                    self._made = [] if batch else self._made
                if batch:
                    self._sync(batch)

    def show(self, arrival: Arrival) -> Path:
        """Let the others see what is durable."""
        path = self.spool / arrival.path.name
        os.link(arrival.path, path)
        with self._lock:
            self._linked.append(arrival.path)
            self._bytes += arrival.size
            much = self._bytes > MOST_BYTES
        if much:
            self.settle()
        return path

    def settle(self) -> None:
        """Make the names in the spool durable, and let go of those that stood for them."""
        with self._lock:
            linked, self._linked, self._bytes = self._linked, [], 0
        if not linked:
            return
        try:
            sync_directory(self.spool)
        except OSError:
            with self._lock:
                self._linked += linked
            raise
        for path in linked:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        """Settle, and take back the names that were not used."""
        self.settle()
        with self._lock:
            unused = [*self._ready, *self._made]
            self._ready.clear()
            self._made.clear()
        for arrival in unused:
            arrival.drop()

    def recover(self) -> int:
        """At a start: show what a crash left complete, remove the rest; how many were removed. Nobody else may be at work here."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        left = sorted(self.directory.iterdir())
        whole = [path for path in left if is_complete(path)]
        for path in whole:
            with contextlib.suppress(FileExistsError):
                os.link(path, self.spool / path.name)
        sync_directory(self.spool)
        for path in left:
            path.unlink()
        return len(left) - len(whole)

    def _make(self) -> list[Arrival]:
        """A batch of names, not durable yet; fewer where the disk or the process has no more."""
        made: list[Arrival] = []
        try:
            for _ in range(BATCH):
                made.append(Arrival(self.directory / new_name(), self))
        except OSError:
            if not made:
                raise
        return made

    def _sync(self, made: list[Arrival]) -> None:
        """Make the names durable that were made, and settle at the same time."""
        try:
            self.settle()
            sync_directory(self.directory)
        except OSError:
            for arrival in made:
                arrival.drop()
            raise
        with self._lock:
            self._ready.extend(made)


def is_complete(path: Path) -> bool:
    """Whether a file is as long as its mark says and its bytes are those that were marked."""
    with path.open("rb") as file:
        head = file.read(PREAMBLE)
        if len(head) < PREAMBLE:
            return False
        magic, size, wanted = _MARK.unpack_from(head)
        if magic != _MAGIC or os.fstat(file.fileno()).st_size != size:
            return False
        check = 0
        while piece := file.read(_PIECE):
            check = zlib.crc32(piece, check)
    return bool(check == wanted)
