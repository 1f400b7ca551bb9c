"""The spool: where received bytes are made durable before anybody is told that they are safe (spool before database).

The order is the promise: write, fdatasync(file), rename, fsync(directory), and only then success. No reader ever sees
half a file, and no name vanishes in a power cut.
"""

import contextlib
import errno
import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path

PART = ".part"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
LOOK_AGAIN_BYTES = 2**20  # written by one file before the disk's room is looked at again

Piece = bytes | memoryview


def new_name() -> str:
    """A name nobody else has, and no part of what was received (NW-05); in the order of time, which a file's own time is too coarse for."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}.dcm"


class SpoolFull(Exception):
    """There is no room now, or less than the reserve would be left; later there may be."""


class SpoolBroken(Exception):
    """The disk failed. What it holds since the last success cannot be trusted, so nothing is retried."""


class DurableFile:
    """A file under a temporary name until `keep` made it durable under its own; on any failure nothing is left under either."""

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, path.with_name(path.name + PART)
        self._descriptor = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def write(self, piece: Piece) -> None:
        """Append all of a piece."""
        written = os.write(self._descriptor, piece)
        while written < len(piece):
            piece = memoryview(piece)[written:]
            written = os.write(self._descriptor, piece)

    def keep(self) -> Path:
        """Sync, close, rename, sync the directory."""
        try:
            os.fdatasync(self._descriptor)
        finally:
            self._close()
        self.part.rename(self.path)
        sync_directory(self.path.parent)
        return self.path

    def drop(self) -> None:
        """Remove it, under whichever name it is."""
        self._close()
        self.part.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class Spool:
    """One directory of durable files, each under a name that the caller made; `reserve` is in bytes."""

    def __init__(self, directory: Path, *, reserve: int) -> None:
        self.directory = directory
        self.reserve = reserve
        self.healthy = True

    def begin(self, name: str) -> "Incoming":
        """A file of a size not yet known, to be made durable under `name`; SpoolFull or SpoolBroken leave nothing behind."""
        return Incoming(self, name)

    def take(self, name: str, pieces: Iterable[Piece], size: int) -> Path:
        """Make `size` bytes durable under `name`; SpoolFull or SpoolBroken leave nothing behind."""
        self.require(size)
        return _filled(self.begin(name), pieces)

    def require(self, size: int) -> None:
        """SpoolFull when `size` bytes more would go into the reserve."""
        if not self.healthy:
            raise SpoolBroken
        try:
            free = free_bytes(self.directory)
        except OSError as error:
            raise self.judged(error) from None
        if free - size < self.reserve:
            raise SpoolFull

    def judged(self, error: OSError) -> SpoolFull | SpoolBroken:
        """What a fault of the disk means: no room now, or (from then on, until a restart) broken."""
        if error.errno in FULL:
            return SpoolFull()
        self.healthy = False  # after a failed fsync the kernel may have dropped the pages: asking again proves nothing
        return SpoolBroken()

    def sweep(self) -> int:
        """Remove what a crash left half written (never answered with success) and return how many."""
        halves = list(self.directory.glob(f"*{PART}"))
        for half in halves:
            half.unlink()
        return len(halves)


class Incoming:
    """One file on its way into the spool. A fault at any step removes it and is SpoolFull or SpoolBroken."""

    def __init__(self, spool: Spool, name: str) -> None:
        self._spool, self._unlooked = spool, 0
        spool.require(0)
        try:
            self._file = DurableFile(spool.directory / name)
        except OSError as error:
            raise spool.judged(error) from None

    def write(self, piece: Piece) -> None:
        """Append a piece; now and then see that the reserve is still free."""
        self._unlooked += len(piece)
        if self._unlooked >= LOOK_AGAIN_BYTES:
            self._unlooked = 0
            self._spool.require(len(piece))
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._spool.judged(error) from None

    def keep(self) -> Path:
        """Make it durable, unless it went into the reserve; only after this may anybody be told that it is safe."""
        self._spool.require(0)
        try:
            return self._file.keep()
        except OSError as error:
            raise self._spool.judged(error) from None

    def drop(self) -> None:
        """Remove it; a disk that cannot even do that has it swept at the next start."""
        with contextlib.suppress(OSError):
            self._file.drop()


def write_durably(path: Path, pieces: Iterable[Piece]) -> Path:
    """Write under a temporary name, sync, rename, sync the directory; on any failure nothing is left under either name."""
    return _filled(DurableFile(path), pieces)


def _filled(file: DurableFile | Incoming, pieces: Iterable[Piece]) -> Path:
    try:
        for piece in pieces:
            file.write(piece)
        return file.keep()
    except BaseException:
        file.drop()
        raise


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(directory: Path) -> int:
    """Bytes that this process may still write on the directory's file system."""
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize
