"""Where bytes live: `archive/<ab>/<sha256>` under the state directory, written durably, read with the hash verified.

Everything that touches a stored byte goes through this module, so that another store can take its place here.
"""

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from imaging.models import ArchivedObject

_PIECE = 2**20
_DIRECTORY, _FILE = 0o2750, 0o640  # the worker writes, the web reads by the group that a directory hands down


class ArchiveFault(Exception):
    """Bytes are missing or are not those that were stored; the sentence names the object."""


def root() -> Path:
    """The archive's directory, made when missing."""
    path = Path(settings.VAR) / "archive"
    path.mkdir(mode=_DIRECTORY, exist_ok=True)
    return path


def locate(sha256: str) -> Path:
    """Where the object with this hash is, or would be."""
    return root() / sha256[:2] / sha256


def put(source: Path, sha256: str) -> None:
    """Store the bytes of `source` under their hash, durable when this returns: written, synced, renamed, directory synced.

    `source` lies in a `workplace`, where a half-written copy that a killed worker leaves is removed with the rest.
    Storing what is there already changes nothing, unless the stored file is damaged: then it is made good.
    Raises ArchiveFault when `source` does not have that hash, OSError when the disk refuses.
    """
    target = locate(sha256)
    if target.exists() and _digest(target) == sha256:
        _sync_directory(target.parent)
        return
    if not target.parent.exists():
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(_DIRECTORY)  # whatever the process's umask
        _sync_directory(target.parent.parent)
    partial = source.with_name(f"{source.name}.{secrets.token_hex(8)}.part")
    try:
        if _copy(source, partial) != sha256:
            raise ArchiveFault(f"A file that was to be stored as {sha256} has other bytes.")
        partial.rename(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_directory(target.parent)


@contextmanager
def workplace(name: str) -> Iterator[Path]:
    """A private directory for files on their way in, gone afterwards; what a killed worker left under `name` is removed first.

    The caller holds the lock that makes it the only one who works under this name.
    """
    base = root() / ".incoming"
    base.mkdir(mode=0o700, exist_ok=True)
    for left in base.glob(f"{name}-*"):
        shutil.rmtree(left)
    with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=base) as directory:
        yield Path(directory)


def read(sha256: str) -> bytes:
    """The bytes of an object. Raises ArchiveFault when they are missing or altered."""
    try:
        data = locate(sha256).read_bytes()
    except FileNotFoundError:
        raise ArchiveFault(f"Object {sha256} is not in the archive.") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ArchiveFault(f"Object {sha256} was altered on disk.")
    return data


def verify() -> Iterator[str]:
    """Read every object again (NW-10) and yield one sentence for each whose file is missing, altered or of another length."""
    for sha256, size in ArchivedObject.objects.order_by("pk").values_list("sha256", "size").iterator():
        path = locate(sha256)
        try:
            digest, length = _digest(path), path.stat().st_size
        except FileNotFoundError:
            yield f"Object {sha256} is not in the archive."
        except OSError as error:
            yield f"Object {sha256} cannot be read: {error.strerror}."
        else:
            if digest != sha256:
                yield f"Object {sha256} was altered on disk."
            elif length != size:
                yield f"Object {sha256} has {length} bytes, its row says {size}."


def _copy(source: Path, partial: Path) -> str:
    """Copy into a new file, sync it, and return the SHA-256 of what was written."""
    hashed = hashlib.sha256()
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _FILE)
    with os.fdopen(descriptor, "wb") as written, source.open("rb") as read_from:
        os.fchmod(descriptor, _FILE)
        while piece := read_from.read(_PIECE):
            hashed.update(piece)
            written.write(piece)
        written.flush()
        os.fdatasync(written.fileno())
    return hashed.hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
