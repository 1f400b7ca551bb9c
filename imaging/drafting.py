"""A first outline from a box around the tumour, for a person to correct: never in force by itself. Pure.

What draws is a `Segmenter`. The one that ships is classical; an operator who has a trained one, such as MedSAM with its checkpoint, names
its factory as `package.module:factory` (`named`), and nothing else changes.
"""

import importlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from imaging.radiomics_refusal import Refused, Sentence

Voxels = NDArray[np.float64]
Marked = NDArray[np.bool_]

SMOOTH = 1.0  # mm, of the Gaussian that takes out noise before voxels are judged
CORE = 0.5  # of the box: the ellipsoid in its middle that is taken for tumour
SHELL = 6.0  # mm around the box that is taken for its surroundings
BINS, BLUR = 64, 2.0  # of the histograms of brightness, and the Gaussian over them, in bins
FAR_BLUR, FAR_SHARE = 16.0, 0.01  # a faint wide one, so that what neither shows (the smoothed rim) falls to the nearer
SHARED = 0.95  # Bhattacharyya coefficient of the two histograms, above which telling them apart would be a guess


class DraftRefused(Refused):
    """No outline can be drafted from this box."""


@dataclass(frozen=True)
class Box:
    """First and last slice, row and column (from 0, both included) around the tumour."""

    first: tuple[int, int, int]
    last: tuple[int, int, int]

    def check(self, shape: tuple[int, ...]) -> None:
        """Raise DraftRefused for a box that is inside out or leaves the image."""
        for low, high, size in zip(self.first, self.last, shape, strict=True):
            if not 0 <= low <= high < size:
                text = "The box %(low)d to %(high)d does not lie in the image's 0 to %(most)d."
                raise DraftRefused(Sentence("box", text, {"low": low, "high": high, "most": size - 1}))


class Segmenter(Protocol):
    """Marks what a box is around. `name` and its version stand in what is written."""

    name: str

    def __call__(self, voxels: Voxels, box: Box, spacing: tuple[float, float, float]) -> Marked:
        """The tumour in `voxels` (slices, rows, columns; HU for CT) with `spacing` in mm in that order. Raises DraftRefused."""
        ...


class Classical:
    """Voxels of the box whose brightness is commoner in its core than in its surroundings, in one piece with the core."""

    name = "prime box histogram 1"

    def __call__(self, voxels: Voxels, box: Box, spacing: tuple[float, float, float]) -> Marked:
        reach = [int(np.ceil(SHELL / step)) for step in spacing]
        window = tuple(
            slice(max(low - more, 0), min(high + 1 + more, size))
            for low, high, more, size in zip(box.first, box.last, reach, voxels.shape, strict=True)
        )
        smooth = ndimage.gaussian_filter(voxels[window].astype(np.float64), [SMOOTH / step for step in spacing])
        inside, core = _regions(box, window, smooth.shape)
        alike = _alike(smooth, core, ~inside) & inside
        marked = np.zeros(voxels.shape, dtype=np.bool_)
        marked[window] = _one_piece(alike | core, core)
        return marked


def named(name: str) -> Segmenter:
    """`classical`, or what the factory `package.module:factory` of the operator makes. Raises DraftRefused for an unknown one."""
    if name == "classical":
        return Classical()
    module, _colon, factory = name.partition(":")
    try:
        made: Segmenter = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, ValueError) as error:
        text = "There is no segmenter %(name)s; give classical, or package.module:factory of one that is installed."
        raise DraftRefused(Sentence("segmenter", text, {"name": name})) from error
    return made


def draft(voxels: Voxels, box: Box, spacing: tuple[float, float, float], segmenter: Segmenter) -> Marked:
    """What a segmenter marks in a box; nothing outside it, whatever the segmenter says. Raises DraftRefused."""
    box.check(voxels.shape)
    within = np.zeros(voxels.shape, dtype=np.bool_)
    within[tuple(slice(low, high + 1) for low, high in zip(box.first, box.last, strict=True))] = True
    marked = segmenter(voxels, box, spacing) & within
    if not marked.any():
        raise DraftRefused(Sentence("nothing", "Nothing could be marked in this box; draw the outline by hand."))
    return marked


def _regions(box: Box, window: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[Marked, Marked]:
    """Within the window: the box, and the ellipsoid in its middle."""
    grid = np.indices(shape).astype(np.float64)
    away, inside = np.zeros(shape), np.ones(shape, dtype=np.bool_)
    for axis, (low, high, part) in enumerate(zip(box.first, box.last, window, strict=True)):
        place = grid[axis] + part.start
        inside &= (place >= low) & (place <= high)
        away += ((place - (low + high) / 2) / (CORE * (high - low + 1) / 2)) ** 2
    return inside, away <= 1


def _alike(smooth: Voxels, core: Marked, around: Marked) -> Marked:
    """Where a voxel's brightness is commoner in the core than in the surroundings, by their smoothed histograms."""
    if not (core.any() and around.any()):
        raise DraftRefused(Sentence("small", "The box is too small, or fills the image; draw the outline by hand."))
    low, high = np.percentile(smooth, [0.5, 99.5])
    bins = np.clip(((smooth - low) / max(high - low, 1e-6) * (BINS - 1)).astype(int), 0, BINS - 1)
    mine, other = _histogram(bins[core]), _histogram(bins[around])
    shared = float(np.sqrt(mine * other).sum())
    if shared > SHARED:
        text = "The tumour cannot be told from its surroundings by brightness (they share %(percent).0f %%); draw the outline by hand."
        raise DraftRefused(Sentence("alike", text, {"percent": 100 * shared}))
    return np.asarray((mine > other)[bins], dtype=np.bool_)


def _histogram(bins: NDArray[np.int_]) -> Voxels:
    raw = np.bincount(bins, minlength=BINS).astype(np.float64)
    near, far = (ndimage.gaussian_filter1d(raw, blur, mode="nearest") for blur in (BLUR, FAR_BLUR))
    counts = near + FAR_SHARE * far
    return np.asarray(counts / counts.sum())


def _one_piece(alike: Marked, core: Marked) -> Marked:
    closed = ndimage.binary_closing(np.pad(alike, 2), iterations=1)[2:-2, 2:-2, 2:-2] | alike
    labels, _count = ndimage.label(closed)
    kept = np.isin(labels, np.unique(labels[core]))
    return np.stack([ndimage.binary_fill_holes(plane) for plane in kept & closed])
