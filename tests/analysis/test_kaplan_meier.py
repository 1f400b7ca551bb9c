"""The curve by hand, where nothing is estimable, and its weighted variant."""

import numpy as np
import pytest

from analysis.kaplan_meier import LIMITS, kaplan_meier, reverse_kaplan_meier
from analysis.weighted_curve import weighted_kaplan_meier

TIME, EVENT = [1, 2, 2, 3, 4, 5], [1, 1, 0, 1, 0, 1]


def test_curve_is_the_product_worked_by_hand() -> None:
    """AN-01: 5/6, then 4/5 of it (the censored at 2 is at risk), then 2/3, then nobody."""
    curve = kaplan_meier(TIME, EVENT)
    np.testing.assert_allclose(curve.time, [1, 2, 3, 5])
    np.testing.assert_allclose(curve.at_risk, [6, 5, 3, 1])
    np.testing.assert_allclose(curve.survival, [5 / 6, 4 / 6, 4 / 9, 0], rtol=1e-14)
    np.testing.assert_allclose(curve.hazard_variance[:3], np.cumsum([1 / 30, 1 / 20, 1 / 6]), rtol=1e-14)
    assert curve.median() == 3
    assert list(curve.censored) == [2, 4]


def test_limits_are_not_estimable_at_one_and_at_zero() -> None:
    """AN-01: libraries print [1, 1] and [0, 0] there; we print NE."""
    curve = kaplan_meier(TIME, EVENT)
    for kind in LIMITS:
        for time in (0.5, 5):
            interval = curve.at(time).interval(kind)
            assert np.isnan(interval.lower[0]) and np.isnan(interval.upper[0])


def test_survival_is_unknown_beyond_the_last_censored_and_zero_beyond_the_last_event() -> None:
    assert np.isnan(kaplan_meier([1, 2, 3], [1, 0, 0]).at(4).survival[0])
    assert kaplan_meier([1, 2, 3], [1, 0, 1]).at(4).survival[0] == 0


def test_median_is_the_middle_of_a_step_that_lies_at_one_half() -> None:
    """AN-01: R's rule."""
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median() == 2.5
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0]).median() == 2
    assert np.isnan(kaplan_meier([1, 2, 3, 4], [1, 0, 0, 0]).median())


def test_without_events_the_curve_is_flat_and_has_no_median() -> None:
    curve = kaplan_meier([3, 1, 2], [0, 0, 0])
    assert curve.time.size == 0 and curve.at(2).survival[0] == 1 and np.isnan(curve.median())
    assert np.isnan(curve.median_interval()).all()


def test_reverse_curve_exchanges_event_and_censoring() -> None:
    """AN-15."""
    np.testing.assert_array_equal(reverse_kaplan_meier(TIME, EVENT).survival, kaplan_meier(TIME, [0, 0, 1, 0, 1, 0]).survival)


def test_times_equal_but_for_rounding_are_one_time() -> None:
    """AN-26: 90 days and 90 days through months and back must tie."""
    through_months = 90 / 30.4375 * 30.4375
    nudged = np.nextafter(through_months, 100)
    assert kaplan_meier([90, nudged, 200.5], [1, 1, 1]).time.size == 2


@pytest.mark.parametrize(
    ("time", "event", "says"),
    [
        ([], [], "no rows"),
        ([1, -2], [1, 0], "negative"),
        ([1, np.nan], [1, 0], "missing"),
        ([1, 2], [1, 2], "neither 0 nor 1"),
        ([1, 2], [1], "1 events for 2 times"),
        ([[1, 2]], [[1, 0]], "one column"),
    ],
)
def test_bad_data_are_refused_at_the_door(time: list[float], event: list[int], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        kaplan_meier(time, event)


def test_weighted_curve_with_ones_is_the_curve() -> None:
    """AN-08: the infinitesimal jackknife is Greenwood's variance when every weight is 1."""
    random = np.random.default_rng(7)
    time, event = random.integers(0, 20, 60), random.integers(0, 2, 60)
    plain, weighted = kaplan_meier(time, event), weighted_kaplan_meier(time, event, np.ones(60))
    np.testing.assert_allclose(weighted.survival, plain.survival, atol=1e-14)
    np.testing.assert_allclose(weighted.standard_error, plain.standard_error, atol=1e-14)
    np.testing.assert_array_equal(weighted.censored, plain.censored)


def test_weights_times_ten_change_nothing_but_the_sums() -> None:
    """AN-08: lifelines takes weights for counts and shrinks the interval threefold."""
    random = np.random.default_rng(8)
    time, event, weight = random.exponential(9, 50), random.integers(0, 2, 50), random.uniform(0.1, 2, 50)
    once, tenfold = weighted_kaplan_meier(time, event, weight), weighted_kaplan_meier(time, event, 10 * weight)
    np.testing.assert_allclose(tenfold.standard_error, once.standard_error, rtol=1e-12)
    np.testing.assert_allclose(tenfold.at_risk, 10 * once.at_risk, rtol=1e-12)
    np.testing.assert_allclose(tenfold.effective_at_risk([0, 5]), once.effective_at_risk([0, 5]), rtol=1e-12)
    assert once.effective_at_risk(0)[0] < 50


@pytest.mark.parametrize(("weights", "says"), [([1, -1, 1], "negative"), ([0, 0, 0], "all weights are zero"), ([1, 1], "2 weights")])
def test_bad_weights_are_refused(weights: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        weighted_kaplan_meier([1, 2, 3], [1, 0, 1], weights)
