"""How far do two outlines of one tumour agree in place? Dice coefficient and Hausdorff distance. Pure.

Dice: L. R. Dice, Ecology 26 (1945) 297, twice the common voxels over the sum of both. Hausdorff: the farthest that the centre of any marked
voxel of the one lies from the nearest of the other, both ways, in mm, as ITK's HausdorffDistanceImageFilter has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Marked = NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """`dice` from 0 to 1; `hausdorff` in mm, None where one of the two marks nothing."""

    dice: float
    hausdorff: float | None


def compare(one: Marked, other: Marked, spacing: Sequence[float]) -> Overlap:
    """Compare two masks (slices, rows, columns) on one grid; `spacing` in mm in the same order."""
    both = one | other
    if not both.any():
        return Overlap(1.0, None)
    box = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(both))
    one, other = one[box], other[box]
    dice = 2 * int(np.count_nonzero(one & other)) / (int(np.count_nonzero(one)) + int(np.count_nonzero(other)))
    if not (one.any() and other.any()):
        return Overlap(dice, None)
    return Overlap(dice, max(_directed(one, other, spacing), _directed(other, one, spacing)))


def _directed(one: Marked, other: Marked, spacing: Sequence[float]) -> float:
    away = ndimage.distance_transform_edt(~other, sampling=spacing)
    return float(away[one].max())
