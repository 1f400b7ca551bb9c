"""Order of seal and treatment by calendar days, and how many will be evaluable; counted by hand."""

from datetime import date, timedelta

import pytest

from analysis.evaluability import Chances, Order, Person, lines, risky_from

SURGERY = date(2026, 1, 1)
TODAY = SURGERY + timedelta(30)


def person(sealed=None, known=None, center="01"):
    return Person(center, SURGERY, *(None if lag is None else SURGERY + timedelta(lag) for lag in (sealed, known)))


@pytest.mark.parametrize(
    ("sealed", "known", "order"),
    [
        (10, 40, Order.BEFORE), (40, 40, Order.SAME_DAY), (41, 40, Order.LATE), (None, 40, Order.UNSEALED),
        (10, None, Order.WAITS_FOR_TREATMENT), (None, None, Order.OPEN),
    ],
)  # fmt: skip
def test_order_is_by_calendar_day(sealed, known, order):
    assert person(sealed, known).order == order


def test_chance_counts_those_who_were_open_at_that_age():
    """At day 30: the first was sealed, the second treated before; of the other three one came in order."""
    people = [person(10, 40), person(None, 25), person(35, 50), person(60, 50), person(None, 45)]
    assert Chances(people).at(30) == pytest.approx(1 / 3)
    assert Chances(people).at(0) == pytest.approx(2 / 5)
    assert Chances(people).at(90) is None


def test_expected_number_is_what_is_certain_and_the_share_of_the_open():
    people = [person(10, 40), person(12), person(None, 45), person(35, 50), person(), person(center="02")]
    own, other, everybody = lines(people, TODAY)
    assert [line.center for line in (own, other, everybody)] == ["01", "02", ""]
    assert own.counts[Order.OPEN] == 1
    assert own.expected == pytest.approx(3 + 1 / 2)  # at day 30 two were open, one of them was sealed in order
    assert other.expected == pytest.approx(1 / 2)
    assert everybody.enrolled == 6
    assert everybody.expected == pytest.approx(4)


def test_nobody_treated_yet_gives_no_forecast():
    assert lines([person()], TODAY)[0].expected is None
    assert lines([person(5)], TODAY)[0].expected == 1
    assert lines([], TODAY)[-1].enrolled == 0


def test_risk_begins_a_week_before_the_earliest_tenth_of_treatments():
    assert risky_from([]) == 21
    assert risky_from([person(1, lag) for lag in range(31, 41)]) == 24  # the first decile of 31…40 is 31.1
    assert risky_from([person(1, 3)] * 12) == 0
