"""The public studies with R's numbers (colon, resected liver cancer, veteran, lung, pbc, aSAH), computed anew by our functions.

Each function takes the file of R's numbers, for what was asked (strata, times, contrasts), and gives ours in the same shape.
"""

import csv
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.competing import cumulative_incidence
from analysis.concordance import concordance
from analysis.cox import CoxFit, Ties, cox
from analysis.fine_gray import cause_specific, fine_gray
from analysis.gray import gray_test
from analysis.kaplan_meier import Curve, kaplan_meier, reverse_kaplan_meier
from analysis.landmark import landmark
from analysis.logrank import logrank
from analysis.proportional_hazards import proportional_hazards
from analysis.reference_numbers import Found, cox_numbers, curve_rows, every_row, logrank_numbers, survival_of, tables, zph_numbers
from analysis.rmst import difference, restricted_mean
from analysis.roc import area, compare_areas
from analysis.survival_times import Bools, Floats
from imaging.agreement import icc

Columns = Mapping[str, Any]
R_STOPS = 1e-9
"""R's default: a fit ends where log L changes by less than this share, which is the number that its files hold."""
ARMS = ("Obs", "Lev", "Lev+5FU")
_LIVER = ("Age", "Gender", "HBsAg", "Cirrhosis", "AFP", "Tumorsize", "Vascularinvasion", "Tumormultiplicity", "Capsulation")
_SCORE = ("AFP", "Tumorsize", "Vascularinvasion", "BCLC")


def read_table(path: Path) -> dict[str, np.ndarray]:
    """A CSV by column: numbers with NaN for missing, else text."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {key: _column([row[key] for row in rows]) for key in rows[0]}


def _column(values: list[str]) -> np.ndarray:
    try:
        return np.array([float(value) if value not in ("", "NA") else np.nan for value in values])
    except ValueError:
        return np.array(values)


def fitted(x: ArrayLike, time: ArrayLike, event: ArrayLike, *, ties: Ties = "efron", strata: ArrayLike | None = None) -> Found:
    """A Cox model with its concordance, in R's shape."""
    columns = np.asarray(x, dtype=np.float64).reshape(np.size(time), -1)
    fit = cox(columns, time, event, ties=ties, strata=strata, enough=R_STOPS)
    return cox_numbers(fit, concordance(time, event, columns @ fit.coef, strata=strata))


class Colon:
    """929 patients of the colon trial with three adjuvant arms; `cr` is 1 for recurrence, 2 for death before it."""

    def __init__(self, tables_in: Path, known: Found) -> None:
        self.d, self.known = read_table(tables_in / "csv" / "colon_wide.csv"), known

    @cached_property
    def arms(self) -> Floats:
        return np.column_stack([self.d["rx"] == arm for arm in ARMS[1:]]).astype(np.float64)

    @cached_property
    def order(self) -> np.ndarray:
        return np.array([ARMS.index(rx) for rx in self.d["rx"]])

    def curve(self, time: str, event: str, strata: str) -> Curve:
        member = self.d["rx"] == strata.removeprefix("rx=")
        return kaplan_meier(self.d[time][member], self.d[event][member])

    def whole_curve(self, rows: Any) -> list[Found]:
        return every_row(rows, partial(self.curve, "rfs_time", "rfs"))

    def numbers(self) -> Found:
        d, known = self.d, self.known
        rfs, overall = partial(self.curve, "rfs_time", "rfs"), partial(self.curve, "os_time", "death")
        found: Found = {
            "n_by_arm": {arm: np.count_nonzero(d["rx"] == arm) for arm in ARMS},
            "events": {
                "rec": d["rec"].sum(), "death": d["death"].sum(), "rfs": d["rfs"].sum(),
                "death_without_recurrence": np.count_nonzero(d["cr"] == 2),
            },
            "km_rfs_log": curve_rows(known["km_rfs_log"], rfs, "log"),
            "km_rfs_loglog": curve_rows(known["km_rfs_loglog"], rfs, "log-log"),
            "km_rfs_plain": curve_rows(known["km_rfs_plain"], rfs, "plain"),
            "km_os_log": curve_rows(known["km_os_log"], overall, "log"),
            "km_recurrence_only_censor_deaths": curve_rows(
                known["km_recurrence_only_censor_deaths"], partial(self.curve, "cr_time", "rec"), "log"
            ),
            "median_rfs": tables(known["median_rfs"], rfs),
            "median_rfs_loglog": tables(known["median_rfs_loglog"], rfs, "log-log"),
            "median_os": tables(known["median_os"], overall),
            "reverse_km_median_followup": tables(
                known["reverse_km_median_followup"], lambda _all: reverse_kaplan_meier(d["os_time"], d["death"])
            ),
        }  # fmt: skip
        return found | self._tests() | self._models() | self._means(rfs) | self._landmarks() | {"competing": self._competing()}

    def _tests(self) -> Found:
        d = self.d
        pairs = [np.isin(d["rx"], row["pair"]) for row in self.known["logrank_rfs_pairwise"]]
        return {
            "logrank_rfs": logrank_numbers(logrank(d["rfs_time"], d["rfs"], self.order)),
            "logrank_rfs_stratified_by_node4": logrank_numbers(logrank(d["rfs_time"], d["rfs"], self.order, strata=d["node4"])),
            "peto_rho1_rfs": logrank_numbers(logrank(d["rfs_time"], d["rfs"], self.order, rho=1)),
            "logrank_os": logrank_numbers(logrank(d["os_time"], d["death"], self.order)),
            "logrank_rec": logrank_numbers(logrank(d["rec_time"], d["rec"], self.order)),
            "logrank_rfs_pairwise": [logrank_numbers(logrank(d["rfs_time"][two], d["rfs"][two], self.order[two])) for two in pairs],
        }

    def _models(self) -> Found:
        d = self.d
        extent = np.column_stack([d["extent"] == level for level in (2, 3, 4)])
        x = np.column_stack([self.arms, *(d[k] for k in ("sex", "age", "obstruct", "adhere", "nodes")), extent, d["surg"]])
        y = np.column_stack([self.arms, d["sex"], d["age"], d["nodes"]])
        whole, counted = ~np.isnan(x).any(axis=1), ~np.isnan(y).any(axis=1)
        fit = cox(y[counted], d["rfs_time"][counted], d["rfs"][counted])
        groups = [("rx", [0, 1]), ("sex", [2]), ("age", [3]), ("nodes", [4])]
        return {
            "cox_rfs_efron": fitted(self.arms, d["rfs_time"], d["rfs"]),
            "cox_rfs_breslow": fitted(self.arms, d["rfs_time"], d["rfs"], ties="breslow"),
            "cox_os_efron": fitted(self.arms, d["os_time"], d["death"]),
            "cox_rec_efron": fitted(self.arms, d["cr_time"], d["rec"]),
            "cox_rfs_adj": fitted(x[whole], d["rfs_time"][whole], d["rfs"][whole]),
            "cox_rfs_strata": fitted(np.column_stack([self.arms, d["age"], d["sex"]]), d["rfs_time"], d["rfs"], strata=d["extent"]),
            "zph_rfs_km": zph_numbers(proportional_hazards(fit, groups=groups, transform="km")),
            "zph_rfs_rank": zph_numbers(proportional_hazards(fit, groups=groups, transform="rank")),
        }

    def _means(self, rfs: Any) -> Found:
        means = {row["strata"]: restricted_mean(rfs(row["strata"]), 1095) for row in self.known["rmst_1095"]}
        contrasts = []
        for row in self.known["rmst_diff_1095"]:
            first, second = row["contrast"].split(" - ")
            one = difference(means[first], means[second])
            contrasts.append(
                {"diff": one.estimate, "se": one.standard_error, "lower": one.interval[0], "upper": one.interval[1], "p": one.p}
            )
        rows = [{"rmean": one.estimate, "se(rmean)": one.standard_error} for one in means.values()]
        return {"rmst_1095": rows, "rmst_diff_1095": contrasts}

    def _landmarks(self) -> Found:
        found: Found = {}
        for name, day in (("landmark_90", 90.0), ("landmark_182.625", 182.625)):
            kept = landmark(self.d["rfs_time"], self.d["rfs"], day=day, group=self.d["rx"])
            rx, order = self.d["rx"][kept.kept], self.order[kept.kept]

            def curve(strata: str, kept: Any = kept, rx: np.ndarray = rx) -> Curve:
                member = rx == strata.removeprefix("rx=")
                return kaplan_meier(kept.time[member], kept.event[member])

            found[name] = {
                "n": rx.size,
                "n_by_arm": {arm: np.count_nonzero(rx == arm) for arm in ARMS},
                "excluded": kept.n_excluded,
                "cox": fitted(self.arms[kept.kept], kept.time, kept.event),
                "logrank": logrank_numbers(logrank(kept.time, kept.event, order)),
                "km_3y_from_surgery": curve_rows(self.known[name]["km_3y_from_surgery"], curve, "log"),
            }
        return found

    def _competing(self) -> Found:
        d, known = self.d, self.known["competing"]
        gray = [gray_test(d["cr_time"], d["cr"], d["rx"], int(row["cause"])) for row in known["gray_test"]]
        return {
            "aalen_johansen_survfit": [self._states(row) for row in known["aalen_johansen_survfit"]],
            "cmprsk_cuminc": [self._incidence(row, 0) for row in known["cmprsk_cuminc"]],
            "cmprsk_cuminc_var": [self._incidence(row, 1) for row in known["cmprsk_cuminc_var"]],
            "gray_test": [{"stat": one.statistic, "pv": one.p, "df": one.df} for one in gray],
            "fine_gray_via_finegray_coxph": _subdistribution(fine_gray(self.arms, d["cr_time"], d["cr"], enough=R_STOPS), d["cr"]),
            "cause_specific_rec": self._cause(1),
            "cause_specific_death": self._cause(2),
        }

    def _states(self, row: Columns) -> Found:
        member = self.d["rx"] == row["strata"].removeprefix("rx=")
        free = kaplan_meier(self.d["cr_time"][member], self.d["cr"][member] > 0).at(row["time"])
        found: Found = {"(s0)": free.survival[0], "se_(s0)": free.standard_error[0]}
        for cause, name in ((1, "rec"), (2, "death")):
            value, error = cumulative_incidence(self.d["cr_time"][member], self.d["cr"][member], cause).at(row["time"])
            found |= {name: value[0], f"se_{name}": error[0]}
        return found

    def _incidence(self, row: Columns, power: int) -> Found:
        """The estimate (power 0) or the squared error of `cmprsk` (power 1) at the days that name the row's numbers."""
        arm, cause = row["curve"].rsplit(" ", 1)
        member, days = self.d["rx"] == arm, [key for key in row if key.isdigit()]
        curve = cumulative_incidence(self.d["cr_time"][member], self.d["cr"][member], int(cause), variance="multinomial")
        values = curve.at([float(day) for day in days])[power] ** (1 + power)
        return dict(zip(days, values, strict=True))

    def _cause(self, of: int) -> Found:
        fit = cause_specific(self.arms, self.d["cr_time"], self.d["cr"], of=of, enough=R_STOPS)
        return cox_numbers(fit, concordance(self.d["cr_time"], self.d["cr"] == of, self.arms @ fit.coef))


def _subdistribution(fit: CoxFit, cause: Floats) -> Found:
    """What does not depend on how rows are cut: R's robust errors are by row here, as it was asked without a cluster."""
    found = cox_numbers(fit)
    rows = [{name: row[name] for name in ("coef", "exp(coef)", "se(coef)")} for row in found["coef"]]
    return {"nevent": np.count_nonzero(cause == 1), "coef": rows, **{name: found[name] for name in ("loglik", "lr", "score")}}


def liver(tables_in: Path, known: Found) -> Found:
    """227 resected patients (asaur): everything that `C_hepatoCellular_resection` holds."""
    d = read_table(liver_table(tables_in))
    everybody = d["RFS"] >= 0

    def recurrence_free(member: Bools) -> Curve:
        return kaplan_meier(d["RFS"][member], d["Recurrence"][member])

    x = np.column_stack([d[name] for name in _LIVER])
    score = np.column_stack([d[name] for name in _SCORE])
    fit = cox(score, d["RFS"], d["Recurrence"], enough=R_STOPS)
    average = score.mean(axis=0)
    coded = np.isin(score, (-1, 0, 1)).all(axis=0)  # R centers no column that holds nothing else
    centered = np.round((score - np.where(coded, 0.0, average)) @ fit.coef, 13)
    harrell = concordance(d["RFS"], d["Recurrence"], centered)
    high = centered >= np.median(centered)
    times = known["risk_score"]["pred_surv_first5"]["times"]
    return {
        "n": d["RFS"].size,
        "events": {"rec": d["Recurrence"].sum(), "death": d["Death"].sum()},
        "km_rfs": curve_rows(known["km_rfs"], lambda _all: recurrence_free(everybody), "log"),
        "km_os": curve_rows(known["km_os"], lambda _all: kaplan_meier(d["OS"], d["Death"]), "log"),
        "median_rfs": tables(known["median_rfs"], lambda _all: recurrence_free(everybody)),
        "median_rfs_by_vi": tables(known["median_rfs_by_vi"], lambda s: recurrence_free(d["Vascularinvasion"] == float(s[-1]))),
        "logrank_rfs_vi": logrank_numbers(logrank(d["RFS"], d["Recurrence"], d["Vascularinvasion"])),
        "logrank_rfs_bclc": logrank_numbers(logrank(d["RFS"], d["Recurrence"], d["BCLC"])),
        "cox_rfs": fitted(x, d["RFS"], d["Recurrence"]),
        "cox_os": fitted(x, d["OS"], d["Death"]),
        "cox_cxcl17": fitted(d["CXCL17T"], d["RFS"], d["Recurrence"]),
        "risk_score": {
            "coef": dict(zip(_SCORE, fit.coef, strict=True)),
            "harrell": harrell.value,
            "harrell_se": harrell.standard_error,
            "uno_tau36": concordance(d["RFS"], d["Recurrence"], centered, uno_until=36).value,
            "lp_first10": list(centered[:10]),
            "pred_surv_first5": {"surv": survival_of(fit, (score[:5] - average) @ fit.coef, times).tolist()},
        },
        "median_split": {
            "cut": np.median(centered),
            "n": {"0": np.count_nonzero(~high), "1": np.count_nonzero(high)},
            "cox": fitted(high, d["RFS"], d["Recurrence"]),
            "logrank": logrank_numbers(logrank(d["RFS"], d["Recurrence"], high)),
        },
    }


def liver_table(tables_in: Path) -> Path:
    return tables_in.parent / "02_hcc_clinical" / "asaur_hepatoCellular" / "hepatoCellular.csv"


def classic(tables_in: Path, known: Found) -> Found:
    """Veteran, lung and pbc, as textbooks analyse them."""
    return {
        "veteran": _veteran(read_table(tables_in / "csv" / "veteran.csv"), known["veteran"]),
        "lung": _lung(read_table(tables_in / "csv" / "cancer.csv"), known["lung"]),
        "pbc": _pbc(read_table(tables_in / "csv" / "pbc.csv")),
    }


def _curve_of(d: Columns, dead: Any, name: str, strata: str) -> Curve:
    member = d[name] == float(strata.removeprefix(f"{name}="))
    return kaplan_meier(d["time"][member], dead[member])


def _veteran(d: Columns, known: Found) -> Found:
    cells = np.array([("squamous", "adeno", "large", "smallcell").index(cell) for cell in d["celltype"]])
    types = np.column_stack([d["celltype"] == cell for cell in ("adeno", "large", "smallcell")])
    rest = [d[key] for key in ("karno", "diagtime", "age", "prior")]
    fit = cox(np.column_stack([d["trt"], types, d["karno"]]), d["time"], d["status"])
    return {
        "km": curve_rows(known["km"], partial(_curve_of, d, d["status"], "trt"), "log"),
        "logrank": logrank_numbers(logrank(d["time"], d["status"], d["trt"])),
        "logrank_celltype": logrank_numbers(logrank(d["time"], d["status"], cells)),
        "cox": fitted(np.column_stack([d["trt"], types, *rest]), d["time"], d["status"]),
        "zph": zph_numbers(proportional_hazards(fit, groups=[("trt", [0]), ("celltype", [1, 2, 3]), ("karno", [4])])),
    }


def _lung(d: Columns, known: Found) -> Found:
    dead = d["status"] == 2
    x = np.column_stack([d["age"], d["sex"], d["ph.ecog"]])
    whole = ~np.isnan(x).any(axis=1)
    curve = partial(_curve_of, d, dead, "sex")
    return {
        "km": curve_rows(known["km"], curve, "log"),
        "median": tables(known["median"], curve),
        "logrank": logrank_numbers(logrank(d["time"], dead, d["sex"])),
        "cox": fitted(x[whole], d["time"][whole], dead[whole]),
    }


def _pbc(d: Columns) -> Found:
    trial = ~np.isnan(d["trt"])
    x = np.column_stack([d["age"], d["edema"], *(np.log(d[key]) for key in ("bili", "albumin", "protime"))])[trial]
    time, status = d["time"][trial], d["status"][trial]
    return {
        "cox": fitted(x, time, status == 2),
        "logrank_trt": logrank_numbers(logrank(time, status == 2, d["trt"][trial])),
        "transplant_competing": {str(code): np.count_nonzero(status == code) for code in (0, 1, 2)},
    }


def agreement(tables_in: Path, known: Found) -> Found:
    """Readers (Shrout and Fleiss 1979) and areas under the curve (aSAH)."""
    ratings = np.column_stack(list(read_table(tables_in / "csv" / "shrout_fleiss_1979.csv").values()))
    d = read_table(tables_in / "csv" / "pROC_aSAH.csv")
    poor, first, second = d["outcome"] == "Poor", d["s100b"], d["wfns"].astype(np.float64)
    found: Found = {"icc_shrout_fleiss": []}
    for row in known["icc_shrout_fleiss"]:
        one = icc(ratings)
        mine = row["type"] == "ICC2"
        found["icc_shrout_fleiss"].append({"ICC": one.estimate, "lower bound": one.lower, "upper bound": one.upper} if mine else {})
    for name, score in (("auc_s100b", first), ("auc_wfns", second)):
        mine_area = area(poor, score)
        low, high = mine_area.interval
        found |= {name: mine_area.value, f"{name}_ci_delong": [low, mine_area.value, high]}
    test = compare_areas(poor, first, second)
    return found | {"delong_z": test.z, "delong_p": test.p}
