"""Import of a folder or disc of DICOM files into the spool: the same door as the listener's, for images that no PACS sends."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

from pydicom import config
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from imaging.edge import part10
from imaging.edge.listener import UID
from imaging.edge.spool import Spool

_META_START = 144  # preamble, prefix and the group length element (PS3.10 §7.1)


def take_in(source: Path, spool: Spool) -> tuple[int, int]:
    """Put every DICOM file below `source` into the spool, durably; return how many were taken and how many were no DICOM file.

    Raises SpoolFull or SpoolBroken as the listener would answer; what was taken before stays, and a second import of the same
    folder is a resend.
    """
    taken = skipped = 0
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        pieces = _pieces(path)
        if pieces is None:
            skipped += 1
            continue
        spool.take(f"{uuid4().hex}.dcm", pieces, path.stat().st_size)
        taken += 1
    return taken, skipped


def _pieces(path: Path) -> Iterator[bytes] | None:
    """The file with a header of our own; None when it is no DICOM file."""
    mode, config.settings.reading_validation_mode = config.settings.reading_validation_mode, config.IGNORE
    try:
        meta = read_file_meta_info(path)
        affected = str(meta.MediaStorageSOPClassUID), str(meta.MediaStorageSOPInstanceUID), str(meta.TransferSyntaxUID)
        start = _META_START + int(meta.FileMetaInformationGroupLength)
    except (InvalidDicomError, AttributeError, TypeError, ValueError, EOFError, OSError):
        return None
    finally:
        config.settings.reading_validation_mode = mode
    if not all(UID.fullmatch(uid) for uid in affected):
        return None
    head = part10.header(sop_class=affected[0], sop_instance=affected[1], transfer_syntax=affected[2], caller="FOLDER")
    return _with_dataset(head, path, start)


def _with_dataset(head: bytes, path: Path, start: int) -> Iterator[bytes]:
    yield head
    with path.open("rb") as file:
        file.seek(start)
        while piece := file.read(2**20):
            yield piece
