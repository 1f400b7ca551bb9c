"""The inbox: what the web takes in and the worker opens and removes: ciphertext packages of gateways, masks of readers."""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from django.conf import settings
from django.http import UnreadablePostError

RESERVE = 2 * 2**30  # bytes that stay free on the disk
_PIECE = 2**20
_MOMENT = 2.0  # seconds
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_SHARED_FILE, _SHARED_DIRECTORY = 0o660, 0o770  # web and worker are two users of one group


class NoRoom(Exception):
    """The disk's reserve would be used up."""


class CutShort(Exception):
    """The body ended before its announced length."""


class OutOfStep(Exception):
    """A part does not continue what is here; `received` says how many bytes are."""

    def __init__(self, received: int) -> None:
        super().__init__(received)
        self.received = received


class Altered(Exception):
    """The bytes that came are not those that were signed."""


class Readable(Protocol):
    """Where a body is read from, piece by piece."""

    def read(self, size: int) -> bytes: ...


def directory() -> Path:
    """The inbox's directory, made when missing."""
    path = Path(settings.VAR) / "inbox"
    path.mkdir(mode=_SHARED_DIRECTORY, parents=True, exist_ok=True)
    return path


def locate(digest: str) -> Path:
    """Where the ciphertext of the package with this id is, or would be."""
    return directory() / f"{digest}.package"


def receive(body: Readable, length: int) -> tuple[Path, str]:
    """Stream a body of `length` bytes into a new `.part` file, synced; return it and its SHA-256. Raises NoRoom, CutShort."""
    if shutil.disk_usage(directory()).free < length + RESERVE:
        raise NoRoom
    part = directory() / f"{secrets.token_hex(16)}.part"
    hashed, seen = hashlib.sha256(), 0
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _SHARED_FILE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _SHARED_FILE)
            while seen < length and (piece := body.read(min(_PIECE, length - seen))):
                hashed.update(piece)
                file.write(piece)
                seen += len(piece)
            file.flush()
            os.fsync(file.fileno())
        if seen != length:
            raise CutShort
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part, hashed.hexdigest()


def coming(gateway_id: int, digest: str, sha256: str) -> Path:
    """Where the bytes of a package gather while it is sent, however often the connection breaks."""
    return directory() / f"{gateway_id}-{digest}-{sha256}.coming"


def received(path: Path) -> int:
    """How many bytes of a package have come; a request that was cut off is given a moment to write down its last ones."""
    end = time.monotonic() + _MOMENT
    while path.exists():
        with path.open("rb") as file, suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return os.fstat(file.fileno()).st_size
        if time.monotonic() > end:
            return path.stat().st_size
        time.sleep(_MOMENT / 100)
    return 0


def gather(path: Path, body: Readable, *, start: int, length: int, total: int, sha256: str) -> bool:
    """Add `length` bytes at `start` to what came before; whether the package is whole now (and truly the one of `sha256`).

    What came stays when the body is cut short (CutShort). Raises NoRoom, OutOfStep, Altered (then nothing is left).
    """
    if shutil.disk_usage(directory()).free < total - start + RESERVE:
        raise NoRoom
    try:
        whole = _gather(path, body, start, length, total=total, sha256=sha256)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise NoRoom from None
        raise
    if whole is False:
        path.unlink(missing_ok=True)
        raise Altered
    return whole is True


def _gather(path: Path, body: Readable, start: int, length: int, *, total: int, sha256: str) -> bool | None:
    """Whether the package's bytes are the signed ones; None while more must come."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _SHARED_FILE)
    with os.fdopen(descriptor, "r+b") as file:
        os.fchmod(descriptor, _SHARED_FILE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutOfStep(os.fstat(descriptor).st_size) from None  # another request of the same gateway is writing
        here = os.fstat(descriptor).st_size
        if start > here or start + length > total:
            raise OutOfStep(here)
        file.seek(start)
        seen = _copy(body, file, length)
        file.flush()
        os.fsync(descriptor)
        if seen != length:
            raise CutShort
        if start + length < total:
            return None
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _copy(body: Readable, file: BinaryIO, length: int) -> int:
    """Copy at most `length` bytes; fewer when the sender went away."""
    seen = 0
    try:
        while seen < length and (piece := body.read(min(_PIECE, length - seen))):
            file.write(piece)
            seen += len(piece)
    except UnreadablePostError:
        pass
    return seen


def keep(part: Path, digest: str) -> int:
    """Give a received package its name, durable when this returns; the size in bytes."""
    return _settle(part, locate(digest))


def locate_mask(identity: UUID) -> Path:
    """Where the reader's mask that was uploaded under this id is, until it is archived."""
    return directory() / f"{identity}.mask"


def keep_mask(part: Path, identity: UUID) -> int:
    """Give a received mask its name, durable when this returns; the size in bytes."""
    return _settle(part, locate_mask(identity))


def masks_older_than(seconds: float, now: float) -> Iterator[tuple[UUID, Path]]:
    """The masks that lie here for longer than `seconds` before `now` (Unix time), with their ids."""
    for path in directory().glob("*.mask"):
        if now - path.stat().st_mtime > seconds:
            yield UUID(path.stem), path


def _settle(part: Path, target: Path) -> int:
    part.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return target.stat().st_size


def remove(digest: str) -> None:
    """Forget the ciphertext of a package that was answered."""
    locate(digest).unlink(missing_ok=True)


def digests() -> Iterator[str]:
    """The ids of the packages that lie in the inbox."""
    for path in directory().glob("*.package"):
        yield path.stem


def parts_older_than(seconds: float, now: float, kind: str = "part") -> Iterator[Path]:
    """Bodies that nobody is writing any more: their last byte came longer ago than `seconds` before `now` (Unix time)."""
    for path in directory().glob(f"*.{kind}"):
        try:
            if now - path.stat().st_mtime > seconds:
                yield path
        except FileNotFoundError:
            continue
