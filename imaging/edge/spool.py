"""The spool: where received bytes are made durable before anybody is told that they are safe (spool before database).

The order is the promise: write, fdatasync(file), rename, fsync(directory), and only then success. No reader ever sees
half a file, and no name vanishes in a power cut.
"""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

PART = ".part"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})


class SpoolFull(Exception):
    """There is no room now, or less than the reserve would be left; later there may be."""


class SpoolBroken(Exception):
    """The disk failed. What it holds since the last success cannot be trusted, so nothing is retried."""


class Spool:
    """One directory of durable files, each under a name that the caller made; `reserve` is in bytes."""

    def __init__(self, directory: Path, *, reserve: int) -> None:
        self.directory = directory
        self.reserve = reserve
        self.healthy = True

    def take(self, name: str, pieces: Iterable[bytes | memoryview], size: int) -> Path:
        """Make `size` bytes durable under `name`; SpoolFull or SpoolBroken leave nothing behind."""
        if not self.healthy:
            raise SpoolBroken
        try:
            if free_bytes(self.directory) - size < self.reserve:
                raise SpoolFull
            return write_durably(self.directory / name, pieces)
        except OSError as error:
            if error.errno in FULL:
                raise SpoolFull from None
            self.healthy = False  # after a failed fsync the kernel may have dropped the pages: asking again proves nothing
            raise SpoolBroken from None

    def sweep(self) -> int:
        """Remove what a crash left half written (never answered with success) and return how many."""
        halves = list(self.directory.glob(f"*{PART}"))
        for half in halves:
            half.unlink()
        return len(halves)


def write_durably(path: Path, pieces: Iterable[bytes | memoryview]) -> Path:
    """Write under a temporary name, sync, rename, sync the directory; on any failure nothing is left under either name."""
    part = path.with_name(path.name + PART)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            for piece in pieces:
                _write_all(descriptor, memoryview(piece))
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        part.rename(path)
        sync_directory(path.parent)
    except OSError:
        part.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise
    return path


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


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
