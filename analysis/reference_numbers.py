"""Our numbers in the shape of R's: what `coxph`, `survfit`, `survdiff`, `cox.zph`, `cuminc` print, as plain values for comparison.

Rows are told apart by what R was asked (strata, times, contrasts); everything else is computed here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analysis.concordance import Concordance
from analysis.cox import CoxFit
from analysis.kaplan_meier import Curve, Limits
from analysis.logrank import LogRank, chi_square_tail
from analysis.proportional_hazards import ProportionalHazards
from analysis.rmst import areas
from analysis.survival_times import Floats

Found = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]


def curve_rows(asked: Rows, curve: Callable[[str], Curve], kind: Limits) -> list[Found]:
    """`summary(survfit(…, conf.type = kind), times = …)`: events are counted since the time before, in each stratum anew."""
    before: dict[str, float] = {}
    rows = []
    for row in asked:
        mine, time = curve(row["strata"]), float(row["time"])
        read = mine.at(time)
        limits = read.interval(kind)
        total = float(mine.events[mine.time <= time].sum())
        rows.append(
            {
                "n_risk": read.at_risk[0],
                "n_event_interval": total - before.get(row["strata"], 0.0),
                "surv": read.survival[0],
                "std_err": read.standard_error[0],
                "lower": limits.lower[0],
                "upper": limits.upper[0],
            }
        )
        before[row["strata"]] = total
    return rows


def every_row(asked: Rows, curve: Callable[[str], Curve]) -> list[Found]:
    """A whole curve as R lists it, censoring times too, with R's default limits."""
    rows = []
    for row in asked:
        mine, time = curve(row["strata"]), float(row["time"])
        read = mine.at(time)
        limits = read.interval("log")
        events = float(mine.events[mine.time == time].sum())
        left = float(np.count_nonzero(mine.observed == time)) - events
        numbers = (read.at_risk[0], events, left, read.survival[0], read.standard_error[0], limits.lower[0], limits.upper[0])
        rows.append(dict(zip(("n_risk", "n_event", "n_censor", "surv", "std_err", "lower", "upper"), numbers, strict=True)))
    return rows


def tables(asked: Rows, curve: Callable[[str], Curve], kind: Limits = "log") -> list[Found]:
    """`summary(survfit(…))$table`: the restricted mean goes to the longest time of all strata, each curve being prolonged to it."""
    horizon = max(curve(row["strata"]).last for row in asked)
    rows = []
    for row in asked:
        mine = curve(row["strata"])
        low, high = mine.median_interval(kind)
        found: Found = {"records": mine.n, "n.max": mine.n, "n.start": mine.n, "events": mine.events.sum(), "median": mine.median()}
        found |= dict(zip(("rmean", "se(rmean)"), _mean(mine, horizon), strict=True))
        rows.append(found | {"0.95LCL": low, "0.95UCL": high})
    return rows


def _mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """The area under a curve that R prolongs flat beyond its last observation; `rmst.restricted_mean` says NE there."""
    area, remaining, inside = areas(curve, horizon)
    left = curve.at_risk[inside] - curve.events[inside]
    jump = np.divide(curve.events[inside], curve.at_risk[inside] * left, out=np.zeros_like(left), where=left > 0)
    return area, float(np.sqrt(remaining**2 @ jump))


def logrank_numbers(test: LogRank) -> Found:
    """`survdiff`."""
    return {
        "n": list(test.n), "obs": list(test.observed), "exp": list(test.expected),
        "chisq": test.statistic, "df": test.df, "p": test.p,
    }  # fmt: skip


def cox_numbers(fit: CoxFit, agreed: Concordance | None = None) -> Found:
    """`summary(coxph)`; the Wald χ² is printed by R with two decimals, its p is not rounded."""
    beta, p = fit.coef, len(fit.terms)
    quoted = fit.covariance if fit.robust_covariance is None else fit.robust_covariance
    wald = float(beta @ np.linalg.solve(quoted, beta))
    limits = fit.hazard_ratio_interval()
    rows = [
        {
            "coef": beta[i],
            "exp(coef)": fit.hazard_ratio[i],
            "se(coef)": fit.standard_error[i],
            "z": beta[i] / fit.quoted_error[i],
            "Pr(>|z|)": fit.p[i],
            "lower .95": limits[i, 0],
            "upper .95": limits[i, 1],
        }
        for i in range(p)
    ]
    if fit.robust_standard_error is not None:
        for row, error in zip(rows, fit.robust_standard_error, strict=True):
            row["robust se"] = error
    found: Found = {"n": fit.n, "nevent": fit.events, "loglik": [fit.loglik_null, fit.loglik], "coef": rows}
    for name, statistic in (("lr", fit.likelihood_ratio[0]), ("score", fit.score_statistic), ("wald", wald)):
        found[name] = {"test": statistic, "df": p, "pvalue": chi_square_tail(statistic, p)}
    found["wald"]["test"] = round(wald, 2)
    if agreed is not None:
        found["concordance"] = {"C": agreed.value, "se(C)": agreed.standard_error}
    return found


def zph_numbers(test: ProportionalHazards) -> list[Found]:
    """`cox.zph`."""
    return [{"chisq": one.statistic, "df": one.df, "p": one.p} for one in (*test.terms, test.overall)]


def survival_of(fit: CoxFit, centered: Floats, times: Sequence[float]) -> Floats:
    """`survfit(coxph, newdata)`, (times, patients), for linear predictors centered at the means of the fit's own rows; one stratum."""
    eta = np.log(fit.state.risk / fit.sets.weight)
    hazard = fit.state.hazard * np.exp(eta.mean())
    at = fit.sets.event_time[fit.sets.step]
    baseline = np.array([hazard[at <= time].sum() for time in times])
    return np.asarray(np.exp(-np.outer(baseline, np.exp(centered))))
