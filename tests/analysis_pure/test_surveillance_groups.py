"""Checks of the disease by tag and strategy in the opening: by arithmetic, as R's poisson.test says, and in words (EP-08)."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from django.template.loader import render_to_string
from django.utils import translation

from analysis import opening_result, surveillance_groups, surveillance_page
from analysis.consistency import State
from predictions.decision import INTENSITY
from studies import protocol
from tests.analysis import r
from tests.analysis_pure import result_rows

STUDY = SimpleNamespace(protocol=protocol.load("hcc_adjuvant"))


def cell(patient, strategy, time, *checks):
    return {"patient": patient, "strategy": strategy, "rfs_time": str(time), "alt_checks": " ".join(map(str, checks))}


ROWS = [cell("P1", "TACE", 400, 50, 150, 400), cell("P2", "TACE", 331, 90), cell("P3", "SURG", 730), cell("P4", "SURG", 365, 100, 200)]
FOUND = {name: SimpleNamespace(state=state) for name, state in zip(
    ("P1", "P2", "P3", "P4"), (State.CONSISTENT, State.CONSISTENT, State.CONSISTENT, State.INCONSISTENT), strict=True)}  # fmt: skip


def test_counts_rates_and_intervals_by_hand():
    """4 checks in 731 days are 1.9986 a year; intervals 50, 100, 250, 90. Garwood's limits of a count of 4 are 1.0899 and 10.2416."""
    found = surveillance_groups.groups(ROWS, FOUND)
    tace = found["CONSISTENT", "TACE"]
    assert (tace.n, tace.checks, tace.days, tace.interval) == (2, 4, 731, 95.0)
    assert [tace.a_year.value, tace.a_year.lower, tace.a_year.upper] == pytest.approx(
        [each * 365.25 / 731 for each in (4, 1.0899, 10.2416)], abs=5e-5
    )
    everybody = found["", ""]
    assert (everybody.n, everybody.checks, everybody.days, everybody.interval) == (4, 6, 1826, 100.0)
    assert found["INCONSISTENT", ""].checks + found["CONSISTENT", ""].checks == 6


def test_nobody_checked_and_nobody_at_all():
    """A count of 0 has the limits 0 and −log 0.025 = 3.6889; a group without anybody has no rate."""
    found = surveillance_groups.groups(ROWS, FOUND)
    unseen, empty = found["CONSISTENT", "SURG"], found["INCONSISTENT", "SYS"]
    assert (unseen.n, unseen.checks, unseen.a_year.value, unseen.a_year.lower) == (1, 0, 0.0, 0.0)
    assert unseen.a_year.upper == pytest.approx(-math.log(0.025) * 365.25 / 730) and math.isnan(unseen.interval)
    assert (empty.n, empty.checks) == (0, 0) and math.isnan(empty.a_year.value)
    assert len(found) == 3 * (1 + len(INTENSITY))


@pytest.mark.skipif(not r.installed(), reason=r.WHY_NOT)
def test_program_of_the_result_prints_every_group_to_twelve_digits(tmp_path, monkeypatch):
    monkeypatch.setattr(opening_result, "REPLICATES", 10)
    rows, found = result_rows.made(9, n=240)
    for row in rows[::3]:
        row["alt_checks"] = ""
    written = opening_result.files(result_rows.opened(rows), found)
    for name, content in written.items():
        (tmp_path / name).write_bytes(content)
    told = json.loads(written["analysis.json"])
    ours = {name: value for name, value in r.reported(told).items() if name.startswith("surveillance.")}
    theirs = {name: value for name, value in r.printed(tmp_path).items() if name.startswith("surveillance.")}
    assert theirs.keys() == ours.keys() and len(ours) == 5 * 15
    np.testing.assert_allclose([theirs[name] for name in ours], list(ours.values()), rtol=1e-12)


def test_a_cut_that_tells_no_checks_says_nothing(monkeypatch):
    monkeypatch.setattr(opening_result, "REPLICATES", 10)
    rows, found = result_rows.made(9, n=120)
    without = [{name: value for name, value in row.items() if name != "alt_checks"} for row in rows]
    written = opening_result.files(result_rows.opened(without), found)
    assert "surveillance" not in json.loads(written["analysis.json"])
    assert "checks" not in written["analysis_cut.csv"].decode().splitlines()[0].split(",")
    assert surveillance_page.page({}, STUDY) == []


@pytest.mark.parametrize(("language", "why", "nobody", "both"), [
    ("en", "found out earlier", "Nobody in this group.", "Both groups"),
    ("zh-hans", "更早被发现", "该组无参与者。", "两组合计"),
])  # fmt: skip
def test_page_says_why_it_matters_and_where_nobody_is(language, why, nobody, both):
    with translation.override(language):
        shown = surveillance_page.page({"surveillance": surveillance_groups.said(ROWS, FOUND)}, STUDY)
        page = render_to_string("analysis/_surveillance.html", {"surveillance": shown})
    assert why in page and nobody in page and both in page
    tace = shown[1]["rows"][2]
    assert (tace["n"], tace["checks"], tace["years"], tace["interval"]) == (2, 4, "2.0", "95")
    assert tace["a_year"].startswith("2.00") and "0.54" in tace["a_year"] and "5.12" in tace["a_year"]
