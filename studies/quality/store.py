"""Where masked pictures of sources and documents of centers lie: `sources/<ab>/<sha256>` and `papers/…` under the state directory.

Written durably, read with the hash verified. They are apart from the archive of images: the web process writes them itself, and a picture
that shows too much is destroyed; a document stays.
"""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from studies.models import GateDocument, SourceImage

SOURCES, PAPERS = "sources", "papers"


class StoreFault(Exception):
    """Bytes are missing or are not those that were stored."""


def put(data: bytes, room: str = SOURCES) -> str:
    """Store bytes under their hash, durable when this returns; the hash. Stored again they stay as they are."""
    sha256 = hashlib.sha256(data).hexdigest()
    target = _locate(sha256, room)
    if target.exists() and _digest(target) == sha256:
        return sha256
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    partial = target.with_name(f"{sha256}.{secrets.token_hex(8)}.part")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(target.parent)
    return sha256


def read(sha256: str, room: str = SOURCES) -> bytes:
    """The bytes of a picture or document. Raises StoreFault when they are missing or altered."""
    try:
        data = _locate(sha256, room).read_bytes()
    except FileNotFoundError:
        raise StoreFault(f"Source {sha256} is not in the store.") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreFault(f"Source {sha256} was altered on disk.")
    return data


def destroy(sha256: str) -> None:
    """Take the bytes away for good; taken away twice is once."""
    _locate(sha256).unlink(missing_ok=True)


def verify() -> Iterator[str]:
    """Read every picture again and yield one sentence for each whose bytes are missing or altered, and for each that should be gone."""
    standing = set(SourceImage.objects.filter(removed_at=None).values_list("sha256", flat=True))
    for sha256 in sorted(standing):
        try:
            read(sha256)
        except StoreFault as fault:
            yield str(fault)
    for sha256 in sorted(set(SourceImage.objects.exclude(removed_at=None).values_list("sha256", flat=True)) - standing):
        if _locate(sha256).exists():
            yield f"Source {sha256} was removed but its bytes are still there."


def verify_papers() -> Iterator[str]:
    """Read every document of a center's gate again and yield one sentence for each whose bytes are missing or altered."""
    for sha256 in sorted(set(GateDocument.objects.exclude(sha256="").values_list("sha256", flat=True))):
        try:
            read(sha256, PAPERS)
        except StoreFault as fault:
            yield str(fault)


def _locate(sha256: str, room: str = SOURCES) -> Path:
    return Path(settings.VAR) / room / sha256[:2] / sha256


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
