"""How closely participants are looked after, by arithmetic (EP-08)."""

from datetime import date, timedelta
from math import isnan

import pytest

from followup.history import Assessment, Finding, History
from followup.surveillance import Intensity, checked_days, intensity
from studies.protocol import Visit

SURGERY = date(2026, 1, 1)
VISITS = [Visit("M3", 3, 91, 70, 112), Visit("M6", 6, 183, 162, 204)]


def seen(*days, inadequate=()):
    looks = [Assessment(SURGERY + timedelta(day), day not in inadequate, Finding.FREE) for day in days]
    return History(SURGERY, tuple(looks))


def test_adequate_checks_under_observation_count_and_what_was_planned_by_then():
    """Two checks of three are adequate, the one after the event and the one on the day of surgery do not count; one window had opened."""
    assert intensity([(seen(0, 30, 90, 100, 400, inadequate=(30,)), 100)], VISITS) == Intensity(checks=2, planned=1, days=100)


def test_two_examinations_of_one_day_are_one_check():
    assert checked_days(seen(90, 30, 90, 0, 100), 99) == (30, 90)


def test_rates_are_of_everybody_together():
    """3 checks, 2 + 1 planned, in 365.25 + 365.25 days: one and a half a year, of one and a half."""
    both = Intensity(3, 3, 731)
    assert intensity([(seen(80, 170), 604), (seen(90), 127)], VISITS) == both
    assert (both.a_year, both.planned_a_year) == pytest.approx((1.49897, 1.49897), abs=1e-5)


def test_nobody_observed_has_no_rate():
    assert isnan(intensity([], VISITS).a_year)
    assert isnan(intensity([(seen(), 0)], VISITS).planned_a_year)
