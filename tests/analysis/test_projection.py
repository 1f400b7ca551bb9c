"""Events to come, from everybody together: the expectation by hand, limits that hold, no event from who can have none (AN-19)."""

import numpy as np
import pytest

from analysis.projection import project
from analysis.sample_size import power_of


def test_expected_number_is_that_of_one_constant_hazard():
    """20 events in 20,000 days: 0.001 a day. 30 wait, of whom ten can be followed for 100 days only; by day 200, worked out by hand."""
    observed, event = np.full(50, 400.0), np.repeat([1, 0], [20, 30])
    left = np.concatenate([np.zeros(20), np.full(10, 100.0), np.full(20, 900.0)])
    [now, later] = project(observed, event, left, [0, 200])
    assert (now.events, now.lower, now.upper) == (20, 20, 20)
    assert later.events == pytest.approx(20 + 10 * (1 - np.exp(-0.1)) + 20 * (1 - np.exp(-0.2)))
    assert 20 <= later.lower < later.events < later.upper <= 50
    assert later.power == (power_of(later.events, 0.75, share=0.5), power_of(later.events, 0.7, share=0.5))


def test_limits_hold_what_happens():
    """Of 300 trials with a constant hazard, 95 % and not many more or fewer end within the limits (Monte Carlo error 1.3 %)."""
    inside = []
    for seed in range(300):
        random = np.random.default_rng(seed)
        onset, entered = random.exponential(900, 200), random.uniform(0, 700, 200)
        observed, event = np.minimum(onset, 700 - entered), onset <= 700 - entered
        [said] = project(observed, event, np.where(event, 0, 2000.0), [365])
        inside.append(said.lower <= np.sum(onset <= 700 - entered + 365) <= said.upper)
    assert 0.91 <= np.mean(inside) <= 0.99


def test_nothing_to_go_by_is_refused():
    for observed, event in (([0.0], [1]), ([10.0], [0])):
        with pytest.raises(ValueError, match="events and time"):
            project(observed, event, [10.0], [30])
