"""Visit windows and what is due (EP-07)."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from followup.schedule import Standing, nearest, overdue, standings, windows
from studies.protocol import Visit

SURGERY = date(2026, 1, 1)
VISITS = (Visit("M6", 6, 183, 162, 204), Visit("M1", 1, 35, 28, 42), Visit("M3", 3, 91, 70, 112))
PLANNED = windows(SURGERY, VISITS)


def day(number: int) -> date:
    return SURGERY + timedelta(number)


def stand(made: list[int], on: int, ended: int | None = None) -> dict[str, str]:
    planned = standings(PLANNED, [day(number) for number in made], on=day(on), ended=None if ended is None else day(ended))
    return {each.window.code: each.standing for each in planned}


def test_windows_come_in_order_of_time_with_both_ends_inside():
    assert [window.code for window in PLANNED] == ["M1", "M3", "M6"]
    assert (PLANNED[0].opens, PLANNED[0].target, PLANNED[0].closes) == (date(2026, 1, 29), date(2026, 2, 5), date(2026, 2, 12))


@pytest.mark.parametrize(("on", "standing"), [(27, "not_yet"), (28, "due"), (42, "due"), (43, "overdue")])
def test_visit_is_due_from_the_first_to_the_last_day_of_its_window(on, standing):
    assert stand([], on)["M1"] == standing


def test_visit_inside_and_outside_the_window_are_told_apart():
    assert stand([42, 113], 120) == {"M1": Standing.DONE, "M3": Standing.DONE_OUTSIDE, "M6": Standing.NOT_YET}


def test_visit_inside_the_window_counts_before_one_outside():
    planned = standings(PLANNED, [day(60), day(40)], on=day(100))
    assert (planned[0].standing, planned[0].made_on) == (Standing.DONE, day(40))


def test_visit_of_tomorrow_is_not_known_today():
    assert stand([35], 34)["M1"] == Standing.DUE


def test_nothing_is_expected_after_the_end():
    """A death inside a window asks for no visit any more; a window that closed before it was missed."""
    assert stand([], 300, ended=100) == {"M1": Standing.OVERDUE, "M3": Standing.NOT_EXPECTED, "M6": Standing.NOT_EXPECTED}
    assert [window.code for window in overdue(standings(PLANNED, [], on=day(300), ended=day(100)))] == ["M1"]


def test_visit_half_way_belongs_to_the_earlier_one():
    assert nearest(PLANNED, day(63)).code == "M1"
    assert nearest(PLANNED, day(64)).code == "M3"


@given(st.lists(st.integers(0, 250), max_size=8), st.integers(0, 300), st.randoms())
def test_order_of_the_visits_never_matters(made, on, random):
    shuffled = random.sample(made, len(made))
    assert standings(PLANNED, [day(n) for n in made], on=day(on)) == standings(PLANNED, [day(n) for n in shuffled], on=day(on))


@given(st.lists(st.integers(0, 250), max_size=8), st.integers(0, 300))
def test_done_visit_stays_done_and_an_overdue_one_was_due(made, on):
    later = stand(made, on + 1)
    for code, standing in stand(made, on).items():
        if standing == Standing.DONE:
            assert later[code] == Standing.DONE
        if standing == Standing.OVERDUE:
            assert later[code] in (Standing.OVERDUE, Standing.DONE_OUTSIDE)
