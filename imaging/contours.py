"""Closed contours become pixels, by one rule: a pixel is inside when its centre is, by even-odd count over all contours of a slice. Pure.

So a contour within another is a hole, one within the hole an island, and a keyhole joins its two rims without area. A centre that lies
exactly on a left or upper edge is inside, on a right or lower edge outside: contours that share an edge never share a pixel.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fill(contours: Iterable[Floats], rows: int, columns: int) -> NDArray[np.bool_]:
    """The pixels (rows, columns) inside closed contours of points (x, y), given in pixels with (0, 0) at the centre of the first one.

    What of a contour lies outside the picture is cut off.
    """
    turns = np.zeros((rows, columns + 1), dtype=np.int64)
    for points in contours:
        for row, x in zip(*_crossings(points, rows), strict=True):
            turns[row, min(max(int(np.ceil(x)), 0), columns)] += 1
    inside: NDArray[np.bool_] = np.cumsum(turns[:, :columns], axis=1) % 2 == 1
    return inside


def _crossings(points: Floats, rows: int) -> tuple[NDArray[np.int64], Floats]:
    """Where the contour crosses the line through the centres of each row of pixels: rows (n,) and x (n,)."""
    start, end = points, np.roll(points, -1, axis=0)
    low, high = np.minimum(start[:, 1], end[:, 1]), np.maximum(start[:, 1], end[:, 1])
    first = np.clip(np.ceil(low), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(high), 0, rows).astype(np.int64)  # the lower end of an edge belongs to it, the upper one does not
    counts = last - first
    edge = np.repeat(np.arange(len(points)), counts)
    row = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    share = (row - start[edge, 1]) / (end[edge, 1] - start[edge, 1])
    return row, start[edge, 0] + share * (end[edge, 0] - start[edge, 0])
