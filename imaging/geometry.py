"""Is a series one regular stack of parallel slices? Decided from header values alone (NW-09).

Millimetres in the patient coordinate system of DICOM PS3.3 C.7.6.2: x to the left, y to the back, z to the head. The order of
slices is taken from their positions along the common normal, never from Instance Number or from the order of arrival.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_SLICES = 10  # below it no liver is covered: 10 slices of the thickest allowed 5 mm span 50 mm
SAME_POSITION = 0.01  # mm; scanners write positions to 0.001 mm or coarser
SAME_COSINE = 2e-3  # 0.1 degree; float jitter of direction cosines stays below 1e-4
SAME_PIXEL = 1e-3  # mm
EVEN_SHARE, EVEN_FLOOR = 0.10, 0.10  # of the spacing, and mm: positions rounded to 0.1 mm stay inside
GAP_FACTOR = 1.5  # a step longer than this many spacings lacks at least one slice
UPRIGHT = 1.0  # degrees between the stack's axis and its normal; a tilted gantry makes 5 and more


class Verdict(StrEnum):
    """What is wrong with a stack, worst first; REGULAR is the only one that may be measured without a person's look."""

    LOCALIZER = "localizer"
    NO_GEOMETRY = "no_geometry"
    MIXED_ORIENTATION = "mixed_orientation"
    MIXED_SPACING = "mixed_spacing"
    SEVERAL_ACQUISITIONS = "several_acquisitions"
    DUPLICATE_POSITIONS = "duplicate_positions"
    TOO_FEW = "too_few"
    TILTED = "tilted"
    GAP = "gap"
    UNEVEN = "uneven"
    REGULAR = "regular"


@dataclass(frozen=True)
class Slice:
    """Header values of one image or frame: direction cosines (row, column), position and pixel spacing (row, column) in mm."""

    key: str
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    rows: int
    columns: int
    thickness: float | None = None
    acquisition: str = ""
    localizer: bool = False


@dataclass(frozen=True)
class Gap:
    """A hole in a stack: it begins `after` mm from the first slice and lacks `missing` slices."""

    after: float
    missing: int


@dataclass(frozen=True)
class Geometry:
    """The verdict on a stack; lengths in mm, angle in degrees, `order` the keys from the first to the last along the normal."""

    verdict: Verdict
    count: int
    spacing: float | None = None
    extent: float | None = None
    thickness: float | None = None
    tilt: float | None = None
    gaps: tuple[Gap, ...] = ()
    duplicates: int = 0
    acquisitions: int = 1
    order: tuple[str, ...] = ()
    positions: tuple[float, ...] = field(default=(), repr=False)


def assess(slices: Sequence[Slice]) -> Geometry:
    """Judge one series. Any order, any length; the first thing found wrong, in the order of `Verdict`, is the verdict."""
    usual = [one for one in slices if not one.localizer]
    if not usual:
        return Geometry(Verdict.LOCALIZER if slices else Verdict.TOO_FEW, len(slices), order=_given_order(slices))
    if any(not _complete(one) for one in usual):
        return Geometry(Verdict.NO_GEOMETRY, len(slices), order=_given_order(slices))
    if len(usual) < len(slices) or not _one_orientation(usual):
        return Geometry(Verdict.MIXED_ORIENTATION, len(slices), order=_given_order(slices))
    return _assess_parallel(usual)


def sides(orientation: Sequence[float]) -> tuple[str, str]:
    """The sides of the body at the left and right edge of an image, as letters of PS3.3 C.7.6.1.1.1: R L, A P or H F.

    The row's direction cosines point from the left edge to the right; the largest of them names both edges.
    """
    x, y, z = orientation[:3]
    _, low, high = max((abs(x), "R", "L"), (abs(y), "A", "P"), (abs(z), "F", "H"))
    return (low, high) if {"L": x, "P": y, "H": z}[high] > 0 else (high, low)


def _assess_parallel(slices: Sequence[Slice]) -> Geometry:
    along, order = _sorted_along_normal(slices)
    ordered = [slices[i] for i in order]
    levels = _levels(along)
    steps = np.diff(levels)
    usual = float(np.median(steps)) if steps.size else None
    tilt = _tilt(ordered)
    gaps = _gaps(levels, usual)
    spacing = float(levels[-1] - levels[0]) / (steps.size + sum(gap.missing for gap in gaps)) if steps.size else None
    found = Geometry(
        verdict=Verdict.REGULAR,
        count=len(slices),
        spacing=spacing,
        extent=float(levels[-1] - levels[0]),
        thickness=ordered[0].thickness,
        tilt=tilt,
        gaps=gaps,
        duplicates=len(slices) - len(levels),
        acquisitions=_overlapping_acquisitions(ordered, along),
        order=tuple(one.key for one in ordered),
        positions=tuple(float(value) for value in along),
    )
    return replace(found, verdict=_verdict(found, ordered, levels))


def _verdict(found: Geometry, slices: Sequence[Slice], levels: Floats) -> Verdict:
    faults = (
        (Verdict.MIXED_SPACING, not _one_grid(slices)),
        (Verdict.SEVERAL_ACQUISITIONS, found.acquisitions > 1),
        (Verdict.DUPLICATE_POSITIONS, found.duplicates > 0),
        (Verdict.TOO_FEW, len(levels) < FEWEST_SLICES),
        (Verdict.TILTED, (found.tilt or 0.0) > UPRIGHT),
        (Verdict.GAP, bool(found.gaps)),
        (Verdict.UNEVEN, not _even(levels, found.spacing)),
    )
    return next((verdict for verdict, is_so in faults if is_so), Verdict.REGULAR)


def _given_order(slices: Sequence[Slice]) -> tuple[str, ...]:
    return tuple(one.key for one in slices)


def _complete(one: Slice) -> bool:
    lengths = [len(values or ()) for values in (one.orientation, one.position, one.pixel_spacing)]
    if lengths != [6, 3, 2]:
        return False
    numbers = np.array([*(one.orientation or ()), *(one.position or ()), *(one.pixel_spacing or ())])
    return bool(np.isfinite(numbers).all()) and bool(np.linalg.norm(_normal(one)) > 1 - SAME_COSINE)


def _normal(one: Slice) -> Floats:
    cosines = np.array(one.orientation, dtype=np.float64)
    return np.cross(cosines[:3], cosines[3:])


def _one_orientation(slices: Sequence[Slice]) -> bool:
    cosines = np.array([one.orientation for one in slices], dtype=np.float64)
    return bool(np.abs(cosines - np.median(cosines, axis=0)).max() <= SAME_COSINE)


def _one_grid(slices: Sequence[Slice]) -> bool:
    spacing = np.array([one.pixel_spacing for one in slices], dtype=np.float64)
    sizes = {(one.rows, one.columns) for one in slices}
    return len(sizes) == 1 and bool(np.ptp(spacing, axis=0).max() <= SAME_PIXEL)


def _sorted_along_normal(slices: Sequence[Slice]) -> tuple[Floats, list[int]]:
    """Ascending distances (n,) from the origin along the first slice's normal, and the indices that sort them so; ties by key."""
    normal = _normal(slices[0])
    normal /= np.linalg.norm(normal)
    along = np.array([one.position for one in slices], dtype=np.float64) @ normal
    order = sorted(range(len(slices)), key=lambda i: (round(float(along[i]) / SAME_POSITION), slices[i].key))
    return along[order], order


def _levels(along: Floats) -> Floats:
    """The distinct positions (m ≤ n,) of ascending distances."""
    return along[np.concatenate(([True], np.diff(along) > SAME_POSITION))]


def _tilt(slices: Sequence[Slice]) -> float:
    """Degrees between the line through the first and last position and the normal: a gantry's tilt shears the stack."""
    walk = np.subtract(np.array(slices[-1].position, dtype=np.float64), np.array(slices[0].position, dtype=np.float64))
    length = float(np.linalg.norm(walk))
    if length <= SAME_POSITION:
        return 0.0
    cosine = abs(float(walk @ _normal(slices[0]))) / length / float(np.linalg.norm(_normal(slices[0])))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def _gaps(levels: Floats, usual: float | None) -> tuple[Gap, ...]:
    """The steps that are much longer than the usual (median) one."""
    if usual is None:
        return ()
    return tuple(
        Gap(after=float(levels[i] - levels[0]), missing=max(1, round(step / usual) - 1))
        for i, step in enumerate(np.diff(levels))
        if step > GAP_FACTOR * usual
    )


def _even(levels: Floats, spacing: float | None) -> bool:
    """Every slice of a stack without gaps lies on the even grid, within 10 % of the spacing or 0.1 mm, whichever is wider."""
    if spacing is None:
        return False
    grid = levels[0] + spacing * np.arange(len(levels))
    return bool(np.abs(levels - grid).max() <= max(EVEN_SHARE * spacing, EVEN_FLOOR))


def _overlapping_acquisitions(slices: Sequence[Slice], along: Floats) -> int:
    """How many acquisitions cover the same part of the body; stations that follow each other count as one."""
    spans: dict[str, list[float]] = {}
    for one, level in zip(slices, along, strict=True):
        spans.setdefault(one.acquisition, []).append(float(level))
    if len(spans) == len(slices):  # each slice its own acquisition: an axial (sequential) scan
        return 1
    ranges = sorted((min(levels), max(levels)) for levels in spans.values() if len(levels) > 1)
    overlaps = sum(_share(a, b) > 0.5 for a, b in pairwise(ranges))
    return 1 + overlaps


def _share(a: tuple[float, float], b: tuple[float, float]) -> float:
    common = min(a[1], b[1]) - max(a[0], b[0])
    return common / max(min(a[1] - a[0], b[1] - b[0]), SAME_POSITION)
