"""The surface of a region, as pyradiomics defines it, in the time that its voxels take and not the square of its surface.

pyradiomics walks marching cubes over the mask and then compares all pairs of vertices. Here every cube of 2 × 2 × 2 voxels is one of
256 kinds; pyradiomics itself is asked once for the area and the volume of each kind, and the largest distances are sought
among the corners of the convex hull. Values agree with pyradiomics to rounding (1e-12).
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from radiomics import cShape
from scipy.spatial import ConvexHull, QhullError, distance

_KINDS = 256
_FEW = 64  # vertices; a hull does not pay below
_BLOCK = 1024

Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Surface:
    """Area (mm²) and volume (mm³) of the mesh, and its largest distances (mm): in a slice, in a column plane, in a row plane, in space."""

    area: float
    volume: float
    diameters: tuple[float, float, float, float]


def surface(marked: Marks, spacing: Floats) -> Surface:
    """The surface of what is marked; `marked` (z, y, x) has an empty layer on every side, `spacing` is in mm in the same order."""
    kinds = _kinds(marked)
    faced = np.flatnonzero((kinds != 0) & (kinds != _KINDS - 1))
    found = kinds.ravel()[faced]
    places = np.array(np.unravel_index(faced, kinds.shape), dtype=np.float64)
    areas, volumes, normals = _of_each_kind(spacing)
    lever = np.array([np.bincount(found, axis, _KINDS) for axis in places]) * spacing[:, None]
    count = np.bincount(found, minlength=_KINDS)
    volume = float(count @ volumes + (lever.T * normals).sum() / 3)
    return Surface(float(count @ areas), volume, _diameters(marked, spacing))


def _kinds(marked: Marks) -> NDArray[Any]:
    """Which of its eight corners are marked, as bits, for every cube between neighbouring voxels."""
    bits: NDArray[Any] = marked.astype(np.uint8)
    for axis in range(3):
        low, high = (bits[tuple(part if each == axis else slice(None) for each in range(3))] for part in (slice(-1), slice(1, None)))
        bits = low | high << (1 << axis)
    return bits


def _cube(kind: int) -> Marks:
    """The cube that `_kinds` calls by this number: bit z + 2 y + 4 x."""
    bits = np.array([kind >> bit & 1 for bit in range(8)], dtype=bool)
    return bits.reshape(2, 2, 2).transpose(2, 1, 0)


def _of_each_kind(spacing: Floats) -> tuple[Floats, Floats, Floats]:
    """Area, signed volume towards the cube's own corner, and summed normal of the triangles in a cube of each kind.

    A cube that lies one step further along an axis adds a third of its normal times the step to the volume: that is how the normal is
    read off pyradiomics' answer for two cubes in a row.
    """
    area, volume, normal = np.zeros(_KINDS), np.zeros(_KINDS), np.zeros((_KINDS, 3))
    for kind in range(1, _KINDS - 1):
        area[kind], volume[kind] = _asked(_cube(kind), spacing)
    for kind in range(1, _KINDS - 1):
        for axis in range(3):
            cube = _cube(kind)
            first = np.take(cube, [0, 0], axis=axis)  # the cube before it: its far face is the near face of this one
            row = np.concatenate([np.take(cube, [0], axis=axis), cube], axis=axis)
            before = int(_kinds(first).ravel()[0])
            normal[kind, axis] = 3 * (_asked(row, spacing)[1] - volume[before] - volume[kind]) / spacing[axis]
    return area, volume, normal


def _asked(cubes: Marks, spacing: Floats) -> tuple[float, float]:
    area, volume, _ = cShape.calculate_coefficients(np.ascontiguousarray(cubes), spacing)
    return float(area), float(volume)


def _diameters(marked: Marks, spacing: Floats) -> tuple[float, float, float, float]:
    """Largest distance of two vertices in one plane z, y and x, and in space."""
    halves = _vertices(marked)  # in half voxels: whole numbers, so that planes compare exactly
    points = halves * (spacing / 2)
    return _in_planes(halves[:, 0], points), _in_planes(halves[:, 1], points), _in_planes(halves[:, 2], points), _apart(points)


def _vertices(marked: Marks) -> NDArray[np.int64]:
    """The middles of all edges between a marked voxel and one that is not: the vertices of marching cubes."""
    found = []
    for axis in range(3):
        places = np.argwhere(np.diff(marked.view(np.uint8), axis=axis)) * 2
        places[:, axis] += 1
        found.append(places)
    return np.concatenate(found)


def _in_planes(plane: NDArray[np.int64], points: Floats) -> float:
    """The largest distance within a plane; a plane whose box is smaller than what was found is passed over."""
    order = np.argsort(plane, kind="stable")
    groups = np.split(points[order], np.flatnonzero(np.diff(plane[order])) + 1)
    boxes = [float(np.linalg.norm(np.ptp(group, axis=0))) for group in groups]
    largest = 0.0
    for i in np.argsort(boxes)[::-1]:
        if boxes[i] <= largest:
            break
        largest = max(largest, _farthest(groups[i]))
    return largest


def _apart(points: Floats) -> float:
    if len(points) > _FEW:
        with suppress(QhullError):  # all in one plane: then all pairs are compared
            points = points[ConvexHull(points).vertices]
    return _farthest(points)


def _farthest(points: Floats) -> float:
    """The largest distance of two points, a block of rows at a time to bound the memory."""
    rows = range(0, len(points), _BLOCK)
    return max((float(distance.cdist(points[row : row + _BLOCK], points[row:]).max()) for row in rows), default=0.0)
