"""Does a mask lie on the voxels of an image? Decided by geometry alone, said in millimetres; nothing is resampled. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from imaging.radiomics_refusal import Sentence

_SAME_GRID = 0.05  # of the smallest spacing: how far corresponding voxels of mask and image may lie apart
_SAME_STEP = 0.01  # of a spacing: how far two grids' steps may differ before they are said to be different ones
_ALONG = 0.1  # cosine: axes within about 6 degrees are taken for the same axis, and the difference is then named

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Alignment:
    """A mask held against an image: `mask` is it in the image's voxel order, or None with `findings` that say why not.

    `reordered` tells that axes were swapped or reversed on the way (no voxel changed its place in the patient);
    `apart_mm` is the largest distance between corresponding corner voxels, None where the sizes differ.
    """

    mask: sitk.Image | None
    findings: tuple[Sentence, ...] = ()
    reordered: bool = False
    apart_mm: float | None = None

    @property
    def verdict(self) -> Literal["aligned", "reordered", "refused"]:
        if self.mask is None:
            return "refused"
        return "reordered" if self.reordered else "aligned"


def alignment(mask: sitk.Image, image: sitk.Image) -> Alignment:
    """Whether `mask` lies on the voxels of `image`: the same grid up to the order and sense of its axes, to 5 % of a voxel.

    A mask on the grid is returned with the image's exact geometry. Any other is refused, never resampled: the findings
    name the difference in size, spacing (mm), direction (degrees) and place (mm), and how much of it lies outside.
    """
    ordered = _in_axes_of(image, mask)
    reordered = ordered is not None and not np.allclose(ordered.GetDirection(), mask.GetDirection(), atol=_ALONG)
    ordered = mask if ordered is None else ordered
    apart = _corners_apart(ordered, image) if ordered.GetSize() == image.GetSize() else None
    if apart is None or apart > _tolerance(image):
        findings = (*_differences(ordered, image, apart), *_outside(ordered, image))
        return Alignment(None, findings, reordered, apart)
    ordered.CopyInformation(image)
    return Alignment(ordered, (), reordered, apart)


def _tolerance(image: sitk.Image) -> float:
    return float(_SAME_GRID * min(image.GetSpacing()))


def _axes(image: sitk.Image) -> Floats:
    """Columns: what one step along each voxel axis moves in patient millimetres, shape (3, 3)."""
    return _cosines(image) * np.array(image.GetSpacing(), dtype=np.float64)


def _cosines(image: sitk.Image) -> Floats:
    return np.array(image.GetDirection(), dtype=float).reshape(3, 3)


def _in_axes_of(image: sitk.Image, mask: sitk.Image) -> sitk.Image | None:
    """`mask` with axes permuted and reversed so that they run as the image's; None where no order of them does."""
    cosines = np.linalg.solve(_cosines(image), _cosines(mask))
    turn = np.rint(cosines).astype(int)
    if np.abs(cosines - turn).max() > _ALONG or not np.array_equal(np.abs(turn) @ np.abs(turn.T), np.eye(3)):
        return None
    source = np.abs(turn).argmax(axis=1)  # image axis → the mask axis that runs along it
    backwards = turn[np.arange(3), source] < 0
    voxels = sitk.GetArrayViewFromImage(mask).transpose(*(2 - source[::-1]))
    voxels = voxels[tuple(slice(None, None, -1 if back else 1) for back in backwards[::-1])]
    ordered = sitk.GetImageFromArray(np.ascontiguousarray(voxels))
    corner = np.zeros(3, dtype=int)
    corner[source[backwards]] = np.array(mask.GetSize())[source[backwards]] - 1
    ordered.SetOrigin(mask.TransformIndexToPhysicalPoint(corner.tolist()))
    ordered.SetSpacing([mask.GetSpacing()[axis] for axis in source])
    sense = np.where(backwards, -1.0, 1.0)
    ordered.SetDirection((_cosines(mask)[:, source] * sense).ravel().tolist())
    return ordered


def _corners_apart(mask: sitk.Image, image: sitk.Image) -> float:
    corners = np.array(list(product(*((0, size - 1) for size in image.GetSize()))), dtype=float)
    there = np.array(mask.GetOrigin()) + corners @ _axes(mask).T
    here = np.array(image.GetOrigin()) + corners @ _axes(image).T
    return float(np.linalg.norm(there - here, axis=1).max())


def _differences(mask: sitk.Image, image: sitk.Image, apart: float | None) -> list[Sentence]:
    def times(values: Sequence[float], form: str) -> str:
        return " × ".join(format(value, form) for value in values)

    found, allowed = [], _tolerance(image)
    extent = np.array(image.GetSize()) - 1
    if mask.GetSize() != image.GetSize():
        text = "The mask has %(mask)s voxels, the image %(image)s."
        found.append(Sentence("size", text, {"mask": times(mask.GetSize(), "d"), "image": times(image.GetSize(), "d")}))
    if (np.abs(np.subtract(mask.GetSpacing(), image.GetSpacing())) * extent > allowed).any():
        text = "The mask's voxels are %(mask)s mm, the image's %(image)s mm."
        found.append(Sentence("spacing", text, {"mask": times(mask.GetSpacing(), ".4g"), "image": times(image.GetSpacing(), ".4g")}))
    cosines = np.sum(_cosines(mask) * _cosines(image), axis=0)
    angle = float(np.arccos(np.clip(cosines.min(), -1, 1)))
    if 2 * np.sin(angle / 2) * float((extent * image.GetSpacing()).max()) > allowed:
        text = "The mask's axes are turned by %(degrees).1f degrees against the image's."
        found.append(Sentence("direction", text, {"degrees": np.degrees(angle)}))
    shift = np.subtract(mask.GetOrigin(), image.GetOrigin())
    if np.linalg.norm(shift) > allowed or not found:
        text = "The mask lies %(mm).1f mm away from the image's place (left %(x)+.1f, back %(y)+.1f, head %(z)+.1f mm)."
        mm = float(np.linalg.norm(shift)) if np.linalg.norm(shift) > allowed else apart
        found.append(Sentence("origin", text, {"mm": mm, **dict(zip("xyz", np.round(shift, 1) + 0.0, strict=True))}))
    return found


def _outside(mask: sitk.Image, image: sitk.Image) -> list[Sentence]:
    marked = np.argwhere(sitk.GetArrayViewFromImage(mask))[:, ::-1]
    points = np.array(mask.GetOrigin()) + marked @ _axes(mask).T
    places = np.linalg.solve(_axes(image), (points - np.array(image.GetOrigin())).T).T
    beyond = ((places < -0.5) | (places > np.array(image.GetSize()) - 0.5)).any(axis=1)
    if not beyond.any():
        return []
    text = "%(percent).0f %% of what the mask marks lies outside the image."
    return [Sentence("outside", text, {"percent": 100 * float(beyond.mean())})]


def beside(points: Floats, cell: Floats, image: sitk.Image) -> tuple[NDArray[np.int64], float, tuple[Sentence, ...]]:
    """The voxels of `image` that marked points (n, 3), in LPS mm, lie on, how far the worst lies beside its voxel, and what is wrong.

    `cell` is what one step along each axis of the points' own grid moves, as columns; a zero column stands for a single slice.
    """
    places = np.linalg.solve(_axes(image), (points - np.array(image.GetOrigin())).T).T
    nearest = np.rint(places).astype(np.int64)
    apart = float(np.linalg.norm((places - nearest) @ _axes(image).T, axis=1).max())
    steps, own = np.linalg.norm(cell, axis=0), _steps_along(cell, image)
    found = []
    if (np.abs(steps - own)[steps > 0] > _SAME_STEP * own[steps > 0]).any():
        text = "The mask's voxels are %(mask)s mm, the image's %(image)s mm."
        found.append(Sentence("spacing", text, {"mask": _times(steps), "image": _times(own)}))
    outside = ((nearest < 0) | (nearest >= np.array(image.GetSize()))).any(axis=1)
    if outside.any():
        text = "%(percent).0f %% of what the mask marks lies outside the image, up to %(mm).1f mm."
        over = np.maximum(np.maximum(-places, places - (np.array(image.GetSize()) - 1)), 0)
        mm = float(np.linalg.norm(over * np.array(image.GetSpacing()), axis=1).max())
        found.append(Sentence("outside_by", text, {"percent": 100 * float(outside.mean()), "mm": mm}))
    if apart > _tolerance(image):
        text = "The outline's voxels lie up to %(mm).2f mm beside the image's; %(allowed).2f mm is allowed."
        found.append(Sentence("beside", text, {"mm": apart, "allowed": _tolerance(image)}))
    return nearest, apart, tuple(found)


def _steps_along(cell: Floats, image: sitk.Image) -> Floats:
    """The image's spacing along the axis that runs most alike to each column of `cell`."""
    lengths = np.maximum(np.linalg.norm(cell, axis=0), 1e-9)
    alike = np.abs(_cosines(image).T @ (cell / lengths)).argmax(axis=0)
    along: Floats = np.array(image.GetSpacing(), dtype=np.float64)[alike]
    return along


def _times(values: Floats) -> str:
    return " × ".join(f"{value:.4g}" for value in values)
