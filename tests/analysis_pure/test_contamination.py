"""A leak of the recommendations is found where there is one, and hardly ever where there is none (docs/blinding.md §8)."""

from datetime import date
from math import inf

import numpy as np
import pytest

from analysis import contamination

BEGAN = date(2026, 1, 1).toordinal()


def trial(rng, n, *, leak=0.0, begins=0.0, habit=1.0):
    """A study whose physicians treat by a risk that they see in part: smoothly, not linearly, with more treatment as time goes on.

    A share `leak` of those operated on after the fraction `begins` of accrual is treated by the recommendation.
    """
    risk, hidden, when = rng.normal(size=n), rng.normal(size=n), rng.random(n)
    excess = 0.05 * risk + 0.03 * hidden
    leaning = 1 / (1 + np.exp(-(-0.3 + habit * risk + 0.3 * np.sin(2 * risk))))
    beyond = rng.random(n) < leaning
    known = (rng.random(n) < leak) & (when >= begins)
    beyond = np.where(known, excess > 0, beyond)
    return excess, beyond, beyond == (excess > 0), BEGAN + (when * 900).astype(int)


def share(number, n, **given):
    """In what share of simulated studies a leak is suspected."""
    rng = np.random.default_rng(20260101)
    return np.mean([bool(contamination.examine(*trial(rng, n, **given)).suspected) for _ in range(number)])


@pytest.mark.parametrize("habit", [1.0, 0.3, -0.5])
def test_short_form_finds_a_leak_of_a_fifth_and_no_other(habit):
    """A study of 1,500 patients: found in at least 80 %, suspected without cause in at most 6 % (here ± what 150 studies allow)."""
    assert share(150, 1500, leak=0.2, habit=habit) >= 0.8
    assert share(150, 1500, habit=habit) <= 0.06 + 2 * (0.06 * 0.94 / 150) ** 0.5


@pytest.mark.soak
@pytest.mark.parametrize("habit", [1.0, 0.3, -0.5])
def test_leak_of_a_fifth_is_found_in_eighty_of_a_hundred_studies_and_none_in_six(habit):
    assert share(4000, 1500, leak=0.2, habit=habit) >= 0.8
    assert share(4000, 1500, habit=habit) <= 0.06


@pytest.mark.soak
def test_leak_that_begins_late_is_found_by_the_calendar():
    """Half of the treated from the middle of accrual on."""
    assert share(1000, 1500, leak=0.5, begins=0.5) >= 0.95


def test_jump_is_the_share_that_was_leaked():
    """With 200,000 patients the estimate is the planted share: everyone at the threshold is treated by habit but for the leak."""
    found = contamination.examine(*trial(np.random.default_rng(5), 200_000, leak=0.2))
    assert found.jump is not None
    assert found.jump.value == pytest.approx(0.2, abs=4 * found.jump.error)
    assert found.suspected


def test_hand_computed_jump():
    """Left of the threshold nobody, right of it everybody: the jump is 1 whatever the slopes."""
    excess = [*(-0.01 * step for step in range(1, 41)), *(0.01 * step for step in range(1, 41))]
    beyond = [value > 0 if place % 7 else value <= 0 for place, value in enumerate(excess)]
    found = contamination.examine(excess, [value > 0 for value in excess], [True] * 80, list(range(80)))
    assert found.jump.value == pytest.approx(1)
    assert found.jump.z == inf  # nobody departs from the rule: no standard error
    assert found.trend is None  # everybody agrees, early and late
    assert found.suspected is True
    spread = contamination.examine(excess, beyond, [True, False] * 40, list(range(80)))
    assert 0.4 < spread.jump.value < 1


def test_nobody_is_treated_beyond_surgery_and_nothing_is_suspected():
    """No jump to estimate, and agreement that does not change with the calendar: nothing can be said."""
    excess = [*(-0.01 * step for step in range(1, 41)), *(0.01 * step for step in range(1, 41))]
    found = contamination.examine(excess, [False] * 80, [value <= 0 for value in excess], list(range(80)))
    assert found.jump is None
    assert found.suspected is None


def test_too_few_patients_say_nothing():
    rng = np.random.default_rng(1)
    assert contamination.examine(*trial(rng, 59, leak=1.0)).suspected is None
    excess, beyond, agreed, day = trial(rng, 200)
    assert contamination.examine(np.abs(excess) + 0.01, beyond, agreed, day).suspected is None


def test_quarters_count_everybody_once():
    days = [date(2026, 1, 1).toordinal(), date(2026, 3, 31).toordinal(), date(2026, 4, 1).toordinal(), date(2027, 12, 31).toordinal()]
    found = contamination.examine([1.0, -1.0, 1.0, 1.0], [True] * 4, [True, False, True, False], days)
    assert found.quarters == (("2026-Q1", 2, 1), ("2026-Q2", 1, 1), ("2027-Q4", 1, 0))


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="every patient"):
        contamination.examine([1.0], [], [True], [1])
    with pytest.raises(ValueError, match="every patient"):
        contamination.examine([float("nan")], [True], [True], [1])
