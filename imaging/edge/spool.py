"""The spool: where received bytes are made durable before anybody is told that they are safe (spool before database).

What senders bring comes in under names that are durable already (`arrivals`); what is imported from a folder is written, synced, renamed,
and its directory synced (`durable`). Either way no reader ever sees half a file, and no name vanishes in a power cut.
"""

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from imaging.edge.arrivals import Arrivals
from imaging.edge.durable import PART, DurableFile, Piece, Unfinished, filled

ARRIVING = "arriving"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
LOOK_AGAIN_BYTES = 2**20  # written by one file before the disk's room is looked at again


class SpoolFull(Exception):
    """There is no room now, or less than the reserve would be left; later there may be."""


class SpoolBroken(Exception):
    """The disk failed. What it holds since the last success cannot be trusted, so nothing is retried."""


class Spool:
    """One directory of durable files, and `arriving` beside it on the same file system; `reserve` is in bytes."""

    def __init__(self, directory: Path, *, reserve: int) -> None:
        self.directory = directory
        self.reserve = reserve
        self.healthy = True
        self.arrivals = Arrivals(directory.with_name(ARRIVING), directory)

    def begin(self) -> "Incoming":
        """A file of a size not yet known, to be filled from its preamble on; SpoolFull or SpoolBroken leave nothing behind."""
        return Incoming(self, self._begun(self.arrivals.next))

    def take(self, name: str, pieces: Iterable[Piece], size: int) -> Path:
        """Make `size` bytes durable under `name`; SpoolFull or SpoolBroken leave nothing behind."""
        self.require(size)
        return filled(Incoming(self, self._begun(lambda: DurableFile(self.directory / name))), pieces)

    def _begun(self, begin: Callable[[], Unfinished]) -> Unfinished:
        if not self.healthy:
            raise SpoolBroken
        try:
            return begin()
        except OSError as error:
            raise self.judged(error) from None

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

    def prepare(self) -> None:
        """Have the first names ready before anybody calls; a disk that cannot says so when somebody does."""
        with contextlib.suppress(OSError):
            self.arrivals.next().drop()

    def settle(self) -> None:
        """Let go of what stands for instances that came: between associations, where it holds nobody up. SpoolFull or SpoolBroken."""
        try:
            self.arrivals.settle()
        except OSError as error:
            raise self.judged(error) from None

    def close(self) -> None:
        """Take back the names that were prepared; the next start does it where a disk cannot."""
        with contextlib.suppress(OSError):
            self.arrivals.close()

    def sweep(self) -> int:
        """At a start: show what was complete when a crash came; remove what was half written (never a success) and return how many."""
        halves = list(self.directory.glob(f"*{PART}"))
        for half in halves:
            half.unlink()
        return len(halves) + self.arrivals.recover()


class Incoming:
    """One file on its way into the spool. A fault at any step removes it and is SpoolFull or SpoolBroken."""

    def __init__(self, spool: Spool, file: Unfinished) -> None:
        self._spool, self._file, self._unlooked = spool, file, 0

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


def free_bytes(directory: Path) -> int:
    """Bytes that this process may still write on the directory's file system."""
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize
