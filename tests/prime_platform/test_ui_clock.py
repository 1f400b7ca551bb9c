"""The day clock: order in time is order on the page, and no words lie over others (design/ui, Clock)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.clock import LANDMARK, Clock, Fact, Mark, place, width_of, x_of

LANES = ["consent", "images", "seal", "treatment"]
facts = st.builds(
    Fact,
    st.sampled_from(LANES),
    st.integers(-400, 1200),
    st.just("done"),
    st.sampled_from(["同意 v2.1", "sealed 10-20", "影像已接收", "M1"]),
)


def test_day_zero_thirty_and_the_landmark_keep_their_distance() -> None:
    """The axis is linear: by hand, 1030 units for 126 days, so 30 days are 245.2 and the landmark lies three times as far."""
    assert x_of(30) - x_of(0) == pytest.approx(245.2, abs=0.15)
    assert x_of(LANDMARK) - x_of(0) == pytest.approx(735.7, abs=0.15)


@given(st.lists(facts, max_size=25))
def test_words_never_touch_other_words_of_their_lane(many: list[Fact]) -> None:
    """Labels that would touch are staggered."""
    for lane in place(many, LANES, today=10).lanes:
        for mark in lane.marks:
            for other in lane.marks:
                if mark is not other and mark.y == other.y:
                    left, right = sorted((_span(mark), _span(other)))
                    assert left[1] <= right[0]


@given(st.lists(facts, max_size=25))
def test_every_fact_is_drawn_once_and_inside(many: list[Fact]) -> None:
    """Nothing is dropped, whatever its day."""
    clock: Clock = place(many, LANES, today=10)
    assert sum(len(lane.marks) for lane in clock.lanes) == len(many)
    assert all(lane.marks == [] or lane.rule <= clock.bottom for lane in clock.lanes)


def test_today_is_drawn_within_the_axis_only() -> None:
    """After the clock has run out there is no today on it."""
    assert place([], LANES, today=47).today == x_of(47)
    assert place([], LANES, today=400).today is None


def _span(mark: Mark) -> tuple[float, float]:
    width = width_of(mark.label)
    start = mark.label_x if mark.anchor == "start" else mark.label_x - width
    return (min(start, mark.x - 5), max(start + width, mark.x + 5))
