"""Turnbull's curve against a published one, against Kaplan and Meier's, and at its optimum (EP-07, AN-20)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.interval_censoring import FOR_A_PAGE, turnbull
from analysis.kaplan_meier import kaplan_meier
from tests.analysis.time_traps import seen_between_visits

NEVER = np.inf
RADIOTHERAPY = [
    (45, NEVER), (6, 10), (0, 7), (46, NEVER), (46, NEVER), (7, 16), (17, NEVER), (7, 14), (37, 44), (0, 8), (4, 11), (15, NEVER),
    (11, 15), (22, NEVER), (46, NEVER), (46, NEVER), (25, 37), (46, NEVER), (26, 40), (46, NEVER), (27, 34), (36, 44), (46, NEVER),
    (36, 48), (37, NEVER), (40, NEVER), (17, 25), (46, NEVER), (11, 18), (38, NEVER), (5, 12), (37, NEVER), (0, 5), (18, NEVER),
    (24, NEVER), (36, NEVER), (5, 11), (19, 35), (17, 25), (24, NEVER), (32, NEVER), (33, NEVER), (19, 26), (37, NEVER), (34, NEVER),
    (36, NEVER),
]  # fmt: skip
"""Months to retraction of the breast after radiotherapy alone (Finkelstein and Wolfe 1985, table 4)."""
PUBLISHED = [
    (4, 5, 0.0463), (6, 7, 0.0334), (7, 8, 0.0887), (11, 12, 0.0708), (24, 25, 0.0926), (33, 34, 0.0818), (38, 40, 0.1209),
    (46, 48, 0.4656),
]  # fmt: skip
"""Its Turnbull estimate as the R package `interval` prints it (Fay and Shaw 2010, Journal of Statistical Software 36/2)."""


def test_published_curve_to_its_four_digits():
    found = turnbull(*zip(*RADIOTHERAPY, strict=True))
    rows = [(left, right, round(mass, 4)) for left, right, mass in zip(found.left, found.right, found.mass, strict=True) if mass > 1e-6]
    assert rows == PUBLISHED


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=2, max_size=60).filter(lambda rows: any(event for _t, event in rows))
)
def test_events_known_to_the_day_give_kaplan_and_meiers_curve(rows):
    time, event = map(np.array, zip(*rows, strict=True))
    found, known = turnbull(time, np.where(event, time, NEVER)), kaplan_meier(time, event)
    days = np.arange(1, int(time[event].max()) + 1)
    assert [found.bounds(day)[1] for day in days] == pytest.approx(list(known.at(days).survival), abs=2e-5)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12), st.integers(1, 3)), min_size=1, max_size=40))
def test_no_interval_gains_by_taking_mass_and_weights_are_copies(rows):
    left, longer, copies = (np.array(each, dtype=float) for each in zip(*rows, strict=True))
    right = np.where(longer > 10, NEVER, left + longer)
    found, repeated = turnbull(left, right, copies), turnbull(np.repeat(left, copies.astype(int)), np.repeat(right, copies.astype(int)))
    assert found.mass.sum() == pytest.approx(1) and (found.mass >= 0).all() and found.gain < 1e-9
    for day in (3.5, 10.5, 20.5):
        assert found.bounds(day) == pytest.approx(repeated.bounds(day), abs=1e-3)
        low, high = found.bounds(day)
        assert 0 <= low <= high <= 1


def test_mass_that_belongs_nowhere_is_gone_where_its_slope_is_one():
    """By hand: of (0, 1], (0, 2], (1, 3], (2, 3] with weights 3, 3, 2, 2 the curve is 0.6 on (0, 1], 0.4 on (2, 3], nothing between.

    There the slope of the middle is 3/6 + 2/4 = 1: self-consistency alone takes its mass away as one over the number of steps.
    """
    found = turnbull([0, 0, 1, 2], [1, 2, 3, 3], [3, 3, 2, 2], gain=1e-12)
    assert (list(found.left), list(found.right)) == ([0, 1, 2], [1, 2, 3])
    assert list(found.mass) == pytest.approx([0.6, 0.0, 0.4], abs=2e-6) and found.steps < 60


def conditions(left, right, weights, found):
    """How far a curve is from the conditions of the maximum, from the intervals themselves: (largest slope − 1, largest |slope − 1| where
    there is mass)."""
    exact = (left == right)[:, None]
    inside = np.where(exact, (found.left == left[:, None]) & (found.right == right[:, None]),
                      (found.left >= left[:, None]) & (found.right <= right[:, None]))  # fmt: skip
    inside &= exact | ~((found.left == found.right) & (found.left == left[:, None]))  # the day t is not in (t, …]
    slope = (weights / weights.sum()) @ (inside / (inside @ found.mass)[:, None])
    return slope.max() - 1, np.abs(slope[found.mass > 1e-6] - 1).max()


def test_every_cohort_seen_between_visits_comes_to_its_maximum():
    """Cohort 3 crawled for 20,000 steps. No curve is likelier by more than the largest slope − 1 a patient (duality)."""
    for seed in range(8):
        left, right = seen_between_visits(seed)
        found = turnbull(left, right)
        above, off = conditions(left, right, np.ones(left.size), found)
        assert above < 2e-9 and off < 2e-9 and found.steps < 700, seed
        assert found.mass.sum() == pytest.approx(1, abs=1e-12)


def test_any_intervals_come_to_their_maximum():
    """400 small sets with ties, days known exactly, censored times and weights a hundredfold apart."""
    random = np.random.default_rng(20260301)
    for case in range(400):
        n, span = int(random.integers(1, 100)), int(random.integers(2, 120))
        left, longer = random.integers(0, span, (2, n)).astype(float)
        right = np.where(random.random(n) < 0.3, NEVER, left + longer * (random.random(n) < 0.8))
        weights = random.integers(1, 4, n) * random.choice([1.0, 0.013], n)
        above, off = conditions(left, right, weights, turnbull(left, right, weights, gain=1e-10))
        assert above < 2e-10 and off < 1e-4, case


def test_bad_intervals_are_refused():
    for left, right in (([], []), ([3], [2]), ([np.nan], [2]), ([1, 2], [3])):
        with pytest.raises(ValueError, match=r"no rows|before it begins"):
            turnbull(left, right)


def test_what_a_page_shows_is_right_to_its_last_digit():
    """To a tenth of a percent, on every day, whatever the visits."""
    rng = np.random.default_rng(20260101)
    event, until = rng.exponential(900, 400), rng.integers(200, 1800, 400)
    visits = np.cumsum(rng.integers(40, 140, (400, 25)), axis=1).astype(float)
    seen = np.where(visits <= until[:, None], visits, np.nan)
    left = np.nanmax(np.where(seen < event[:, None], seen, 0.0), axis=1)
    right = np.nanmin(np.where(seen >= event[:, None], seen, NEVER), axis=1)
    exact, quick = turnbull(left, right), turnbull(left, right, gain=FOR_A_PAGE)
    assert quick.steps < exact.steps
    for day in range(30, 1500, 10):
        assert quick.bounds(day) == pytest.approx(exact.bounds(day), abs=5e-4)
