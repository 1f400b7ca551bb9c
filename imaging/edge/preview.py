"""A held image as a picture, so that a person can see whether text is burned into it. Drawn anew each time, kept nowhere.

Pixels of strangers are decoded in the limited process only. Grey levels run from the darkest to the brightest samples: nothing hides.
"""

import struct
import threading
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array

from imaging.edge.sandbox import Sandbox, SandboxFault

MOST_PIXELS, LARGEST_SIDE = 4096 * 4096, 2048
DARKEST, BRIGHTEST = 0.1, 99.9  # percentiles of the samples that become black and white: a few odd ones must not hide the rest
SECONDS = 30
COLOURS = 3


class NotDrawable(Exception):
    """The picture cannot be made."""


class Drawer:
    """Draws for everybody who looks at the page, one picture at a time."""

    def __init__(self) -> None:
        self._sandbox, self._lock = Sandbox(SECONDS), threading.Lock()

    def picture(self, path: Path, frame: int) -> bytes:
        """One frame (from 0) as a PNG. Raises NotDrawable."""
        try:
            with self._lock:
                return self._sandbox.run(drawn, path, frame)
        except (SandboxFault, OSError):
            raise NotDrawable from None

    def frames(self, paths: list[Path]) -> list[int]:
        """How many frames each file says it has; 0 where that cannot be read."""
        try:
            with self._lock:
                return self._sandbox.run(counted, paths)
        except (SandboxFault, OSError):
            return [0 for _ in paths]

    def close(self) -> None:
        """End the limited process."""
        self._sandbox.close()


def counted(paths: list[Path]) -> list[int]:
    """Frames of each file; runs in the sandbox."""
    return [_count(path) for path in paths]


def _count(path: Path) -> int:
    try:
        dataset = dcmread(path, stop_before_pixels=True)
        return int(dataset.get("NumberOfFrames") or 1) if "Rows" in dataset else 0
    except Exception:
        return 0


def drawn(path: Path, frame: int) -> bytes:
    """One frame as an 8-bit grey PNG of at most LARGEST_SIDE pixels a side; runs in the sandbox, whose caller hears of any fault."""
    head = dcmread(path, stop_before_pixels=True)
    if int(head.Rows) * int(head.Columns) > MOST_PIXELS:
        raise NotDrawable
    stored = np.asarray(pixel_array(path, index=frame), dtype=np.float64)
    if stored.ndim == COLOURS:
        stored = stored.max(axis=-1)  # text of any colour is bright
    step = -(-max(stored.shape) // LARGEST_SIDE)
    grey = through(stored[::step, ::step])
    return png(255 - grey if head.get("PhotometricInterpretation") == "MONOCHROME1" else grey)


def through(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Values as grey levels, the darkest black and the brightest white."""
    low, high = np.percentile(values, [DARKEST, BRIGHTEST])
    if high <= low:
        low, high = float(values.min()), float(values.max())
    return np.asarray(np.clip((values - low) / max(high - low, 1e-9), 0, 1) * 255, dtype=np.uint8)


def png(grey: NDArray[np.uint8]) -> bytes:
    """Grey levels (rows, columns) as a PNG file (ISO/IEC 15948, colour type 0, 8 bits)."""
    rows, columns = grey.shape
    lines = np.hstack([np.zeros((rows, 1), dtype=np.uint8), grey]).tobytes()  # filter 0 before each line
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(lines, 6)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
