"""Geometry of a stack from header values (NW-09): every expected number was worked out by hand."""

import math
import random
from dataclasses import replace

import pytest

from imaging.geometry import Gap, Slice, Verdict, assess, sides
from imaging.separation import By, Part

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def stack(count: int = 20, spacing: float = 2.5, start: float = -50.0, name: str = "a") -> list[Slice]:
    return [
        Slice(f"{name}{i:03d}", AXIAL, (-160.0, -170.0, start + i * spacing), (0.7, 0.7), 512, 512, thickness=spacing, acquisition="1")
        for i in range(count)
    ]


def test_regular_stack_has_its_spacing_and_extent() -> None:
    """NW-09: 20 slices 2.5 mm apart span 19 × 2.5 = 47.5 mm."""
    found = assess(stack())
    assert (found.verdict, found.count, found.spacing, found.extent, found.thickness) == (Verdict.REGULAR, 20, 2.5, 47.5, 2.5)


def test_shuffled_order_is_put_in_order_of_position() -> None:
    """NW-09: the order of arrival plays no part."""
    slices = stack()
    shuffled = random.Random(7).sample(slices, len(slices))
    assert assess(shuffled).order == tuple(one.key for one in slices)
    assert assess(shuffled).verdict is Verdict.REGULAR


def test_missing_middle_slice_is_a_gap_with_its_place() -> None:
    """NW-09: without slice 7 the step after slice 6 (15 mm from the first) is 5 mm, so one slice is missing."""
    found = assess([one for i, one in enumerate(stack()) if i != 7])
    assert (found.verdict, found.gaps) == (Verdict.GAP, (Gap(after=15.0, missing=1),))


def test_three_missing_slices_are_counted() -> None:
    """NW-09: slices 4, 5 and 6 are gone: the hole begins 7.5 mm from the first."""
    found = assess([one for i, one in enumerate(stack()) if i not in (4, 5, 6)])
    assert found.gaps == (Gap(after=7.5, missing=3),)


def test_duplicate_position_is_found() -> None:
    """NW-09: one position twice under two UIDs."""
    slices = stack()
    found = assess([*slices, replace(slices[4], key="again")])
    assert (found.verdict, found.duplicates, found.count, found.spacing) == (Verdict.DUPLICATE_POSITIONS, 1, 21, 2.5)


def test_two_phases_in_one_series_are_told_from_doubles() -> None:
    """NW-09: the same positions under two acquisition numbers are two phases."""
    second = [replace(one, key=f"b{one.key}", acquisition="2") for one in stack()]
    found = assess(stack() + second)
    assert (found.verdict, found.duplicates) == (Verdict.SEVERAL_ACQUISITIONS, 20)
    assert found.parts == (Part(By.ACQUISITION, "1", 20, 0.0, 47.5), Part(By.ACQUISITION, "2", 20, 0.0, 47.5))


def test_two_phases_that_lie_between_each_other_are_found() -> None:
    """NW-09: the second phase is shifted by 0.8 mm, so no position is double, yet the region is covered twice."""
    second = [replace(one, acquisition="2") for one in stack(start=-49.2, name="b")]
    assert assess(stack() + second).verdict is Verdict.SEVERAL_ACQUISITIONS


@pytest.mark.parametrize(
    ("by", "phases", "values"),
    [
        (By.TEMPORAL, [{"temporal": "1", "acquired": 36_000.0}, {"temporal": "2", "acquired": 36_040.0}], ["1", "2"]),
        (By.TRIGGER, [{"trigger": 0.0}, {"trigger": 15_000.0}, {"trigger": 60_000.0}], ["0", "15000", "60000"]),
        (By.TIME, [{"acquired": 36_030.0}, {"acquired": 36_065.0}, {"acquired": 36_180.0}], ["36030", "36065", "36180"]),
    ],
)
def test_phases_in_one_series_are_told_by_what_the_headers_have(by: By, phases: list[dict[str, object]], values: list[str]) -> None:
    """NW-09: one acquisition number, the same 20 places in each pass: the temporal position, the trigger or the time tells them."""
    mixed = [replace(one, key=f"{i}{one.key}", **said) for i, said in enumerate(phases) for one in stack()]
    found = assess(random.Random(1).sample(mixed, len(mixed)))
    assert found.verdict is Verdict.SEVERAL_ACQUISITIONS
    assert [(part.by, part.value, part.count, part.start, part.end) for part in found.parts] == [(by, one, 20, 0.0, 47.5) for one in values]


def test_pauses_between_slices_of_one_pass_are_shorter_than_between_passes() -> None:
    """NW-09: helical slices every 0.3 s; the second pass begins 33 s after the first one's end."""
    starts = {"a": 100.0, "b": 139.0}
    mixed = [replace(one, key=f"{name}{one.key}", acquired=at + 0.3 * i) for name, at in starts.items() for i, one in enumerate(stack())]
    assert [(part.count, part.acquired) for part in assess(mixed).parts] == [(20, 100.0), (20, 139.0)]


def test_pictures_at_one_place_are_doubles_when_they_are_the_same() -> None:
    """NW-09: slices 4 and 5 once more: 4 with the same picture, 5 with another."""
    slices = [replace(one, pixels=one.key) for one in stack()]
    same = assess([*slices, replace(slices[4], key="again")])
    assert (same.verdict, same.duplicates, same.conflicting) == (Verdict.DUPLICATE_POSITIONS, 1, 0)
    other = assess([*slices, replace(slices[4], key="again"), replace(slices[5], key="other", pixels="else")])
    assert (other.verdict, other.duplicates, other.conflicting) == (Verdict.CONFLICTING_POSITIONS, 2, 1)


def test_two_frames_of_reference_are_no_stack() -> None:
    """PS3.3 C.7.4.1: positions in two frames of reference cannot be compared; 12 and 8 slices."""
    slices = [replace(one, reference="1.2" if i < 12 else "1.3") for i, one in enumerate(stack())]
    found = assess(slices)
    assert (found.verdict, found.groups) == (Verdict.MIXED_REFERENCE, (12, 8))


def test_mixed_orientations_are_counted() -> None:
    """NW-09: 20 axial slices, 3 coronal, one localizer."""
    coronal = [replace(one, key=f"c{one.key}", orientation=(1.0, 0.0, 0.0, 0.0, 0.0, -1.0)) for one in stack(3)]
    assert assess([*stack(), *coronal, replace(stack(1)[0], key="l", localizer=True)]).groups == (20, 3, 1)


def test_stations_that_follow_each_other_are_one_stack() -> None:
    """NW-09: a long scan in two acquisitions, end to end, is not two phases."""
    slices = stack(40)
    assert assess([replace(one, acquisition="1" if i < 20 else "2") for i, one in enumerate(slices)]).verdict is Verdict.REGULAR


def test_every_slice_an_acquisition_of_its_own_is_a_sequential_scan() -> None:
    """NW-09: axial step-and-shoot numbers each slice."""
    assert assess([replace(one, acquisition=str(i)) for i, one in enumerate(stack())]).verdict is Verdict.REGULAR


def test_tilted_gantry_is_found_with_its_angle() -> None:
    """NW-09: the image plane is tilted by 15° about x while the table moves along z."""
    angle = math.radians(15)
    tilted = (1.0, 0.0, 0.0, 0.0, math.cos(angle), -math.sin(angle))
    found = assess([replace(one, orientation=tilted) for one in stack()])
    assert found.verdict is Verdict.TILTED
    assert found.tilt == pytest.approx(15.0, abs=1e-9)
    assert found.spacing == pytest.approx(2.5 * math.cos(angle), abs=1e-9)


def test_oblique_stack_along_its_normal_is_regular() -> None:
    """NW-09: an MR stack tilted as a whole is no tilted gantry."""
    angle = math.radians(20)
    orientation = (1.0, 0.0, 0.0, 0.0, math.cos(angle), math.sin(angle))
    normal = (0.0, -math.sin(angle), math.cos(angle))
    slices = [replace(one, orientation=orientation, position=tuple(3.0 * i * part for part in normal)) for i, one in enumerate(stack())]
    found = assess(slices)
    assert (found.verdict, found.tilt) == (Verdict.REGULAR, pytest.approx(0.0, abs=1e-5))
    assert found.spacing == pytest.approx(3.0)


def test_float_jitter_and_rounded_positions_are_regular() -> None:
    """NW-09: cosines off by 1e-6, positions rounded to 0.1 mm at 0.625 mm spacing."""
    rng = random.Random(3)
    slices = [
        replace(one, orientation=tuple(part + rng.uniform(-1e-6, 1e-6) for part in AXIAL), position=(-160.0, -170.0, round(i * 0.625, 1)))
        for i, one in enumerate(stack(60))
    ]
    found = assess(slices)
    assert found.verdict is Verdict.REGULAR
    assert found.spacing == pytest.approx(36.9 / 59, abs=1e-4)


def test_uneven_spacing_is_no_gap() -> None:
    """NW-09: one step of 3.2 instead of 2.5 mm is neither regular nor a missing slice."""
    slices = stack()
    moved = [
        replace(one, position=(-160.0, -170.0, (one.position or (0, 0, 0))[2] + (0.7 if i > 9 else 0))) for i, one in enumerate(slices)
    ]
    found = assess(moved)
    assert found.verdict is Verdict.UNEVEN
    assert found.off == pytest.approx(9 * 0.7 / 19)  # slice 9 lies at 22.5 mm, the even grid of 48.2 / 19 mm has it at 22.83


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"orientation": (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)}, Verdict.MIXED_ORIENTATION),
        ({"pixel_spacing": (0.8, 0.8)}, Verdict.MIXED_SPACING),
        ({"rows": 256, "columns": 256}, Verdict.MIXED_SPACING),
        ({"position": None}, Verdict.NO_GEOMETRY),
        ({"orientation": (0.0,) * 6}, Verdict.NO_GEOMETRY),
        ({"position": (0.0, 0.0, math.nan)}, Verdict.NO_GEOMETRY),
        ({"localizer": True}, Verdict.MIXED_ORIENTATION),
    ],
)
def test_one_slice_of_another_kind_spoils_the_stack(change: dict[str, object], verdict: Verdict) -> None:
    """NW-09: one slice differs from the other nineteen."""
    slices = stack()
    assert assess([*slices[:7], replace(slices[7], **change), *slices[8:]]).verdict is verdict  # type: ignore[arg-type]


def test_localizer_alone_is_a_localizer() -> None:
    """NW-09."""
    assert assess([replace(one, localizer=True) for one in stack(2)]).verdict is Verdict.LOCALIZER


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_few_slices_cover_no_liver(count: int) -> None:
    """NW-09: fewer than ten."""
    assert assess(stack(count)).verdict is Verdict.TOO_FEW


def test_sides_of_an_axial_supine_image_are_right_and_left() -> None:
    """PS3.3 C.7.6.1.1.1: rows run towards the patient's left, so the patient's right is at the left edge."""
    assert sides(AXIAL) == ("R", "L")
    assert sides((-1.0, 0.0, 0.0, 0.0, 1.0, 0.0)) == ("L", "R")
    assert sides((0.0, 1.0, 0.0, 0.0, 0.0, -1.0)) == ("A", "P")
    assert sides((0.0, 0.1, -0.99, 1.0, 0.0, 0.0)) == ("H", "F")
