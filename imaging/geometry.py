"""Is a series one regular stack of parallel slices? Decided from header values alone (NW-09).

Millimetres in the patient coordinate system of DICOM PS3.3 C.7.6.2: x to the left, y to the back, z to the head. The order of
slices is taken from their positions along the common normal, never from Instance Number or from the order of arrival.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from imaging.separation import Part, Place, separate

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
    MIXED_REFERENCE = "mixed_reference"
    MIXED_SPACING = "mixed_spacing"
    SEVERAL_ACQUISITIONS = "several_acquisitions"
    CONFLICTING_POSITIONS = "conflicting_positions"
    DUPLICATE_POSITIONS = "duplicate_positions"
    TOO_FEW = "too_few"
    TILTED = "tilted"
    GAP = "gap"
    UNEVEN = "uneven"
    REGULAR = "regular"


@dataclass(frozen=True)
class Slice:
    """Header values of one image or frame: direction cosines (row, column), position and pixel spacing (row, column) in mm.

    `temporal` and `acquisition` are the scanner's numbers, `trigger` ms after the trigger, `acquired` seconds after midnight, `reference`
    the frame of reference, `pixels` a digest that is the same for the same picture. What a header does not say is empty or None.
    """

    key: str
    orientation: tuple[float, ...] | None
    position: tuple[float, ...] | None
    pixel_spacing: tuple[float, ...] | None
    rows: int
    columns: int
    thickness: float | None = None
    acquisition: str = ""
    localizer: bool = False
    temporal: str = ""
    trigger: float | None = None
    acquired: float | None = None
    reference: str = ""
    pixels: str = ""


@dataclass(frozen=True)
class Gap:
    """A hole in a stack: it begins `after` mm from the first slice and lacks `missing` slices."""

    after: float
    missing: int


@dataclass(frozen=True)
class Geometry:
    """The verdict on a stack; lengths in mm, angle in degrees, `order` the keys from the first to the last along the normal.

    `duplicates` counts the slices at a place already taken, `conflicting` those of them that show something else; `off` is how far the
    worst slice lies off the even grid, `groups` how many slices share one orientation or frame of reference where these are mixed.
    """

    verdict: Verdict
    count: int
    spacing: float | None = None
    extent: float | None = None
    thickness: float | None = None
    tilt: float | None = None
    gaps: tuple[Gap, ...] = ()
    duplicates: int = 0
    conflicting: int = 0
    off: float | None = None
    groups: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()
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
        return Geometry(Verdict.MIXED_ORIENTATION, len(slices), order=_given_order(slices), groups=_orientations(slices))
    if len(references := Counter(one.reference for one in usual if one.reference)) > 1:
        return Geometry(Verdict.MIXED_REFERENCE, len(slices), order=_given_order(slices), groups=_sizes(references))
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
        conflicting=_conflicting(ordered, along),
        off=_off(levels, spacing),
        parts=_parts(ordered, along),
        order=tuple(one.key for one in ordered),
        positions=tuple(float(value) for value in along),
    )
    return replace(found, verdict=_verdict(found, ordered, levels))


def _verdict(found: Geometry, slices: Sequence[Slice], levels: Floats) -> Verdict:
    faults = (
        (Verdict.MIXED_SPACING, not _one_grid(slices)),
        (Verdict.SEVERAL_ACQUISITIONS, bool(found.parts)),
        (Verdict.CONFLICTING_POSITIONS, found.conflicting > 0),
        (Verdict.DUPLICATE_POSITIONS, found.duplicates > 0),
        (Verdict.TOO_FEW, len(levels) < FEWEST_SLICES),
        (Verdict.TILTED, (found.tilt or 0.0) > UPRIGHT),
        (Verdict.GAP, bool(found.gaps)),
        (Verdict.UNEVEN, not _even(found)),
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


def _off(levels: Floats, spacing: float | None) -> float | None:
    """How far the worst slice lies off the even grid of a stack without gaps, in mm."""
    if spacing is None:
        return None
    return float(np.abs(levels - (levels[0] + spacing * np.arange(len(levels)))).max())


def _even(found: Geometry) -> bool:
    """Every slice lies on the even grid, within 10 % of the spacing or 0.1 mm, whichever is wider."""
    return found.spacing is not None and (found.off or 0.0) <= max(EVEN_SHARE * found.spacing, EVEN_FLOOR)


def _parts(slices: Sequence[Slice], along: Floats) -> tuple[Part, ...]:
    return separate(
        [
            Place(float(level), one.temporal, one.acquisition, one.trigger, one.acquired)
            for one, level in zip(slices, along - along[0], strict=True)
        ]
    )


def _conflicting(slices: Sequence[Slice], along: Floats) -> int:
    """How many slices show something else than another slice at their place; a slice without a digest is taken for a mere double."""
    shown: dict[int, set[str]] = {}
    for one, level in zip(slices, np.cumsum(np.diff(along, prepend=along[0]) > SAME_POSITION).tolist(), strict=True):
        shown.setdefault(level, set()).add(one.pixels)
    return sum(max(0, len(pictures - {""}) - 1) for pictures in shown.values())


def _orientations(slices: Sequence[Slice]) -> tuple[int, ...]:
    """How many slices lie in each orientation, the most first; localizers count as one of their own."""
    known: list[Floats] = []
    counts: Counter[int] = Counter()
    for one in slices:
        if one.localizer or not one.orientation:
            counts[-1] += 1
            continue
        cosines = np.array(one.orientation, dtype=np.float64)
        same = next((i for i, other in enumerate(known) if np.abs(cosines - other).max() <= 2 * SAME_COSINE), len(known))
        if same == len(known):
            known.append(cosines)
        counts[same] += 1
    return _sizes(counts)


def _sizes(counts: "Counter[int] | Counter[str]") -> tuple[int, ...]:
    return tuple(sorted(counts.values(), reverse=True))
