"""Pixel data as it may leave: exactly the samples, nothing before, between or after them (DI-02).

Uncompressed data are cut to the length that the image's own numbers give. Of a compressed frame leave the listed segments and the coded
samples; application segments, comments, thumbnails, unknown markers, bytes after its end do not, and the offset table is new. What
stands inside the coded samples of a JPEG scan or a JPEG 2000 tile is not told apart from them without decoding.
"""

import re

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

JPEG = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1, JPEGLSLossless, JPEGLSNearLossless})
LOSSY = frozenset({JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000})
J2K = frozenset({JPEG2000, JPEG2000Lossless})
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_JPEG_KEPT = frozenset({*range(0xC0, 0xC8), *range(0xC9, 0xD0), _SOS, 0xDB, 0xDC, 0xDD, 0xF7, 0xF8})  # frames, tables, scans; JPEG-LS
_JPEG_MARKER = re.compile(rb"\xff[\x80-\xcf\xd8-\xff]")  # in coded samples 0xFF is followed by less, or by a restart marker
_SOC, _SOT, _SOD = 0x4F, 0x90, 0x93
_J2K_KEPT = frozenset({0x51, 0x52, 0x53, 0x5C, 0x5D, 0x5E, 0x5F, 0x60, 0x61})  # size, coding, quantisation, regions, order, packed headers
_RLE_HEADER, _RLE_MOST = 64, 15


class FramesRefused(Exception):
    """Pixel data cannot be taken apart; the argument is a reason code."""


def native(image: Dataset, data: bytes) -> bytes:
    """The samples of an uncompressed image, padded to an even length with zero; FramesRefused when there are too few."""
    length = expected_length(image)
    if len(data) < length or length == 0:
        raise FramesRefused("pixel-length")
    return data[:length] + bytes(length % 2)


def expected_length(image: Dataset) -> int:
    """Bytes of uncompressed pixel data that Rows, Columns, SamplesPerPixel, BitsAllocated and NumberOfFrames announce."""
    frames = int(image.get("NumberOfFrames") or 1)
    samples = int(image.Rows) * int(image.Columns) * int(image.get("SamplesPerPixel") or 1) * frames
    return (samples * int(image.BitsAllocated) + 7) // 8


def encapsulated(image: Dataset, data: bytes, transfer_syntax: str) -> bytes:
    """The compressed frames, each cleaned, encapsulated anew; FramesRefused when they cannot be read as such."""
    count = int(image.get("NumberOfFrames") or 1)
    try:
        frames = list(generate_frames(data, number_of_frames=count))
    except Exception:
        raise FramesRefused("pixel-frames") from None
    if len(frames) != count:
        raise FramesRefused("pixel-frames")
    return encapsulate([_clean(image, frame, transfer_syntax) for frame in frames], has_bot=True)


def _clean(image: Dataset, frame: bytes, transfer_syntax: str) -> bytes:
    """One compressed frame with nothing but its image."""
    try:
        if transfer_syntax in JPEG:
            cleaned = _jpeg(frame)
        elif transfer_syntax in J2K:
            cleaned = _jpeg_2000(frame)
        elif transfer_syntax == RLELossless:
            planes = int(image.get("SamplesPerPixel") or 1) * (int(image.BitsAllocated) // 8)
            cleaned = _rle(frame, planes, int(image.Rows) * int(image.Columns))
        else:
            raise FramesRefused("transfer-syntax")
    except IndexError:
        raise FramesRefused("pixel-frames") from None
    return cleaned + bytes(len(cleaned) % 2)


def _jpeg(frame: bytes) -> bytes:
    """A JPEG or JPEG-LS stream: the listed segments, the samples of every scan, and the first end."""
    if frame[:2] != bytes([0xFF, _SOI]):
        raise FramesRefused("pixel-frames")
    kept, at = bytearray(frame[:2]), 2
    while frame[at + 1] != _EOI:
        marker, end = frame[at + 1], _segment_end(frame, at)
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker in _JPEG_KEPT:
            kept += frame[at:end]
        at = end
        if marker == _SOS:
            found = _JPEG_MARKER.search(frame, at)
            if found is None:
                raise FramesRefused("pixel-frames")
            kept += frame[at : found.start()]
            at = found.start()
    return bytes(kept) + bytes([0xFF, _EOI])


def _jpeg_2000(frame: bytes) -> bytes:
    """A JPEG 2000 codestream: the listed segments of its headers, and as many bytes of every tile-part as it announces."""
    if frame[:2] != bytes([0xFF, _SOC]):
        raise FramesRefused("pixel-frames")
    head, at = _listed(frame, 2, until=_SOT)
    kept = bytearray(frame[:2] + head)
    while frame[at + 1] == _SOT:
        announced = int.from_bytes(frame[at + 6 : at + 10], "big")
        head, data = _listed(frame, _segment_end(frame, at), until=_SOD)
        end = at + announced if announced else frame.rfind(bytes([0xFF, _EOI]))
        if not data < end <= len(frame) - 2:
            raise FramesRefused("pixel-frames")
        length = 12 + len(head) + end - data
        kept += frame[at : at + 6] + length.to_bytes(4, "big") + frame[at + 10 : at + 12] + head + frame[data:end]
        at = end
    if frame[at : at + 2] != bytes([0xFF, _EOI]):
        raise FramesRefused("pixel-frames")
    return bytes(kept) + bytes([0xFF, _EOI])


def _listed(frame: bytes, at: int, *, until: int) -> tuple[bytes, int]:
    """The listed segments of a JPEG 2000 header from `at` on, and where the marker that ends it stands."""
    kept = bytearray()
    while frame[at + 1] != until:
        end = _segment_end(frame, at)
        if frame[at + 1] in _J2K_KEPT:
            kept += frame[at:end]
        at = end
    return bytes(kept), at


def _segment_end(frame: bytes, at: int) -> int:
    length = int.from_bytes(frame[at + 2 : at + 4], "big")
    if frame[at] != 0xFF or (length < 2 and frame[at + 1] != 0xFF):
        raise FramesRefused("pixel-frames")
    return at + 2 + length


def _rle(frame: bytes, planes: int, length: int) -> bytes:
    """An RLE frame packed anew: a header of its own, and of every plane of `length` bytes only the runs that fill it (PS3.5 annex G)."""
    if int.from_bytes(frame[:4], "little") != planes or not 0 < planes <= _RLE_MOST:
        raise FramesRefused("pixel-frames")
    segments, offsets, place = [], [], _RLE_HEADER
    for plane in range(planes):
        packed = _runs(frame, int.from_bytes(frame[4 + 4 * plane : 8 + 4 * plane], "little"), length)
        segments.append(packed + bytes(len(packed) % 2))
        offsets.append(place)
        place += len(segments[-1])
    numbers = [planes, *offsets, *[0] * (_RLE_MOST - planes)]
    return b"".join([*(number.to_bytes(4, "little") for number in numbers), *segments])


def _runs(frame: bytes, at: int, length: int) -> bytes:
    kept, filled = bytearray(), 0
    while filled < length:
        code = frame[at]
        if code < 128:
            take = min(code + 1, length - filled)
            kept += bytes([take - 1]) + frame[at + 1 : at + 1 + take]
            at += code + 2
        elif code > 128:
            take = min(257 - code, length - filled)
            kept += (bytes([257 - take]) if take > 1 else b"\0") + frame[at + 1 : at + 2]
            at += 2
        else:
            take, at = 0, at + 1
        filled += take
    if at > len(frame):
        raise FramesRefused("pixel-frames")
    return bytes(kept)
