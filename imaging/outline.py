"""The outline of a mask on one slice, to be drawn over the image: closed polygons along pixel edges. Pure."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

Point = tuple[int, int]
Outline = tuple[Point, ...]


def on_slice(mask: sitk.Image, index: int, label: int = 1) -> tuple[Outline, ...]:
    """The outlines of `label` on slice `index` (from 0, along the third axis) of a three-dimensional mask; none where it is not marked."""
    return outlines(sitk.GetArrayViewFromImage(mask)[index] == label)


def outlines(marked: NDArray[np.bool_]) -> tuple[Outline, ...]:
    """Polygons (x, y) around the marked pixels of a (rows, columns) array, the last point joined to the first.

    Pixel (row r, column c) covers c…c+1 by r…r+1, so the polygons run between marked and unmarked pixels exactly. On a screen
    (y down) they run clockwise around what is marked and anticlockwise around holes; pixels that touch only at a corner are
    outlined apart. Points are corners only, and each polygon begins at its topmost, then leftmost one.
    """
    steps = _steps(marked)
    found = []
    for start in sorted(steps, key=lambda point: (point[1], point[0])):
        while steps.get(start):
            found.append(_corners(_walk(steps, start)))
    return tuple(found)


def _steps(marked: NDArray[np.bool_]) -> dict[Point, list[Point]]:
    """Every pixel edge between marked and unmarked, as start → ends, with the marked pixel on its right."""
    padded = np.pad(np.asarray(marked, dtype=bool), 1)
    inside = padded[1:-1, 1:-1]
    sides = (
        (padded[:-2, 1:-1], (0, 0), (1, 0)),  # the pixel above is unmarked: along the top edge to the right
        (padded[1:-1, 2:], (1, 0), (1, 1)),
        (padded[2:, 1:-1], (1, 1), (0, 1)),
        (padded[1:-1, :-2], (0, 1), (0, 0)),
    )
    steps: dict[Point, list[Point]] = {}
    for beside, start, end in sides:
        for row, column in np.argwhere(inside & ~beside).tolist():
            steps.setdefault((column + start[0], row + start[1]), []).append((column + end[0], row + end[1]))
    return steps


def _walk(steps: dict[Point, list[Point]], start: Point) -> list[Point]:
    """One closed way from `start`, its edges taken out of `steps`; where two ways cross it turns right, around the same pixel."""
    way, here, right = [start], start, start
    while True:
        ends = steps[here]
        there = right if right in ends else ends[0]
        ends.remove(there)
        if there == start:
            return way
        way.append(there)
        right = (there[0] - (there[1] - here[1]), there[1] + (there[0] - here[0]))
        here = there


def _corners(way: list[Point]) -> Outline:
    points = np.array(way)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    turns = (before != after).any(axis=1)
    return tuple((int(x), int(y)) for x, y in points[turns])
