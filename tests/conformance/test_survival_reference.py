"""Every survival number of the reference data against R 4.2 `survival` 3.5-3 and `cmprsk` 2.2 (AN-01 … AN-11, AN-15)."""

import csv
import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from analysis.competing import cumulative_incidence
from analysis.cox import CoxFit, cox
from analysis.fine_gray import cause_specific, fine_gray
from analysis.gray import gray_test
from analysis.kaplan_meier import Curve, Limits, kaplan_meier, reverse_kaplan_meier
from analysis.landmark import landmark
from analysis.logrank import LogRank, logrank
from analysis.proportional_hazards import ProportionalHazards, proportional_hazards
from analysis.rmst import difference, restricted_mean
from tests.paths import SHARED

DATA = SHARED / "data" / "06_survival_reference"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"reference data are not at {DATA}")
CLOSED, COX = 1e-10, 2e-8  # relative; the stored Cox fits are R's at its default stopping rule, up to 8e-9 from the maximum
ARMS = ("Obs", "Lev", "Lev+5FU")
LIMITS: dict[str, Limits] = {"log": "log", "loglog": "log-log", "plain": "plain"}


@cache
def expected(name: str) -> Any:
    return json.loads((DATA / "expected" / f"{name}.json").read_text())


@cache
def table(name: str) -> dict[str, np.ndarray]:
    """A reference CSV by column: numbers with NaN for missing, else text."""
    path = SHARED / "data" / name if "/" in name else DATA / "csv" / name
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: _column([row[key] for row in rows]) for key in rows[0]}


def _column(values: list[str]) -> np.ndarray:
    try:
        return np.array([float(value) if value not in ("", "NA") else np.nan for value in values])
    except ValueError:
        return np.array(values)


def colon() -> dict[str, np.ndarray]:
    return table("colon_wide.csv")


def arms(rx: np.ndarray) -> np.ndarray:
    return np.column_stack([rx == "Lev", rx == "Lev+5FU"]).astype(float)


def of_arm(strata: str) -> np.ndarray:
    return colon()["rx"] == strata.removeprefix("rx=")


def close(ours: Any, theirs: Any, relative: float) -> None:
    np.testing.assert_allclose(np.asarray(ours, dtype=float), _nan(theirs), rtol=relative, atol=1e-13)


def _nan(values: Any) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in np.atleast_1d(values)], dtype=float)


def check_curve(curve: Curve, row: dict[str, Any], kind: Limits) -> None:
    read = curve.at(row["time"])
    interval = read.interval(kind)
    ours = [read.at_risk, read.survival, read.standard_error, interval.lower, interval.upper]
    close(np.concatenate(ours), [row[key] for key in ("n_risk", "surv", "std_err", "lower", "upper")], CLOSED)


def check_logrank(test: LogRank, known: dict[str, Any]) -> None:
    assert list(test.n) == known["n"]
    close(test.observed, known["obs"], CLOSED)
    close(test.expected, known["exp"], CLOSED)
    close([test.statistic, test.df, test.p], [known["chisq"], known["df"], known["p"]], CLOSED)


def check_cox(fit: CoxFit, known: dict[str, Any]) -> None:
    assert (fit.n, fit.events) == (known["n"], known["nevent"])
    rows = known["coef"]
    np.testing.assert_allclose(fit.coef, [row["coef"] for row in rows], rtol=COX, atol=COX)
    close(fit.standard_error, [row["se(coef)"] for row in rows], COX)
    close(fit.hazard_ratio, [row["exp(coef)"] for row in rows], COX)
    close(fit.hazard_ratio_interval(), np.array([[row["lower .95"], row["upper .95"]] for row in rows]), COX)
    close(fit.p, [row["Pr(>|z|)"] for row in rows], 1e-6)
    close([fit.loglik_null, fit.loglik], known["loglik"], CLOSED)
    close([fit.score_statistic, fit.likelihood_ratio[0]], [known["score"]["test"], known["lr"]["test"]], COX)
    assert fit.gradient < 1e-12


def check_zph(test: ProportionalHazards, known: list[dict[str, Any]]) -> None:
    for ours, row in zip((*test.terms, test.overall), known, strict=True):
        close([ours.statistic, ours.df, ours.p], [row["chisq"], row["df"], row["p"]], 1e-8)


@pytest.mark.parametrize("kind", ["log", "loglog", "plain"])
def test_kaplan_meier_of_colon_equals_r_at_all_times_and_limits(kind: str) -> None:
    """AN-01: survival, Greenwood error, numbers at risk, three kinds of limits."""
    for row in expected("A_colon_adjuvant_rfs")[f"km_rfs_{kind}"]:
        member = of_arm(row["strata"])
        check_curve(kaplan_meier(colon()["rfs_time"][member], colon()["rfs"][member]), row, LIMITS[kind])


def test_overall_survival_and_censored_recurrence_of_colon_equal_r() -> None:
    """AN-01, EP-06."""
    for key, time, event in (("km_os_log", "os_time", "death"), ("km_recurrence_only_censor_deaths", "cr_time", "rec")):
        for row in expected("A_colon_adjuvant_rfs")[key]:
            member = of_arm(row["strata"])
            check_curve(kaplan_meier(colon()[time][member], colon()[event][member]), row, "log")


@pytest.mark.parametrize("name", ["A_colon_km_rfs_full.csv", "C_hepatoCellular_km_rfs_full.csv"])
def test_whole_curves_equal_r_at_every_row(name: str) -> None:
    """AN-01: R lists censoring times too; the curve is read there."""
    with (DATA / "expected" / name).open(newline="") as file:
        rows = list(csv.DictReader(file))
    for strata in dict.fromkeys(row["strata"] for row in rows):
        mine = [row for row in rows if row["strata"] == strata]
        if strata == "all":
            liver = table("02_hcc_clinical/asaur_hepatoCellular/hepatoCellular.csv")
            curve = kaplan_meier(liver["RFS"], liver["Recurrence"])
        else:
            curve = kaplan_meier(colon()["rfs_time"][of_arm(strata)], colon()["rfs"][of_arm(strata)])
        read = curve.at([float(row["time"]) for row in mine])
        for ours, key in ((read.survival, "surv"), (read.standard_error, "std_err"), (read.at_risk, "n_risk")):
            close(ours, [float(row[key]) for row in mine], CLOSED)


def test_medians_and_their_limits_equal_r() -> None:
    """AN-01: Lev+5FU never reaches one half, Lev does between two event times."""
    known = expected("A_colon_adjuvant_rfs")
    for key, kind, time, event in (
        ("median_rfs", "log", "rfs_time", "rfs"),
        ("median_rfs_loglog", "loglog", "rfs_time", "rfs"),
        ("median_os", "log", "os_time", "death"),
    ):
        for row in known[key]:
            member = of_arm(row["strata"])
            curve = kaplan_meier(colon()[time][member], colon()[event][member])
            close([curve.median(), *curve.median_interval(LIMITS[kind])], [row["median"], row["0.95LCL"], row["0.95UCL"]], CLOSED)


def test_median_follow_up_by_reverse_kaplan_meier_equals_r() -> None:
    """AN-15."""
    [row] = expected("A_colon_adjuvant_rfs")["reverse_km_median_followup"]
    curve = reverse_kaplan_meier(colon()["os_time"], colon()["death"])
    close([curve.median(), *curve.median_interval()], [row["median"], row["0.95LCL"], row["0.95UCL"]], CLOSED)


def test_log_rank_tests_of_colon_equal_r() -> None:
    """AN-02: three arms, stratified, Peto's weights, pairs."""
    d, known = colon(), expected("A_colon_adjuvant_rfs")
    order = np.array([ARMS.index(rx) for rx in d["rx"]])
    check_logrank(logrank(d["rfs_time"], d["rfs"], order), known["logrank_rfs"])
    check_logrank(logrank(d["rfs_time"], d["rfs"], order, strata=d["node4"]), known["logrank_rfs_stratified_by_node4"])
    check_logrank(logrank(d["rfs_time"], d["rfs"], order, rho=1), known["peto_rho1_rfs"])
    check_logrank(logrank(d["os_time"], d["death"], order), known["logrank_os"])
    check_logrank(logrank(d["rec_time"], d["rec"], order), known["logrank_rec"])
    for row in known["logrank_rfs_pairwise"]:
        pair = np.isin(d["rx"], row["pair"])
        check_logrank(logrank(d["rfs_time"][pair], d["rfs"][pair], order[pair]), row)


@pytest.mark.parametrize(
    ("key", "time", "event", "ties"),
    [
        ("cox_rfs_efron", "rfs_time", "rfs", "efron"),
        ("cox_rfs_breslow", "rfs_time", "rfs", "breslow"),
        ("cox_os_efron", "os_time", "death", "efron"),
        ("cox_rec_efron", "cr_time", "rec", "efron"),
    ],
)
def test_cox_models_of_colon_arms_equal_r(key: str, time: str, event: str, ties: Any) -> None:
    """AN-03: coefficients, errors, likelihoods, score test."""
    d = colon()
    check_cox(cox(arms(d["rx"]), d[time], d[event], ties=ties), expected("A_colon_adjuvant_rfs")[key])


def test_adjusted_and_stratified_cox_models_of_colon_equal_r() -> None:
    """AN-03: eleven covariates; four strata of extent."""
    d, known = colon(), expected("A_colon_adjuvant_rfs")
    extent = np.column_stack([d["extent"] == level for level in (2, 3, 4)])
    x = np.column_stack([arms(d["rx"]), *(d[k] for k in ("sex", "age", "obstruct", "adhere", "nodes")), extent, d["surg"]])
    whole = ~np.isnan(x).any(axis=1)
    check_cox(cox(x[whole], d["rfs_time"][whole], d["rfs"][whole]), known["cox_rfs_adj"])
    y = np.column_stack([arms(d["rx"]), d["age"], d["sex"]])
    check_cox(cox(y, d["rfs_time"], d["rfs"], strata=d["extent"]), known["cox_rfs_strata"])


@pytest.mark.parametrize("transform", ["km", "rank"])
def test_proportional_hazards_tests_equal_cox_zph(transform: Any) -> None:
    """AN-05: the exact score test of cox.zph 3, one test for the two arm columns."""
    d = colon()
    x = np.column_stack([arms(d["rx"]), d["sex"], d["age"], d["nodes"]])
    whole = ~np.isnan(x).any(axis=1)
    fit = cox(x[whole], d["rfs_time"][whole], d["rfs"][whole])
    groups = [("rx", [0, 1]), ("sex", [2]), ("age", [3]), ("nodes", [4])]
    check_zph(proportional_hazards(fit, groups=groups, transform=transform), expected("A_colon_adjuvant_rfs")[f"zph_rfs_{transform}"])


def test_restricted_means_and_their_differences_equal_r() -> None:
    """AN-06."""
    known = expected("A_colon_adjuvant_rfs")
    means = {}
    for row in known["rmst_1095"]:
        member = of_arm(row["strata"])
        means[row["strata"]] = mean = restricted_mean(kaplan_meier(colon()["rfs_time"][member], colon()["rfs"][member]), 1095)
        close([mean.estimate, mean.standard_error], [row["rmean"], row["se(rmean)"]], CLOSED)
    for row in known["rmst_diff_1095"]:
        first, second = row["contrast"].split(" - ")
        contrast = difference(means[first], means[second])
        ours = [contrast.estimate, contrast.standard_error, *contrast.interval, contrast.p]
        close(ours, [row[key] for key in ("diff", "se", "lower", "upper", "p")], CLOSED)


@pytest.mark.parametrize("day", [90, 182.625])
def test_landmark_population_and_its_analyses_equal_r(day: float) -> None:
    """AN-07, TX-08: who is excluded, Cox, log-rank and the curve, time restarted."""
    d, known = colon(), expected("A_colon_adjuvant_rfs")[f"landmark_{day}"]
    kept = landmark(d["rfs_time"], d["rfs"], day=day, group=d["rx"])
    rx = d["rx"][kept.kept]
    assert kept.n_excluded == known["excluded"] == sum(one.event + one.censored for one in kept.excluded)
    assert {arm: int((rx == arm).sum()) for arm in ARMS} == known["n_by_arm"]
    check_cox(cox(arms(rx), kept.time, kept.event), known["cox"])
    check_logrank(logrank(kept.time, kept.event, np.array([ARMS.index(arm) for arm in rx])), known["logrank"])
    for row in known["km_3y_from_surgery"]:
        member = rx == row["strata"].removeprefix("rx=")
        check_curve(kaplan_meier(kept.time[member], kept.event[member]), row, "log")


def test_cumulative_incidence_and_its_error_equal_r() -> None:
    """EP-05, AN-10: R's survfit for several states, and cmprsk's estimate."""
    d, known = colon(), expected("A_colon_adjuvant_rfs")["competing"]
    for row in known["aalen_johansen_survfit"]:
        member = of_arm(row["strata"])
        for cause, name in ((1, "rec"), (2, "death")):
            estimate, error = cumulative_incidence(d["cr_time"][member], d["cr"][member], cause).at(row["time"])
            close([estimate[0], error[0]], [row[name], row[f"se_{name}"]], CLOSED)
    for row in known["cmprsk_cuminc"]:
        arm, cause = row["curve"].rsplit(" ", 1)
        curve = cumulative_incidence(d["cr_time"][d["rx"] == arm], d["cr"][d["rx"] == arm], int(cause))
        days = [key for key in row if key.isdigit()]
        close(curve.at([float(day) for day in days])[0], [row[day] for day in days], CLOSED)


def test_gray_tests_equal_cmprsk() -> None:
    """AN-10."""
    d = colon()
    for row in expected("A_colon_adjuvant_rfs")["competing"]["gray_test"]:
        test = gray_test(d["cr_time"], d["cr"], d["rx"], int(row["cause"]))
        close([test.statistic, test.df, test.p], [row["stat"], row["df"], row["pv"]], CLOSED)


def test_fine_gray_and_cause_specific_models_equal_r() -> None:
    """AN-11: coefficients of finegray + coxph (Breslow); cmprsk's crr stops at 1e-7 and has a variance of its own."""
    d, known = colon(), expected("A_colon_adjuvant_rfs")["competing"]
    fit = fine_gray(arms(d["rx"]), d["cr_time"], d["cr"])
    through_r = known["fine_gray_via_finegray_coxph"]["coef"]
    close(fit.coef, [row["coef"] for row in through_r], COX)
    close(fit.standard_error, [row["se(coef)"] for row in through_r], COX)
    close(fit.coef, [row["coef"] for row in known["fine_gray_rec"]], 1e-5)
    close(fit.robust_standard_error, [row["se"] for row in known["fine_gray_rec"]], 1e-4)
    for cause, key in ((1, "cause_specific_rec"), (2, "cause_specific_death")):
        check_cox(cause_specific(arms(d["rx"]), d["cr_time"], d["cr"], of=cause), known[key])


def test_resected_liver_cancer_cohort_equals_r() -> None:
    """AN-01 … AN-03 on 227 resected patients; nine covariates, many ties in months."""
    d, known = table("02_hcc_clinical/asaur_hepatoCellular/hepatoCellular.csv"), expected("C_hepatoCellular_resection")
    for row in known["km_rfs"]:
        check_curve(kaplan_meier(d["RFS"], d["Recurrence"]), row, "log")
    for row in known["km_os"]:
        check_curve(kaplan_meier(d["OS"], d["Death"]), row, "log")
    for row, member in (
        (known["median_rfs"][0], d["RFS"] >= 0),
        *((r, d["Vascularinvasion"] == i) for i, r in enumerate(known["median_rfs_by_vi"])),
    ):
        curve = kaplan_meier(d["RFS"][member], d["Recurrence"][member])
        close([curve.median(), *curve.median_interval()], [row["median"], row["0.95LCL"], row["0.95UCL"]], CLOSED)
    check_logrank(logrank(d["RFS"], d["Recurrence"], d["Vascularinvasion"]), known["logrank_rfs_vi"])
    names = ("Age", "Gender", "HBsAg", "Cirrhosis", "AFP", "Tumorsize", "Vascularinvasion", "Tumormultiplicity", "Capsulation")
    x = np.column_stack([d[name] for name in names])
    assert [row["term"] for row in known["cox_rfs"]["coef"]] == list(names)
    check_cox(cox(x, d["RFS"], d["Recurrence"]), known["cox_rfs"])
    check_cox(cox(x, d["OS"], d["Death"]), known["cox_os"])
    check_cox(cox(d["CXCL17T"], d["RFS"], d["Recurrence"]), known["cox_cxcl17"])


def test_classic_data_sets_equal_r() -> None:
    """AN-01 … AN-05: veteran, lung, pbc."""
    known = expected("E_classic")
    veteran = table("veteran.csv")
    for row in known["veteran"]["km"]:
        member = veteran["trt"] == float(row["strata"].removeprefix("trt="))
        check_curve(kaplan_meier(veteran["time"][member], veteran["status"][member]), row, "log")
    cells = np.array([("squamous", "smallcell", "adeno", "large").index(cell) for cell in veteran["celltype"]])
    check_logrank(logrank(veteran["time"], veteran["status"], veteran["trt"]), known["veteran"]["logrank"])
    test = logrank(veteran["time"], veteran["status"], cells)
    close([test.statistic, test.p], [known["veteran"]["logrank_celltype"][key] for key in ("chisq", "p")], CLOSED)
    types = np.column_stack([veteran["celltype"] == cell for cell in ("adeno", "large", "smallcell")])
    rest = [veteran[key] for key in ("karno", "diagtime", "age", "prior")]
    check_cox(cox(np.column_stack([veteran["trt"], types, *rest]), veteran["time"], veteran["status"]), known["veteran"]["cox"])
    fit = cox(np.column_stack([veteran["trt"], types, veteran["karno"]]), veteran["time"], veteran["status"])
    groups = [("trt", [0]), ("celltype", [1, 2, 3]), ("karno", [4])]
    check_zph(proportional_hazards(fit, groups=groups), known["veteran"]["zph"])
    lung = table("cancer.csv")
    dead = lung["status"] == 2
    for row in known["lung"]["km"]:
        member = lung["sex"] == float(row["strata"].removeprefix("sex="))
        check_curve(kaplan_meier(lung["time"][member], dead[member]), row, "log")
    check_logrank(logrank(lung["time"], dead, lung["sex"]), known["lung"]["logrank"])
    x = np.column_stack([lung["age"], lung["sex"], lung["ph.ecog"]])
    whole = ~np.isnan(x).any(axis=1)
    check_cox(cox(x[whole], lung["time"][whole], dead[whole]), known["lung"]["cox"])
    pbc = table("pbc.csv")
    trial = ~np.isnan(pbc["trt"])
    x = np.column_stack([pbc["age"], pbc["edema"], *(np.log(pbc[key]) for key in ("bili", "albumin", "protime"))])
    check_cox(cox(x[trial], pbc["time"][trial], pbc["status"][trial] == 2), known["pbc"]["cox"])
    check_logrank(logrank(pbc["time"][trial], pbc["status"][trial] == 2, pbc["trt"][trial]), known["pbc"]["logrank_trt"])
