"""Pixel data as it may leave: exactly the samples, nothing before, between or after them (DI-02).

Uncompressed data are cut to the length that the image's own numbers give. Compressed frames lose what a JPEG family stream can
carry beside the image (application segments, comments, thumbnails, bytes after its end) and get a new offset table.
"""

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
_J2K_SOT, _J2K_EOC = 0x90, 0xD9
_DROPPED = {_SOI: frozenset({*range(0xE0, 0xF0), 0xFE}), 0x4F: frozenset({0x64})}  # APPn and COM; JPEG 2000: COM


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
    return encapsulate([clean_frame(frame, transfer_syntax) for frame in frames], has_bot=True)


def clean_frame(frame: bytes, transfer_syntax: str) -> bytes:
    """One compressed frame without comments and application segments, cut at its end; RLE is cut to its segments."""
    if transfer_syntax in JPEG:
        return _without_segments(frame, start=_SOI, stop=_SOS)
    if transfer_syntax in J2K:
        return _without_segments(frame, start=0x4F, stop=_J2K_SOT)
    if transfer_syntax == RLELossless:
        return frame
    raise FramesRefused("transfer-syntax")


def _without_segments(frame: bytes, *, start: int, stop: int) -> bytes:
    """Copy the marker segments up to the image itself, but those that may hold text; then the image up to its end marker."""
    end = frame.rfind(bytes([0xFF, _EOI]))
    if frame[:2] != bytes([0xFF, start]) or end < 0:
        raise FramesRefused("pixel-frames")
    kept, at = bytearray(frame[:2]), 2
    while at + 4 <= end:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if frame[at] != 0xFF or length < 2:
            break
        if marker == stop:
            cleaned = bytes(kept + frame[at : end + 2])
            return cleaned + bytes(len(cleaned) % 2)
        if marker not in _DROPPED[start]:
            kept += frame[at : at + 2 + length]
        at += 2 + length
    raise FramesRefused("pixel-frames")
