"""Contours become pixels by one rule: the centre decides, even-odd (PS3.3 C.8.8.6); every small count by hand."""

import numpy as np
import pytest
from matplotlib.path import Path as Outline

from imaging.contours import fill


def box(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=float)


@pytest.mark.parametrize(
    ("contours", "count"),
    [
        ([box(1.5, 1.5, 5.5, 4.5)], 4 * 3),  # along pixel edges: columns 2…5, rows 2…4
        ([box(2, 2, 5, 4)], 3 * 2),  # through centres: the left and upper edge is inside, the right and lower one outside
        ([box(1.5, 1.5, 8.5, 8.5), box(3.5, 3.5, 6.5, 6.5)], 49 - 9),  # a hole
        ([box(1.5, 1.5, 8.5, 8.5), box(2.5, 2.5, 7.5, 7.5), box(3.5, 3.5, 6.5, 6.5)], 49 - 25 + 9),  # an island in the hole
        ([box(0.5, 0.5, 4.5, 3.5), box(4.5, 0.5, 7.5, 3.5)], 4 * 3 + 3 * 3),  # neighbours that share an edge share no pixel
        ([box(-5.5, -5.5, 1.5, 2.5)], 2 * 3),  # cut off at the border of the picture
        ([box(7.5, 7.5, 30.5, 30.5)], 2 * 2),
        ([box(20.5, 20.5, 30.5, 30.5)], 0),
        ([box(2.1, 2.1, 2.4, 2.4)], 0),  # smaller than a pixel, around no centre
        ([np.array([(0.5, 0.5), (6.5, 0.5), (0.5, 6.5)])], 5 + 4 + 3 + 2 + 1),  # a triangle: the centres with x + y < 7
    ],
)  # fmt: skip
def test_pixels_are_counted_by_their_centres(contours: list[np.ndarray], count: int) -> None:
    assert int(fill(contours, 10, 10).sum()) == count


def test_keyhole_leaves_a_hole() -> None:
    """PS3.3 C.8.8.6.3: inner and outer contour joined by a channel of no width: 49 − 9 pixels, as with two contours."""
    keyhole = [(1.5, 1.5), (8.5, 1.5), (8.5, 8.5), (1.5, 8.5), (1.5, 5.0), (3.5, 5.0), (3.5, 6.5), (6.5, 6.5), (6.5, 3.5), (3.5, 3.5),
               (3.5, 5.0), (1.5, 5.0)]  # fmt: skip
    both = fill([box(1.5, 1.5, 8.5, 8.5), box(3.5, 3.5, 6.5, 6.5)], 10, 10)
    assert np.array_equal(fill([np.array(keyhole)], 10, 10), both)


def test_direction_and_first_point_play_no_part() -> None:
    way = np.array([(1.2, 1.3), (8.1, 2.2), (6.6, 8.4), (2.3, 6.9)])
    assert np.array_equal(fill([way], 10, 10), fill([np.roll(way[::-1], 2, axis=0)], 10, 10))


@pytest.mark.parametrize("seed", range(5))
def test_star_shaped_contours_agree_with_matplotlib(seed: int) -> None:
    """A second implementation: no centre lies on an edge, so every rule gives the same pixels."""
    rng = np.random.default_rng(seed)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 40))
    reach = rng.uniform(4, 19, 40)
    way = np.column_stack([20.3 + reach * np.cos(angles), 19.7 + reach * np.sin(angles)])
    y, x = np.mgrid[:40, :40]
    inside = Outline(way).contains_points(np.column_stack([x.ravel(), y.ravel()])).reshape(40, 40)
    assert np.array_equal(fill([way], 40, 40), inside)
