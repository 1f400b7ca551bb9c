"""Exposure over time in (start, stop] stretches: by hand, and against R's own way of cutting a follow-up (`survival::tmerge`)."""

import numpy as np
import pytest

from analysis.exposure import COMPONENTS, Stretch, stretches, table
from tests.analysis import r


def cut_up(begun, time, event=True):
    return list(stretches(begun, time=time, event=event))


@pytest.mark.parametrize(("begun", "time", "expected"), [
    ([], 100, [Stretch(0, 100, 1, 0, 0, 0)]),
    ([(40, "tace")], 270, [Stretch(0, 40, 0, 0, 0, 0), Stretch(40, 270, 1, 1, 0, 0)]),
    ([(60, "systemic"), (30, "tace"), (90, "tace")], 400,
     [Stretch(0, 30, 0, 0, 0, 0), Stretch(30, 60, 0, 1, 0, 0), Stretch(60, 400, 1, 1, 1, 0)]),
    ([(30, "tace"), (30, "other")], 50, [Stretch(0, 30, 0, 0, 0, 0), Stretch(30, 50, 1, 1, 0, 1)]),
    ([(-3, "tace")], 50, [Stretch(0, 50, 1, 1, 0, 0)]),
    ([(50, "tace"), (70, "systemic")], 50, [Stretch(0, 50, 1, 0, 0, 0)]),
    ([(1, "tace")], 0, []),
], ids=["nothing", "one", "two, the second course of one changes nothing", "two on one day", "a month that began before surgery",
        "on the last day and later", "never followed"])  # fmt: skip
def test_stretches_by_hand(begun, time, expected):
    assert cut_up(begun, time) == expected


def test_event_stands_on_the_last_stretch_only():
    assert [each.event for each in cut_up([(10, "tace"), (20, "systemic")], 30)] == [0, 0, 1]
    assert [each.event for each in cut_up([(10, "tace"), (20, "systemic")], 30, event=False)] == [0, 0, 0]


def test_table_is_csv_with_a_row_a_stretch():
    said = table([("01-0001-11", "01", cut_up([(40, "tace")], 270)), ("02-0001-22", "02", [])])
    assert said.decode().splitlines() == [
        "patient,center,start,stop,event,tace,systemic,other", "01-0001-11,01,0,40,0,0,0,0", "01-0001-11,01,40,270,1,1,0,0",
    ]  # fmt: skip


def cohort(people=300):
    draws = np.random.default_rng(20261130)
    time, event = draws.integers(1, 1200, people), draws.random(people) < 0.6
    begun = np.where(draws.random((people, 3)) < 0.5, draws.integers(1, 400, (people, 3)), 10**6)
    return time, event, begun


@pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
def test_rows_are_those_that_r_cuts_and_its_curve_is_the_same(tmp_path):
    """R's `tmerge` makes the same stretches; a curve of stretches is the curve of the times, and a Cox model runs on them."""
    time, event, begun = cohort()
    rows = []
    for place, starts in enumerate(begun):
        given = [(int(day), name) for day, name in zip(starts, COMPONENTS, strict=True) if day < 10**6]
        rows += [(place, each) for each in cut_up(given, int(time[place]), bool(event[place]))]
    columns = {"id": np.arange(len(time)), "futime": time, "fustat": event.astype(int)}
    columns |= {name: np.where(begun[:, at] < 10**6, begun[:, at], np.nan) for at, name in enumerate(COMPONENTS)}
    columns = {name: np.nan_to_num(np.asarray(values, dtype=float), nan=1e6) for name, values in columns.items()}
    found = r.run(tmp_path, columns, """
d[d == 1e6] <- NA
base <- tmerge(d[, c("id", "futime", "fustat")], d, id = id, died = event(futime, fustat))
m <- tmerge(base, d, id = id, x = tdc(tace), y = tdc(systemic), z = tdc(other))
out$id <- m$id; out$start <- m$tstart; out$stop <- m$tstop; out$event <- m$died; out$x <- m$x; out$y <- m$y; out$z <- m$z
plain <- survfit(Surv(futime, fustat) ~ 1, data = d); cut <- survfit(Surv(tstart, tstop, died) ~ 1, data = m)
out$difference <- max(abs(plain$surv[plain$n.event > 0] - cut$surv[cut$n.event > 0]))
out$cox <- coef(coxph(Surv(tstart, tstop, died) ~ x + y + z, data = m))
""")  # fmt: skip
    ours = [(place, each.start, each.stop, each.event, each.tace, each.systemic, each.other) for place, each in rows]
    theirs = list(zip(*(found[name].astype(int) for name in ("id", "start", "stop", "event", "x", "y", "z")), strict=True))
    assert ours == [tuple(map(int, row)) for row in theirs]
    assert found["difference"][0] < 1e-12
    assert np.isfinite(found["cox"]).all()
