"""What the header of a DICOM file says (PS3.10 §7.1), read from its first bytes within limits, without parsing the dataset.

A file whose header is missing or broken may still be an image: `looks_like_dicom` knows it by its first element, so that it is held for a
person instead of being passed over.
"""

import struct
from dataclasses import dataclass

from imaging.edge.dicom.commands import UID

HEAD = 65_536
"""So many bytes of a file hold its whole header; a longer one is broken."""
_PREFIX = slice(128, 132)
_START = 132
_LONG = frozenset({b"OB", b"OW", b"OF", b"OD", b"OL", b"SQ", b"UC", b"UN", b"UR", b"UT"})
_CLASS, _INSTANCE, _SYNTAX = 0x0002, 0x0003, 0x0010
_FIRST_GROUPS = frozenset({0x0002, 0x0008})


@dataclass(frozen=True)
class FileMeta:
    """Class, instance and transfer syntax that a file's header names, and the offset of its dataset."""

    sop_class: str
    sop_instance: str
    transfer_syntax: str
    start: int


def read(head: bytes) -> FileMeta | None:
    """The header in the first HEAD bytes of a file; None when there is none, or it names no valid class, instance and syntax."""
    if head[_PREFIX] != b"DICM":
        return None
    found, place = {}, _START
    while place + 8 <= len(head) and head[place : place + 2] == b"\2\0":
        element, vr, length = struct.unpack_from("<H2sH", head, place + 2)
        value = place + 8
        if vr in _LONG:
            if place + 12 > len(head):
                return None
            (length,), value = struct.unpack_from("<I", head, place + 8), place + 12
        place = value + length
        if place > len(head):
            return None
        found[element] = head[value:place].rstrip(b"\0 ").decode("ascii", errors="replace")
    named = FileMeta(found.get(_CLASS, ""), found.get(_INSTANCE, ""), found.get(_SYNTAX, ""), place)
    valid = all(UID.fullmatch(uid) for uid in (named.sop_class, named.sop_instance, named.transfer_syntax))
    return named if valid else None


def looks_like_dicom(head: bytes) -> bool:
    """Whether a file without a usable header begins like one of DICOM all the same: the prefix, or a first element of group 2 or 8."""
    if head[_PREFIX] == b"DICM":
        return True
    if len(head) < 8:
        return False
    group, element, vr, length = struct.unpack_from("<HH2sH", head)
    if group not in _FIRST_GROUPS or element > 0x0070:
        return False
    explicit = vr.isalpha() and vr.isupper()
    return explicit or struct.unpack_from("<I", head, 4)[0] <= min(len(head), 1024) or not length
