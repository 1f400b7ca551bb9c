"""Which kind of file holds a reader's outline? Told by its first bytes, never by its name. Pure."""

import re
from enum import StrEnum

from imaging import nifti

HEAD = 4096  # bytes that decide
_NRRD = re.compile(rb"NRRD000[1-5]\r?\n")
_ELSEWHERE = re.compile(rb"^\s*data ?file\s*:", re.IGNORECASE | re.MULTILINE)
_MOST_HEADER = 2**20


class Kind(StrEnum):
    """The formats that outlines come in. A DICOM object says itself whether it is a segmentation or a structure set."""

    NIFTI = "nifti"
    NRRD = "nrrd"
    DICOM = "dicom"


def kind_of(start: bytes) -> Kind | None:
    """The kind of a file that begins with these bytes (HEAD of them, or all); None for any other file."""
    if start[128:132] == b"DICM":
        return Kind.DICOM
    if _NRRD.match(start):
        return Kind.NRRD
    return Kind.NIFTI if nifti.is_nifti(start) else None


def names_another_file(nrrd: bytes) -> bool:
    """Whether an NRRD header leads to voxels in another file (its "data file" field), which could be any file of this machine."""
    header = re.split(rb"\r?\n\r?\n", nrrd[:_MOST_HEADER], maxsplit=1)[0]
    return bool(_ELSEWHERE.search(header))
