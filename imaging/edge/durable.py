"""Files that are whole and safe once they have their name: write, fdatasync(file), rename, fsync(directory).

No reader ever sees half a file, and no name vanishes in a power cut.
"""

import os
import secrets
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

PART = ".part"

Piece = bytes | memoryview


def new_name() -> str:
    """A name nobody else has, and no part of what was received (NW-05); in the order of time, which a file's own time is too coarse for."""
    return f"{time.time_ns():016x}{secrets.token_hex(8)}.dcm"


class Unfinished(Protocol):
    """What is filled, then kept or dropped."""

    def write(self, piece: Piece) -> None:
        """Append all of a piece."""

    def keep(self) -> Path:
        """Make it durable under its name."""

    def drop(self) -> None:
        """Leave nothing behind."""


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


def write_durably(path: Path, pieces: Iterable[Piece]) -> Path:
    """Write under a temporary name, sync, rename, sync the directory; on any failure nothing is left under either name."""
    return filled(DurableFile(path), pieces)


def filled(file: Unfinished, pieces: Iterable[Piece]) -> Path:
    """Write all pieces and keep the file, or drop it."""
    try:
        for piece in pieces:
            file.write(piece)
        return file.keep()
    except BaseException:
        file.drop()
        raise


def move(source: Path, target: Path) -> None:
    """Move on one file system; at every moment a durable name leads to the file, which a rename between two directories does not promise.

    A target that is another name of the same file already (`arrivals` shows what a crash left again) is as good.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        if not target.samefile(source):
            raise
    sync_directory(target.parent)
    source.unlink(missing_ok=True)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
