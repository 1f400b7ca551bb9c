"""Recurrence between two checks, by group: R's Turnbull, the overlap weights, both rows or neither (EP-07, AN-20, AN-21)."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.between_visits import Seen, between_visits, said
from analysis.other_rules import FREE_UNTIL
from analysis.propensity import overlap
from analysis.result_frame import frame_of
from tests.analysis import r
from tests.analysis.time_traps import MONTH, RATE, TRUTH, VISITS, seen_between_visits
from tests.analysis_pure import result_rows

NAMES = ("age", "albumin", "afp", "mvi")


def cohort(seed=1, n=600, prognosis=0.0):
    """Relapses of `time_traps` between visits; who agrees depends on x, and so does nothing else unless `prognosis` says so."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    left, right = seen_between_visits(seed, n)
    consistent = random.random(n) < 1 / (1 + np.exp(-(x + prognosis * (left > 600))))
    return Seen(left, right, consistent, random.integers(0, 4, n), random.integers(0, 3, n), x[:, None])


def missed(data):
    random = np.random.default_rng(9)
    relapse, visits = random.exponential(1 / RATE, data.left.size)[:, None], MONTH * np.array(VISITS, dtype=float)
    came = random.random((data.left.size, visits.size)) < 0.75
    after = visits >= relapse
    return replace(data, left=np.where(came & ~after, visits, 0).max(axis=1), right=np.where(came & after, visits, np.inf).min(axis=1))


@pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
def test_both_rows_equal_r(tmp_path):
    """Visits on the planned day, a quarter of them missed, so that every curve is settled at month 36; R stops early: three digits."""
    data = missed(cohort(n=300))
    weight = overlap(data.consistent, data.confounders, (data.center, data.recommended)).weight
    right = np.where(np.isfinite(data.right), data.right, 99_999.0)
    columns = {"left": np.maximum(data.left, 1e-6), "right": right, "g": data.consistent, "w": np.maximum(weight, 1e-12)}
    theirs = r.run(tmp_path, columns, """
d$right[d$right > 9999] <- NA
at <- function(e) min(summary(survfit(Surv(left, right, type = "interval2") ~ 1, e, weights = v), times = 1095.75)$surv)
out$naive <- sapply(c(1, 0), function(g) at(cbind(d[d$g == g, ], v = 1)))
out$adjusted <- sapply(c(1, 0), function(g) { e <- d[d$g == g, ]; e$v <- e$w; at(e) })
""")  # fmt: skip
    ours = between_visits(data, 36 * MONTH, seed=1, replicates=2)
    for name in ("naive", "adjusted"):
        assert [one.value for one in getattr(ours, name)] == pytest.approx(theirs[name], abs=1e-3)


def test_both_groups_hold_the_truth_where_nothing_helps_anybody():
    found = between_visits(cohort(5, n=1500), 1096, seed=2, replicates=40)
    for one in (*found.naive, *found.adjusted):
        assert one.lower < TRUTH < one.upper and one.upper - one.lower < 0.15


def test_same_seed_gives_the_same_limits_and_a_short_follow_up_is_refused():
    data = cohort(3)
    assert between_visits(data, 1096, seed=2, replicates=5) == between_visits(data, 1096, seed=2, replicates=5)
    with pytest.raises(ValueError, match="not followed up to the month"):
        between_visits(data, 2000, seed=2, replicates=5)
    with pytest.raises(ValueError, match="not followed up to the month"):
        between_visits(replace(data, consistent=np.ones(data.left.size, dtype=bool)), 1096, seed=2, replicates=5)


def test_rows_of_a_cut_give_both_rows_or_a_sentence():
    """A death is known to the day: its free day is the day itself."""
    rows, found = result_rows.made(6, n=500)
    for place, row in enumerate(rows):
        time = int(row["rfs_time"])
        row[FREE_UNTIL] = str(time if row["rfs_event"] == "0" or place % 5 == 0 else max(0, time - 91))
    frame = frame_of(rows, found, NAMES)
    both = said(rows, frame, landmark=90.0, seed=3, replicates=4)
    assert both["refused"] == "" and all(len(both[name]) == 2 and len(both[name][0]) == 3 for name in ("naive", "adjusted"))
    short = [row | {"rfs_time": str(min(int(row["rfs_time"]), 800)), FREE_UNTIL: str(min(int(row[FREE_UNTIL]), 700))} for row in rows]
    none = said(short, frame_of(short, found, NAMES), landmark=90.0, seed=3, replicates=4)
    assert set(none) == {"month", "refused"} and none["refused"]
