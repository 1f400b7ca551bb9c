"""Run, dependence and difference matrices of one region, a whole direction at a time.

pyradiomics counts each in a walk of its own, voxel by voxel. Where the neighbours of a voxel lie is the same for all images of a region:
here it is found once, and the levels of an image are then compared along it.
The counts equal pyradiomics' exactly; the differences of the NGTDM are sums of the same terms in another order (1e-15).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from radiomics import cMatrices

Integers = NDArray[np.int_]
Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True)
class Line:
    """One direction: the region's voxels along its lines, one line after another, and whether each is next to the one before it."""

    order: NDArray[np.intp]
    follows: Marks

    def meets_twice(self, angle: Integers, shape: tuple[int, ...]) -> bool:
        """Whether a line meets the region in more than one voxel, though gaps lie between them."""
        if self.follows.any():
            return True
        apart = np.diff(np.array(np.unravel_index(self.order, shape)), axis=1)
        steps = np.abs(apart).max(axis=0, initial=0)
        return bool(np.any((apart == angle[:, None] * steps).all(axis=0) | (apart == -angle[:, None] * steps).all(axis=0)))


class Places:
    """Where the voxels of a region lie in a row with an empty rim around every slice and line, and which are neighbours."""

    def __init__(self, marked: Marks, settings: Mapping[str, Any]) -> None:
        self.distances = tuple(settings.get("distances", (1,)))
        self._settings = settings
        self._rim = max(self.distances)
        self.box = marked.shape
        padded = np.pad(marked, self._rim)
        self.shape = padded.shape
        self._steps = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
        self.marked = padded.ravel()
        self.inside = np.flatnonzero(self.marked)
        self.angles, self.run_angles = self._angles(self.distances), self._angles((1,))
        self._lines: dict[int, Line] = {}

    def row(self, levels: Integers) -> NDArray[np.int32]:
        """Levels (z, y, x) as one row with the rim."""
        return np.pad(levels.astype(np.int32), self._rim).ravel()

    def steps(self, angles: Integers) -> list[int]:
        """How far apart the two voxels of each direction are in the row; of a direction and its opposite the one that goes on."""
        return [abs(int(step)) for step in angles @ self._steps]

    def line(self, step: int) -> Line:
        """The voxels in the order in which a direction meets them."""
        if step not in self._lines:
            rest = -len(self.marked) % step
            columns = np.pad(self.marked, (0, rest)).reshape(-1, step).T
            column, place = np.nonzero(columns)
            order = place * step + column
            self._lines[step] = Line(order, np.diff(order, prepend=order[0]) == step)
        return self._lines[step]

    @cached_property
    def number(self) -> NDArray[np.uint16]:
        """How many neighbours every voxel of the row has."""
        number = np.zeros(len(self.marked), np.uint16)
        for step in self.steps(self.angles):
            number[:-step] += self.marked[step:]
            number[step:] += self.marked[:-step]
        return number

    def _angles(self, distances: tuple[int, ...]) -> Integers:
        flat = self._settings.get("force2D", False), self._settings.get("force2Ddimension", 0)
        found: Integers = cMatrices.generate_angles(np.array(self.box), np.array(distances), False, *flat)
        return found


class Walk:
    """The matrices of a region's levels (1 … `highest`), each in pyradiomics' shape: one voxel set first, angles last."""

    def __init__(self, places: Places, levels: Integers, highest: int, alpha: float) -> None:
        self._places, self._size, self._alpha = places, highest + 1, alpha
        self._row = places.row(levels)
        self._along: dict[int, NDArray[np.intp]] = {}

    def runs(self) -> Floats:
        """How many runs of a level have a length: (1, level, 1 … longest side, angle)."""
        longest, size = max(self._places.box), self._size
        counts = np.zeros((1, size - 1, longest, len(self._places.run_angles)))
        for i, step in enumerate(self._places.steps(self._places.run_angles)):
            along, line = self._levels_along(step), self._places.line(step)
            if not line.meets_twice(self._places.run_angles[i], self._places.shape):
                continue  # no line meets the region twice: pyradiomics takes no run of this direction
            breaks = ~line.follows
            breaks[1:] |= along[1:] != along[:-1]
            begins = np.flatnonzero(breaks)
            code = along[begins] * longest + np.diff(begins, append=len(along)) - 1
            counts[0, :, :, i] = np.bincount(code, minlength=size * longest).reshape(size, longest)[1:]
        return counts

    def dependence(self) -> Floats:
        """How many voxels of a level have so many dependent neighbours: (1, level, 0 … all)."""
        wide = 2 * len(self._places.angles) + 1
        inside = self._places.inside
        code = self._row[inside].astype(np.intp) * wide + self._near[0][inside]
        return np.bincount(code, minlength=self._size * wide).reshape(self._size, wide)[1:][None].astype(np.float64)

    def difference(self) -> Floats:
        """Per level: its voxels, the sum of their distances from the mean of their neighbours, the level: (1, level, 3)."""
        inside = self._places.inside
        own, total, number = self._row[inside], self._near[1][inside], self._places.number[inside]
        away = np.where(number > 0, np.abs(own - total / np.maximum(number, 1)), 0.0)
        found = [np.bincount(own, minlength=self._size), np.bincount(own, weights=away, minlength=self._size), np.arange(self._size)]
        return np.stack(found, axis=1)[None, 1:].astype(np.float64)

    def _levels_along(self, step: int) -> NDArray[np.intp]:
        if step not in self._along:
            self._along[step] = self._row[self._places.line(step).order].astype(np.intp)
        return self._along[step]

    @cached_property
    def _near(self) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:
        """Of every voxel of the row: its dependent neighbours, and the sum of its neighbours' levels."""
        row, marked = self._row, self._places.marked
        alike, total = np.zeros(len(row), np.uint16), np.zeros(len(row), np.int32)
        for step in self._places.steps(self._places.angles):
            first, second = row[:-step], row[step:]
            depends = first == second if self._alpha == 0 else np.abs(first - second) <= self._alpha
            depends &= marked[:-step]
            depends &= marked[step:]
            alike[:-step] += depends
            alike[step:] += depends
            total[:-step] += second
            total[step:] += first
        return alike, total
