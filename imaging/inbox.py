"""The inbox: what the web takes in and the worker opens and removes: ciphertext packages of gateways, masks of readers."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from uuid import UUID

from django.conf import settings

RESERVE = 2 * 2**30  # bytes that stay free on the disk
_PIECE = 2**20
_SHARED_FILE, _SHARED_DIRECTORY = 0o660, 0o770  # web and worker are two users of one group


class NoRoom(Exception):
    """The disk's reserve would be used up."""


class CutShort(Exception):
    """The body ended before its announced length."""


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


def parts_older_than(seconds: float, now: float) -> Iterator[Path]:
    """Bodies that nobody is writing any more: their last byte came longer ago than `seconds` before `now` (Unix time)."""
    for path in directory().glob("*.part"):
        try:
            if now - path.stat().st_mtime > seconds:
                yield path
        except FileNotFoundError:
            continue
