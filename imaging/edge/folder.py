"""Import of a folder, a disc (DICOMDIR) or a ZIP of images into the spool: the listener's own door, for images that no PACS sends.

Every file gets one result. Names inside a folder or an archive are shown, never used: the spool has names of its own. Links are not
followed, an archive is read as a stream and within limits, and an archive inside an archive is not opened.
"""

import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from imaging.edge import directory_file, file_meta, part10
from imaging.edge.durable import PART, new_name
from imaging.edge.manifest import MAX_OBJECT_BYTES
from imaging.edge.spool import Spool

MOST_FILES = 500_000
MOST_RATIO, FREE_BYTES = 200, 2**30
"""An archive may unpack to so many times its own size, and to 1 GiB in any case; a bomb goes far beyond both."""
DIRECTORY_CLASS = "1.2.840.10008.1.3.10"
_PIECE, _LONGEST_NAME = 2**20, 300
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
"""What zipfile raises for an archive that it cannot unpack; the last is its word for a compression method it does not know."""


class NotImportable(Exception):
    """The source as a whole cannot be imported; the sentence says why."""


@dataclass(frozen=True)
class Result:
    """What became of one file: taken (into the spool, under `name`), passed (no image, `why` says what) or refused."""

    file: str
    became: str
    why: str = ""
    name: str = ""


@dataclass(frozen=True)
class _Found:
    """A file that can be opened, or the reason why it is not (`why`)."""

    file: str
    size: int = 0
    open: Callable[[], AbstractContextManager[BinaryIO]] | None = None
    why: str = ""


def take_in(source: Path, spool: Spool) -> Iterator[Result]:
    """Put every image of a folder, ZIP or DICOMDIR into the spool, durably, and say of each file what became of it.

    Raises NotImportable before the first result, SpoolFull or SpoolBroken as the listener would answer; what was taken before
    stays, and importing the same again is a resend.
    """
    for found in _files(source):
        yield _take(found, spool)


def _files(source: Path) -> Iterable[_Found]:
    if source.is_dir():
        return _in_folder(source)
    if not source.is_file():
        raise NotImportable(f"There is no folder, ZIP or DICOMDIR at {source}.")
    if zipfile.is_zipfile(source):
        return _in_zip(source)
    with source.open("rb") as file:
        meta = file_meta.read(file.read(file_meta.HEAD))
    if meta is not None and meta.sop_class == DIRECTORY_CLASS:
        return _in_directory(source)
    raise NotImportable(f"{source} is no folder, no ZIP and no DICOMDIR.")


def _in_folder(source: Path) -> Iterator[_Found]:
    count = 0
    for folder, names, files in os.walk(source, followlinks=False):
        names.sort()
        for name in sorted([*files, *(name for name in names if (Path(folder) / name).is_symlink())]):
            count += 1
            if count > MOST_FILES:
                raise NotImportable(f"The folder has more than {MOST_FILES} files; import it by parts.")
            yield _on_disk(Path(folder) / name, str((Path(folder) / name).relative_to(source)))


def _on_disk(path: Path, shown: str) -> _Found:
    if path.is_symlink():
        return _Found(shown, why="link")
    if not path.is_file():
        return _Found(shown, why="no-file")
    return _Found(shown, path.stat().st_size, lambda: _without_links(path))


def _without_links(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _in_directory(source: Path) -> Iterator[_Found]:
    """The files that a DICOMDIR lists, and nothing beside or above them."""
    base = source.parent
    try:
        listed = directory_file.listed(source)
    except directory_file.NoDirectory as fault:
        raise NotImportable(str(fault)) from None
    for parts in listed:
        shown = "/".join(parts)
        path = directory_file.locate(base, parts)
        yield _Found(shown, why="missing") if path is None else _on_disk(path, shown)


def _in_zip(source: Path) -> Iterator[_Found]:
    room = max(FREE_BYTES, MOST_RATIO * source.stat().st_size)
    with zipfile.ZipFile(source) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_FILES:
            raise NotImportable(f"The archive has more than {MOST_FILES} files; import it by parts.")
        if sum(entry.file_size for entry in entries) > room:
            raise NotImportable("The archive would unpack to far more than it holds; it is refused whole.")
        for entry in entries:
            if not entry.is_dir():
                yield _in_archive(archive, entry)


def _in_archive(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> _Found:
    if entry.flag_bits & 1:
        return _Found(entry.filename, why="encrypted")
    return _Found(entry.filename, entry.file_size, lambda: cast(AbstractContextManager[BinaryIO], archive.open(entry)))


def _take(found: _Found, spool: Spool) -> Result:
    shown = "".join(letter if letter.isprintable() else "?" for letter in found.file)[:_LONGEST_NAME]
    if found.open is None:
        return Result(shown, "refused", found.why)
    if found.size > MAX_OBJECT_BYTES:
        return Result(shown, "refused", "too-large")
    try:
        with found.open() as file:
            return _taken(file, found.size, shown, spool)
    except (_Damaged, *_BROKEN):
        return Result(shown, "refused", "damaged")
    except FileNotFoundError:
        return Result(shown, "refused", "no-file")
    except PermissionError:
        return Result(shown, "refused", "not-readable")


def _taken(file: BinaryIO, size: int, shown: str, spool: Spool) -> Result:
    head = _read(file) if size > file_meta.HEAD else file.read(size + 1)
    meta = file_meta.read(head[: file_meta.HEAD])
    if meta is None and not file_meta.looks_like_dicom(head):
        return Result(shown, "passed", "not-dicom")
    if meta is not None and meta.sop_class == DIRECTORY_CLASS:
        return Result(shown, "passed", "directory")
    start, ours = 0, b""  # without a usable header the bytes are kept as they are; the intake holds them for a person
    if meta is not None:
        start = meta.start
        ours = part10.header(
            sop_class=meta.sop_class, sop_instance=meta.sop_instance, transfer_syntax=meta.transfer_syntax, caller="FOLDER"
        )
    name = new_name()
    try:
        spool.take(name, _pieces(ours, head[start:], file, size - len(head)), len(ours) + size - start)
    except _Damaged:
        (spool.directory / (name + PART)).unlink(missing_ok=True)
        raise
    return Result(shown, "taken", name=name)


class _Damaged(Exception):
    """The source could not be read to its announced end; it is the source's fault, not the spool's."""


def _pieces(ours: bytes, head: bytes, file: BinaryIO, left: int) -> Iterator[bytes]:
    yield ours + head
    while piece := _read(file):
        left -= len(piece)
        if left < 0:
            raise _Damaged
        yield piece
    if left:
        raise _Damaged


def _read(file: BinaryIO) -> bytes:
    try:
        return file.read(_PIECE)
    except (OSError, *_BROKEN):
        raise _Damaged from None
