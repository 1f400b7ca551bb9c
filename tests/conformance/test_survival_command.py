"""`manage.py survival --json` on the colon trial against R's numbers, through the command's own door."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from tests.paths import SHARED

DATA = SHARED / "data" / "06_survival_reference"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"reference data are not at {DATA}")


@pytest.fixture(scope="module")
def known() -> Any:
    return json.loads((DATA / "expected" / "A_colon_adjuvant_rfs.json").read_text())


def report(*options: str) -> Any:
    out = StringIO()
    file = str(DATA / "csv" / "colon_wide.csv")
    call_command("survival", file, "--arm", "rx", "--reference", "Obs", *options, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_recurrence_free_survival_of_colon_equals_r(known: Any) -> None:
    """AN-01 … AN-06."""
    found = report("--time", "rfs_time", "--event", "rfs", "--strata", "node4", "--horizon", "1095", "--at", "180,365,730,1095,1825,2555")
    arms = {group["arm"]: group for group in found["groups"]}
    for row in known["km_rfs_log"]:
        [point] = [point for point in arms[row["strata"].removeprefix("rx=")]["km"] if point["time"] == row["time"]]
        assert (point["at_risk"], point["events"]) == (row["n_risk"], row["n_event_interval"])
        ours = [point["survival"], point["se"], *point["ci"]["log"]]
        assert ours == pytest.approx([row[key] for key in ("surv", "std_err", "lower", "upper")], rel=1e-10)
    for row in known["median_rfs"]:
        group = arms[row["strata"].removeprefix("rx=")]
        assert [group["median"], *group["median_ci"]] == [row["median"], row["0.95LCL"], row["0.95UCL"]]
    for row in known["rmst_1095"]:
        mean = arms[row["strata"].removeprefix("rx=")]["rmst"]
        assert [mean["estimate"], mean["se"]] == pytest.approx([row["rmean"], row["se(rmean)"]], rel=1e-10)
    for ours, row in zip(found["rmst_differences"], known["rmst_diff_1095"], strict=True):
        assert [ours["estimate"], ours["se"], ours["p"]] == pytest.approx([row["diff"], row["se"], row["p"]], rel=1e-10)
    for key, name in (("logrank", "logrank_rfs"), ("logrank_stratified", "logrank_rfs_stratified_by_node4")):
        assert [found[key]["statistic"], found[key]["p"]] == pytest.approx([known[name]["chisq"], known[name]["p"]], rel=1e-10)


def test_cox_and_landmark_of_colon_equal_r(known: Any) -> None:
    """AN-03, AN-07; arms come in alphabetic order after the reference."""
    plain, landmarked = report("--time", "rfs_time", "--event", "rfs"), report("--time", "rfs_time", "--event", "rfs", "--landmark", "90")
    for found, row in ((plain, known["cox_rfs_efron"]), (landmarked, known["landmark_90"]["cox"])):
        assert (found["n"], found["events"]) == (row["n"], row["nevent"])
        for term, theirs in zip(found["cox"]["terms"], row["coef"], strict=True):
            assert term["term"].removeprefix("rx=") == theirs["term"].removeprefix("rx")
            assert [term["coef"], term["se"]] == pytest.approx([theirs["coef"], theirs["se(coef)"]], rel=2e-8)
    assert landmarked["landmark"]["excluded"] == known["landmark_90"]["excluded"]


@pytest.mark.parametrize("causes", [("--event", "rec", "--competing", "death"), ("--event", "cr", "--competing", "2")])
def test_competing_risks_of_colon_equal_r(known: Any, causes: tuple[str, ...]) -> None:
    """AN-10, AN-11: by an indicator column, or by the code of the competing event."""
    found = report("--time", "cr_time", *causes, "--at", "180,1095")
    curves = {(curve["arm"], curve["cause"]): curve["points"] for curve in found["cif"]}
    for row in known["competing"]["aalen_johansen_survfit"]:
        if row["time"] in (180, 1095):
            points = curves[row["strata"].removeprefix("rx="), 1]
            [point] = [point for point in points if point["time"] == row["time"]]
            assert [point["estimate"], point["se"]] == pytest.approx([row["rec"], row["se_rec"]], rel=1e-10)
    gray = [[test["statistic"], test["p"]] for test in found["gray"]]
    assert gray == [pytest.approx([row["stat"], row["pv"]], rel=1e-9) for row in known["competing"]["gray_test"]]
    fine_gray = [term["coef"] for term in found["fine_gray"][0]["terms"]]
    assert fine_gray == pytest.approx([row["coef"] for row in known["competing"]["fine_gray_via_finegray_coxph"]["coef"]], rel=1e-8)
    cause_specific = [term["coef"] for term in found["cause_specific"][0]["terms"]]
    assert cause_specific == pytest.approx([row["coef"] for row in known["competing"]["cause_specific_rec"]["coef"]], rel=1e-7)


def test_resected_cohort_has_no_death_without_recurrence_and_the_note_says_so() -> None:
    """EP-05: 97 deaths, 143 recurrences; RFS and OS as in `C_hepatoCellular_resection`, which `test_survival_reference` compares whole."""
    out = StringIO()
    file = DATA.parent / "02_hcc_clinical" / "asaur_hepatoCellular" / "hepatoCellular.csv"
    call_command("survival", str(file), "--time", "RFS", "--event", "Recurrence", "--death", "OS", "Death", "--json", stdout=out)
    found, resected = json.loads(out.getvalue()), json.loads((DATA / "expected" / "C_hepatoCellular_resection.json").read_text())
    assert any(note.startswith("no death without recurrence exists: each of 97 deaths") for note in found["warnings"])
    assert (found["events"], found["groups"][0]["median"]) == (resected["events"]["rec"], resected["median_rfs"][0]["median"])
