"""What WebGL draws of a series: its kept slices as one NIfTI-1 volume, and an outline as a mask on the same grid.

Made of pictures that the platform's own worker drew and of header values, never of DICOM; nothing in it names a person, a day or a scanner.
Only a regular stack is one volume: any other would be drawn where it does not lie.
"""

import io
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging import archive, assessment, contours
from imaging.geometry import Verdict
from imaging.models import Instance, KeySlice, RoiOutline, Series
from imaging.windows import CT_OFFSET, WHOLE

HEADER = 352  # bytes before the voxels (NIfTI-1.1)
_UNSIGNED = {1: 2, 2: 512}  # bytes of a voxel → NIfTI's code of the type
_MILLIMETRES, _ALIGNED = 2, 1
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stack:
    """The kept slices of a regular series along its normal: their size, and where voxel (column, row, slice) lies (3 × 4, RAS mm)."""

    series: Series
    slices: Sequence[KeySlice]
    columns: int
    rows: int
    affine: Floats


def stack_of(series: Series) -> Stack | None:
    """The series' stack as it is now; None while it is not one regular volume whose every slice is kept."""
    if series.verdict != Verdict.REGULAR or series.assessed_revision != series.revision:
        return None
    kept = list(series.key_slices.filter(window=WHOLE, revision=series.revision).select_related("object").order_by("place"))
    if len(kept) != series.slice_count:
        return None
    with Image.open(io.BytesIO(archive.read(kept[0].object.sha256)), formats=["PNG"]) as picture:
        columns, rows = picture.size
    return Stack(series, kept, columns, rows, _affine(series, columns, rows))


def volume(stack: Stack) -> tuple[int, Iterator[bytes]]:
    """How many bytes the volume has, and its pieces, slice by slice; voxels are HU for CT."""
    shift = -float(CT_OFFSET) if stack.series.modality == "CT" else 0.0
    size = HEADER + 2 * stack.columns * stack.rows * len(stack.slices)
    return size, _pieces(_header(stack, width=2, shift=shift), stack)


def mask(stack: Stack, outlines: Iterable[RoiOutline]) -> bytes:
    """The outlines of one region as a volume of 0 and 1."""
    marked = filled(outlines, (len(stack.slices), stack.rows, stack.columns))
    return _header(stack, width=1, shift=0.0) + marked.astype(np.uint8).tobytes()


def filled(outlines: Iterable[RoiOutline], size: tuple[int, int, int]) -> NDArray[np.bool_]:
    """The mask that outlines along pixel edges came from: their frame is the picture, whatever the height of a pixel."""
    marked = np.zeros(size, dtype=np.bool_)
    for one in outlines:
        scale = np.array([size[2] / one.width, size[1] / one.height])
        marked[one.place - 1] = contours.fill([np.array(way) * scale - 0.5 for way in one.polygons], *size[1:])
    return marked


def _pieces(header: bytes, stack: Stack) -> Iterator[bytes]:
    yield header
    for one in stack.slices:
        with Image.open(io.BytesIO(archive.read(one.object.sha256)), formats=["PNG"]) as picture:
            yield np.asarray(picture, dtype="<u2").tobytes()


def _affine(series: Series, columns: int, rows: int) -> Floats:
    """From the first slice along the normal (PS3.3 C.7.6.2.1.1), whose picture may have fewer, larger pixels over the same area."""
    instances: list[Instance] = list(series.members.order_by("pk"))
    frames = {place: one.frames[place[1]] for one in instances for place in ((one.pk, i) for i in range(len(one.frames)))}
    first = assessment.judge(instances).order[0].split(":")
    frame = frames[int(first[0]), int(first[1])]
    cosines = np.array(frame["orientation"], dtype=np.float64)
    axes = np.stack([cosines[:3], cosines[3:], np.cross(cosines[:3], cosines[3:])], axis=1)
    down, across = frame["pixel_spacing"]
    own = np.array([across, down, 0.0])
    drawn = np.array([across * frame["columns"] / columns, down * frame["rows"] / rows, series.spacing_mm or 1.0])
    origin = np.array(frame["position"], dtype=np.float64) + axes @ ((drawn * [1, 1, 0] - own) / 2)
    return _LPS_TO_RAS @ np.column_stack([axes * drawn, origin])


def _header(stack: Stack, *, width: int, shift: float) -> bytes:
    """NIfTI-1.1: sizes, type, scaling by `shift`, and the grid as sform; no text."""
    head = bytearray(HEADER)
    spacing = np.linalg.norm(stack.affine[:, :3], axis=0)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, 3, stack.columns, stack.rows, len(stack.slices), 1, 1, 1, 1)
    struct.pack_into("<2h", head, 70, _UNSIGNED[width], 8 * width)
    struct.pack_into("<8f", head, 76, 1.0, *spacing, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", head, 108, HEADER, 1.0, shift)
    struct.pack_into("<B", head, 123, _MILLIMETRES)
    struct.pack_into("<2h", head, 252, 0, _ALIGNED)
    struct.pack_into("<12f", head, 280, *stack.affine.ravel())
    head[344:348] = b"n+1\0"
    return bytes(head)
