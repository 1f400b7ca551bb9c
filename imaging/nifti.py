"""NIfTI files at the door: told by their header, and cleared of the free text in which programs leave names and numbers. Pure.

Only the header's text fields and extensions are blanked; grid and voxels stay byte for byte (NIfTI-1.1 `nifti1.h`, NIfTI-2 `nifti2.h`).
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass

HEAD = 544  # bytes that decide: the longer of the two headers and its extension flag
MOST_BYTES = 2**30  # of a mask when unpacked
_GZIP = b"\x1f\x8b"


class NotNifti(ValueError):
    """These bytes are no whole single-file NIfTI image, or one that is too large when unpacked."""


@dataclass(frozen=True)
class _Layout:
    length: int
    magic: slice
    begin: tuple[str, int]
    axes: tuple[str, int]
    bits: tuple[str, int]
    text: tuple[slice, ...]


_LAYOUTS = {
    b"n+1\0": _Layout(
        348, slice(344, 348), begin=("f", 108), axes=("8h", 40), bits=("h", 72),
        text=(slice(4, 32), slice(148, 252), slice(328, 344)),  # data_type, db_name; descrip, aux_file; intent_name
    ),
    b"n+2\0": _Layout(
        540, slice(4, 12), begin=("q", 168), axes=("8q", 16), bits=("h", 14),
        text=(slice(240, 344), slice(508, 524)),  # descrip, aux_file; intent_name
    ),
}  # fmt: skip
"""By magic number: where a header says its fields, as (struct format, offset)."""


def is_nifti(start: bytes) -> bool:
    """Whether a file that begins with these bytes (packed with gzip or not; a few KiB are enough) is a single-file NIfTI-1 or -2."""
    try:
        _layout(_unpacked(start, HEAD)[:HEAD])
    except NotNifti:
        return False
    return True


def blanked(data: bytes) -> bytes:
    """The same image packed with gzip, its text fields and extensions zeroed; the same bytes for the same voxels and grid.

    Raises NotNifti.
    """
    plain = bytearray(_unpacked(data, MOST_BYTES + 1))
    if len(plain) > MOST_BYTES:
        raise NotNifti("too large when unpacked")
    layout, order = _layout(bytes(plain[:HEAD]))
    begin = _begin(layout, order, plain)
    for field in (*layout.text, slice(layout.length, begin)):
        plain[field] = bytes(field.stop - field.start)
    return gzip.compress(bytes(plain), compresslevel=6, mtime=0)


def _unpacked(data: bytes, most: int) -> bytes:
    if not data.startswith(_GZIP):
        return data[:most]
    try:
        return zlib.decompressobj(wbits=31).decompress(data, most)
    except zlib.error as error:
        raise NotNifti("damaged") from error


def _begin(layout: _Layout, order: str, plain: bytearray) -> int:
    """Where the voxels begin, once all that the header announces are there (readers fill up what is missing with zeros)."""

    def said(field: tuple[str, int]) -> tuple[float, ...]:
        return struct.unpack_from(order + field[0], plain, field[1])

    begin, bits, (count, *axes) = int(said(layout.begin)[0]), int(said(layout.bits)[0]), map(int, said(layout.axes))
    if not (1 <= count <= len(axes) and all(length >= 1 for length in axes[:count]) and begin >= layout.length):
        raise NotNifti("its header contradicts itself")
    if len(plain) < begin + math.prod(axes[:count]) * bits // 8:
        raise NotNifti("voxels are missing")
    return begin


def _layout(head: bytes) -> tuple[_Layout, str]:
    """The layout and the byte order of a header."""
    for magic, layout in _LAYOUTS.items():
        for order in "<>":
            if head[:4] == struct.pack(f"{order}i", layout.length) and head[layout.magic].startswith(magic):
                return layout, order
    raise NotNifti("no NIfTI header")
