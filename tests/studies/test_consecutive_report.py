"""The pure core of the consecutiveness report and the flow (EN-01, EN-07); expected numbers by hand."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studies.consecutive import flow, flow_chart
from studies.consecutive.report import Line, Month, report

FIRST, TODAY = date(2026, 1, 5), date(2026, 4, 10)


def line(number: int, surgery: str, screened: str = "", status: str = "screened", **more: object) -> Line:
    return Line(number, date.fromisoformat(surgery), date.fromisoformat(screened or surgery), status, **more)  # type: ignore[arg-type]


def test_months_hold_the_log_against_the_centers_count():
    """EN-01: 3 resections reported in February, 2 in the log; April's count is not due yet."""
    log = [line(1, "2026-01-10", status="enrolled"), line(2, "2026-02-03"), line(3, "2026-02-20", status="excluded"), line(4, "2026-03-01")]
    found = report(log, {date(2026, 1, 1): 1, date(2026, 2, 1): 3, date(2026, 3, 1): 0}, FIRST, TODAY)
    assert found.months == (
        Month(date(2026, 1, 1), 1, 1, 1), Month(date(2026, 2, 1), 3, 2, 0),
        Month(date(2026, 3, 1), 0, 1, 0), Month(date(2026, 4, 1), None, 0, 0),
    )  # fmt: skip
    assert [month.not_screened for month in found.months] == [0, 1, 0, 0]
    assert [month.too_many for month in found.months] == [0, 0, 1, 0]
    assert (found.resections, found.screened, found.enrolled, found.not_screened, found.unreported) == (4, 4, 1, 1, ())


def test_gaps_order_and_lag():
    """S0002 is missing; S0004 was operated on 11 days before S0003, which was entered earlier; lags 0, 1, 40 days."""
    log = [line(1, "2026-01-10"), line(3, "2026-02-20", "2026-02-21"), line(4, "2026-02-09", "2026-03-21")]
    found = report(log, {}, FIRST, TODAY)
    assert found.gaps == (2,)
    assert found.behind == ((4, 11),)
    assert found.in_order == 2
    assert found.lags is not None
    assert (found.lags.median, found.lags.longest, found.lags.over_30) == (1.0, 40, 1)
    assert found.unreported == (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))


def test_typed_line_and_listed_line_of_one_day_age_and_sex_are_worth_a_look():
    typed, listed = line(1, "2026-01-10", age=58, sex="M"), line(2, "2026-01-10", age=58, sex="M", from_edge=True)
    other = line(3, "2026-01-10", age=59, sex="M", from_edge=True)
    unknown = [line(4, "2026-01-10"), line(5, "2026-01-10", from_edge=True)]
    assert report([typed, listed, other, *unknown], {}, FIRST, TODAY).twins == ((1, 2),)


def test_surgery_before_the_center_opened_has_its_month():
    assert report([line(1, "2025-11-30")], {}, FIRST, TODAY).months[0].first == date(2025, 11, 1)


def test_empty_log_is_reported_too():
    found = report([], {}, FIRST, TODAY)
    assert (found.screened, found.gaps, found.lags, len(found.months)) == (0, (), None, 4)


REASONS = ("declined", "duplicate")
LEAVES = [*flow.UNDECIDED, *flow.ENROLLED, *(flow.EXCLUDED + reason for reason in REASONS)]


@given(st.lists(st.sampled_from(LEAVES), max_size=60))
def test_every_box_is_the_sum_of_its_children_and_every_line_in_one_leaf(lines: list[str]):
    """EN-07, over random logs."""
    tree = flow.flow(Counter(lines), REASONS)
    assert tree.count == len(lines)
    assert Counter({leaf.code: leaf.count for leaf in tree.leaves() if leaf.count}) == Counter(lines)
    assert_sums(tree)
    assert len(flow_chart.place(tree).frames) == 7


def assert_sums(box: flow.Box) -> None:
    assert not box.children or box.count == sum(child.count for child in box.children)
    for child in box.children:
        assert_sums(child)


def test_line_that_fits_no_box_is_an_error_and_not_lost():
    with pytest.raises(ValueError, match="excluded.moved"):
        flow.flow({"excluded.moved": 1}, REASONS)


def test_frames_of_the_drawing_do_not_touch():
    tree = flow.flow(dict.fromkeys(LEAVES, 1), REASONS)
    frames = flow_chart.place(tree).frames
    for place, one in enumerate(frames):
        for other in frames[place + 1 :]:
            apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
            apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert apart_x or apart_y, (one.box.code, other.box.code)
