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
    """One file that is being received, under a name that is durable already."""

    def __init__(self, path: Path, prepared: "Arrivals") -> None:
        self.path, self.size, self._prepared, self._check = path, 0, prepared, 0
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write(self, piece: Piece) -> None:
        """Append all of a piece; the first one begins with the preamble."""
        self._check = zlib.crc32(piece if self.size else memoryview(piece)[PREAMBLE:], self._check)
        written = os.write(self._descriptor, piece)
        while written < len(piece):
            written += os.write(self._descriptor, memoryview(piece)[written:])
        self.size += len(piece)

    def keep(self) -> Path:
        """Mark it complete, make it durable, show it in the spool; only after this may anybody be told that it is safe."""
        os.pwrite(self._descriptor, _MARK.pack(_MAGIC, self.size, self._check), 0)
        try:
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


class Arrivals:
    """The prepared names of one spool. OSError is the disk's, and leaves no name in use that is not durable."""

    def __init__(self, directory: Path, spool: Path) -> None:
        self.directory, self.spool = directory, spool
        self._made: list[Arrival] = []
        self._ready: deque[Arrival] = deque()
        self._linked: list[Path] = []
        self._bytes = 0
        self._lock = threading.Lock()

    def next(self) -> Arrival:
        """A file to be filled."""
        with self._lock:
            if not self._ready:
                self.directory.mkdir(mode=0o700, exist_ok=True)
                self._make(BATCH)
                self._sync()
            return self._ready.popleft()

    def prepare(self) -> None:
        """One name more, while a sender that was answered gets its next instance ready; what goes wrong is told to who needs a name."""
        with contextlib.suppress(OSError), self._lock:
            if len(self._made) + len(self._ready) < 2 * BATCH:
                self._make(1)
            if len(self._made) >= BATCH:
                self._sync()

    def show(self, arrival: Arrival) -> Path:
        """Let the others see what is durable."""
        path = self.spool / arrival.path.name
        os.link(arrival.path, path)
        with self._lock:
            self._linked.append(arrival.path)
            self._bytes += arrival.size
            if self._bytes > MOST_BYTES:
                self._settle()
        return path

    def settle(self) -> None:
        """Make the names in the spool durable, and let go of those that stood for them."""
        with self._lock:
            self._settle()

    def close(self) -> None:
        """Settle, and take back the names that were not used."""
        with self._lock:
            self._settle()
            for arrival in (*self._ready, *self._made):
                arrival.drop()
            self._ready.clear()
            self._made.clear()

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

    def _settle(self) -> None:
        if self._linked:
            sync_directory(self.spool)
            while self._linked:
                self._linked.pop().unlink(missing_ok=True)
            self._bytes = 0

    def _make(self, count: int) -> None:
        """More names, not durable yet; fewer where the disk or the process has no more."""
        try:
            for _ in range(count):
                self._made.append(Arrival(self.directory / new_name(), self))
        except OSError:
            if not self._made:
                raise

    def _sync(self) -> None:
        """Make the names durable that were made, and settle at the same time."""
        made, self._made = self._made, []
        try:
            self._settle()
            sync_directory(self.directory)
        except OSError:
            for arrival in made:
                arrival.drop()
            raise
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
