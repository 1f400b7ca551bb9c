"""The outline drawn over a key slice runs exactly between marked and unmarked pixels."""

import numpy as np
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from imaging.outline import Outline, on_slice, outlines


def test_outline_of_a_square_has_its_four_corners() -> None:
    """3 × 3 pixels from row 1, column 2 cover x 2…5, y 1…4; clockwise on a screen."""
    marked = np.zeros((6, 7), dtype=bool)
    marked[1:4, 2:5] = True
    assert outlines(marked) == (((2, 1), (5, 1), (5, 4), (2, 4)),)


def test_outline_of_a_ring_has_the_hole_the_other_way_round() -> None:
    marked = np.ones((3, 3), dtype=bool)
    marked[1, 1] = False
    assert outlines(marked) == (((0, 0), (3, 0), (3, 3), (0, 3)), ((1, 1), (1, 2), (2, 2), (2, 1)))


def test_outline_of_pixels_that_touch_at_a_corner_is_apart() -> None:
    falling, rising = np.eye(2, dtype=bool), np.eye(2, dtype=bool)[::-1]
    assert outlines(falling) == (((0, 0), (1, 0), (1, 1), (0, 1)), ((1, 1), (2, 1), (2, 2), (1, 2)))
    assert outlines(rising) == (((1, 0), (2, 0), (2, 1), (1, 1)), ((0, 1), (1, 1), (1, 2), (0, 2)))


def test_outline_of_nothing_is_nothing() -> None:
    assert outlines(np.zeros((4, 4), dtype=bool)) == ()


def test_outline_is_taken_from_the_asked_slice_and_label() -> None:
    voxels = np.zeros((3, 4, 5), dtype=np.uint8)
    voxels[1, 0, 4], voxels[2] = 2, 1
    mask = sitk.GetImageFromArray(voxels)
    assert on_slice(mask, 0, label=2) == ()
    assert on_slice(mask, 1, label=2) == (((4, 0), (5, 0), (5, 1), (4, 1)),)
    assert on_slice(mask, 2) == (((0, 0), (5, 0), (5, 4), (0, 4)),)


def area(outline: Outline) -> float:
    """The signed area of a polygon (shoelace formula), positive clockwise on a screen."""
    x, y = np.array(outline).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_outlines_enclose_as_many_pixels_as_are_marked(marked: np.ndarray) -> None:
    """Outer areas less holes are the marked pixels, and every polygon turns at every point."""
    found = outlines(marked)
    assert sum(area(outline) for outline in found) == marked.sum()
    for outline in found:
        steps = np.sign(np.diff([*outline, outline[0]], axis=0))
        assert (np.abs(steps).sum(axis=1) == 1).all()
        assert (steps != np.roll(steps, 1, axis=0)).any(axis=1).all()
