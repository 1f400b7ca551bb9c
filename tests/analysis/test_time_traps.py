"""Two traps of time, simulated: immortal time and reading a curve before its visits are done (F3, F4)."""

import numpy as np

from analysis.kaplan_meier import kaplan_meier
from analysis.landmark import landmark
from analysis.logrank import logrank
from analysis.survival_times import Bools, Floats


def treated_by_chance(seed: int, n: int = 600) -> tuple[Floats, Bools, Bools]:
    """Times, events, and whether treatment, which does nothing, began within 90 days; the dead and recurred never begin it."""
    random = np.random.default_rng(seed)
    relapse, start, followed = random.exponential(400, n), random.uniform(0, 180, n), random.uniform(400, 1500, n)
    return np.minimum(relapse, followed), relapse <= followed, (start <= 90) & (start < relapse)


def test_landmark_holds_its_level_where_the_naive_classification_does_not() -> None:
    """F3, TX-08: the naive test must reject, or this simulation has no teeth."""
    naive, landmarked = [], []
    for seed in range(1000):
        time, event, treated = treated_by_chance(seed)
        naive.append(logrank(time, event, treated).p < 0.05)
        kept = landmark(time, event, day=90)
        landmarked.append(logrank(kept.time, kept.event, treated[kept.kept]).p < 0.05)
    assert np.mean(naive) > 0.4
    assert 0.03 <= np.mean(landmarked) <= 0.07


def test_36_month_survival_is_right_only_at_the_end_of_the_visit_window() -> None:
    """F4, EP-07: relapses are seen at visits; the M36 visits take place between day 1082 and day 1126."""
    random = np.random.default_rng(36)
    n, month = 20_000, 30.4375
    truth = 0.45
    relapse = random.exponential(-1096 / np.log(truth), n)
    planned = np.array([1, 3, 6, 9, 12, 15, 18, 21, 24, 30, 36, 42]) * month
    visits = planned + np.column_stack([random.uniform(-14, 30, n) for _ in planned])
    seen = np.where(visits >= relapse[:, None], visits, np.inf).min(axis=1)
    event = np.isfinite(seen)
    curve = kaplan_meier(np.where(event, seen, visits[:, -1]), event)
    early, late = curve.at([36 * month, 1126]).survival
    assert early - truth > 0.03
    assert abs(late - truth) < 0.01
