"""How fast the statistics are beside lifelines and R: ratios between programs run in turn in one run.

Absolute times drift two-fold on shared machines; only the ratios of one call mean something.
"""

import json
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time

from analysis.cox import cox
from analysis.kaplan_meier import kaplan_meier
from analysis.logrank import logrank
from analysis.rmst import restricted_mean

Row = dict[str, Any]
_HORIZON = 1096.0
_SIZES = {"panel": 11_000, "cox": 1_000}
_R_PROGRAM = """
suppressMessages(library(survival))
timed <- function(f, k) { f(); median(replicate(k, { t <- proc.time()[[3]]; for (i in 1:5) f(); (proc.time()[[3]] - t) / 5 })) }
a <- commandArgs(TRUE)
d <- read.csv(a[1]); x <- read.csv(a[2])
panel <- function() {
  f <- survfit(Surv(time, event) ~ arm, d, conf.type = "log-log")
  list(summary(f, rmean = 1096)$table, survdiff(Surv(time, event) ~ arm, d)$chisq)
}
fit <- function() coxph(Surv(time, event) ~ x1 + x2 + x3 + x4 + x5, x, control = coxph.control(eps = 1e-14, iter.max = 50))
plain <- function() coxph(Surv(time, event) ~ x1 + x2 + x3 + x4 + x5, x)
cat(sprintf('{"panel": %.9f, "cox": %.9f, "chisq": %.17g, "coef": [%s]}', timed(panel, 9), timed(plain, 15), panel()[[2]],
  paste(sprintf("%.17g", coef(fit())), collapse = ",")))
"""


def survival(seed: int = 1) -> list[Row]:
    """Rows {task, n, tool, seconds, ratio, difference}: ratio is the tool's time over ours, difference the largest relative one.

    The panel is two curves with log-log limits, restricted means to 1,096 days and the log-rank test of 11,000 patients; the Cox
    model has five covariates and 1,000 patients, Efron ties. R is left out where `Rscript` with `survival` is not installed.
    """
    trial, patients = _trial(seed, _SIZES["panel"]), _patients(seed, _SIZES["cox"])
    ours = {"panel": _seconds(lambda: _panel(trial)), "cox": _seconds(lambda: _model(patients))}
    chisq, coef = _panel(trial), _model(patients)
    rows = [_row("panel", "ours", ours["panel"], ours["panel"], 0.0), _row("cox", "ours", ours["cox"], ours["cox"], 0.0)]
    theirs, their_chisq, their_coef = _lifelines(trial, patients)
    rows.append(_row("panel", "lifelines", theirs["panel"], ours["panel"], _apart(chisq, their_chisq)))
    rows.append(_row("cox", "lifelines", theirs["cox"], ours["cox"], _apart(coef, their_coef)))
    r = _r(trial, patients)
    if r is not None:
        rows.append(_row("panel", "R survival", r["panel"], ours["panel"], _apart(chisq, r["chisq"])))
        rows.append(_row("cox", "R survival", r["cox"], ours["cox"], _apart(coef, r["coef"])))
    return rows


def _row(task: str, tool: str, seconds: float, ours: float, difference: float) -> Row:
    return {"task": task, "n": _SIZES[task], "tool": tool, "seconds": seconds, "ratio": seconds / ours, "difference": difference}


def _apart(ours: Any, theirs: Any) -> float:
    first, second = np.atleast_1d(ours), np.atleast_1d(theirs)
    return float(np.max(np.abs(first - second) / np.abs(second)))


def _seconds(action: Callable[[], Any], repeats: int = 31) -> float:
    """The median time of one run, after one to warm up."""
    action()
    return median(_once(action) for _ in range(repeats))


def _once(action: Callable[[], Any]) -> float:
    start = perf_counter()
    action()
    return perf_counter() - start


def _trial(seed: int, n: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    arm = random.integers(0, 2, n)
    relapse, followed = random.exponential(1500 * np.exp(0.25 * arm)), random.uniform(300, 1800, n)
    return pd.DataFrame({"time": np.ceil(np.minimum(relapse, followed)), "event": (relapse <= followed).astype(int), "arm": arm})


def _patients(seed: int, n: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 5))
    relapse = random.exponential(1500 * np.exp(-x @ np.array([0.4, -0.3, 0.2, 0.1, 0.0])))
    followed = random.uniform(300, 1800, n)
    frame = pd.DataFrame(x, columns=["x1", "x2", "x3", "x4", "x5"])
    return frame.assign(time=np.ceil(np.minimum(relapse, followed) / 7), event=(relapse <= followed).astype(int))


def _panel(trial: pd.DataFrame) -> float:
    time, event, arm = trial["time"].to_numpy(), trial["event"].to_numpy(), trial["arm"].to_numpy()
    for one in (0, 1):
        member = arm == one
        curve = kaplan_meier(time[member], event[member])
        curve.interval("log-log")
        restricted_mean(curve, _HORIZON)
    return logrank(time, event, arm).statistic


def _model(patients: pd.DataFrame) -> Any:
    return cox(patients[["x1", "x2", "x3", "x4", "x5"]].to_numpy(), patients["time"].to_numpy(), patients["event"].to_numpy()).coef


def _lifelines(trial: pd.DataFrame, patients: pd.DataFrame) -> tuple[dict[str, float], float, Any]:
    time, event, first = trial["time"], trial["event"], trial["arm"] == 0

    def panel() -> float:
        for member in (first, ~first):
            restricted_mean_survival_time(KaplanMeierFitter().fit(time[member], event[member]), t=_HORIZON)
        return float(logrank_test(time[first], time[~first], event[first], event[~first]).test_statistic)

    def model() -> Any:
        return CoxPHFitter().fit(patients, "time", "event").params_.to_numpy()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {"panel": _seconds(panel, 9), "cox": _seconds(model, 15)}, panel(), model()


def _r(trial: pd.DataFrame, patients: pd.DataFrame) -> Row | None:
    """R's own timings and numbers, or None where it or its package is missing."""
    program = shutil.which("Rscript")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / name for name in ("program.R", "trial.csv", "patients.csv")]
        paths[0].write_text(_R_PROGRAM)
        trial.to_csv(paths[1], index=False)
        patients.to_csv(paths[2], index=False, float_format="%.17g")
        done = subprocess.run([program, *map(str, paths)], capture_output=True, text=True, timeout=300, check=False)
    return None if done.returncode else json.loads(done.stdout)
