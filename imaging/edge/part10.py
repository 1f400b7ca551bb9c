"""The file header that the edge writes before a received dataset (PS3.10 §7.1), so that its transfer syntax is kept.

It holds what the C-STORE request said (affected class and instance, the context's transfer syntax, the caller), not what the dataset
says: the two are compared later, by somebody who parses.
"""

import struct

IMPLEMENTATION_UID = "2.25.218432903873498157342098143098734529812"
IMPLEMENTATION_VERSION = "PRIME_EDGE_1"


def header(*, sop_class: str, sop_instance: str, transfer_syntax: str, caller: str) -> bytes:
    """128 zero bytes, `DICM` and a group 2 in explicit VR little endian."""
    elements = (
        struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2)
        + b"\0\1"
        + _text(0x0002, b"UI", sop_class)
        + _text(0x0003, b"UI", sop_instance)
        + _text(0x0010, b"UI", transfer_syntax)
        + _text(0x0012, b"UI", IMPLEMENTATION_UID)
        + _text(0x0013, b"SH", IMPLEMENTATION_VERSION)
        + _text(0x0016, b"AE", caller)
    )
    return bytes(128) + b"DICM" + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(elements)) + elements


def _text(element: int, vr: bytes, value: str) -> bytes:
    data = value.encode("ascii")
    data += (b"\0" if vr == b"UI" else b" ") * (len(data) % 2)
    return struct.pack("<HH2sH", 2, element, vr, len(data)) + data
