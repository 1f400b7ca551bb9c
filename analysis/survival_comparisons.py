"""The part of a survival report that compares arms, and the part about competing causes."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from analysis.competing import cumulative_incidence
from analysis.cox import CoxFit, cox
from analysis.fine_gray import cause_specific, fine_gray
from analysis.gray import gray_test
from analysis.logrank import logrank
from analysis.proportional_hazards import proportional_hazards
from analysis.survival_case import Case, Report, number, pair
from analysis.survival_table import Labels
from analysis.survival_times import Ints


def comparisons(case: Case) -> Report:
    """Log-rank, Cox and its proportional-hazards test; all None when there is one arm."""
    if len(case.arms) < 2:
        return dict.fromkeys(("logrank", "logrank_stratified", "cox", "ph_test"))
    if case.weighted:
        case.warnings.append("with weights there is no log-rank test; read the robust p of the weighted cox model")
    strata = case.sample.strata
    fit = case.try_to("cox", lambda: _fit(case))
    return {
        "logrank": None if case.weighted else _logrank(case, None),
        "logrank_stratified": None if case.weighted or strata is None else _logrank(case, strata),
        "cox": None if fit is None else _model(case, fit, robust=case.weighted),
        "ph_test": None if fit is None else case.try_to("ph_test", lambda: _ph_test(case, fit)),
    }


def _logrank(case: Case, strata: Labels | None) -> Report:
    test = logrank(case.sample.time, case.sample.event, case.arm_codes, strata=strata)
    parts = zip(case.arms, test.n, test.observed, test.expected, strict=True)
    return {
        "statistic": number(test.statistic),
        "df": test.df,
        "p": number(test.p),
        "groups": [{"arm": name, "n": n, "observed": float(o), "expected": float(e)} for name, n, o, e in parts],
    }


def _fit(case: Case) -> CoxFit:
    columns, terms = case.indicators()
    sample = case.sample
    fit = cox(columns, sample.time, sample.event, terms=terms, strata=sample.strata, weights=sample.weights, robust=True)
    case.warnings.extend(fit.warnings)
    return fit


def _model(case: Case, fit: CoxFit, *, robust: bool) -> Report:
    """A fit whose limits and p rest on the robust error where `robust`, else on the information."""
    quoted = fit if robust else replace(fit, robust_covariance=None)
    interval, p = quoted.hazard_ratio_interval(), quoted.p
    sandwich = fit.robust_standard_error
    terms = [
        {
            "term": term,
            "coef": number(fit.coef[i]),
            "se": number(fit.standard_error[i]),
            "robust_se": None if sandwich is None else number(sandwich[i]),
            "hr": number(fit.hazard_ratio[i]),
            "hr_ci": pair(*interval[i]),
            "p": number(p[i]),
        }
        for i, term in enumerate(fit.terms)
    ]
    return {"ties": fit.ties, "reference": case.arms[0], "loglik": [fit.loglik_null, fit.loglik], "terms": terms}


def _ph_test(case: Case, fit: CoxFit) -> Report:
    tested = proportional_hazards(fit, groups=[(case.plan.arm_name, range(len(fit.terms)))])
    rows = [
        {"term": one.term, "statistic": number(one.statistic), "df": one.df, "p": number(one.p)} for one in (*tested.terms, tested.overall)
    ]
    return {"transform": tested.transform, "terms": rows[:-1], "global": rows[-1]}


def competing(case: Case) -> Report:
    """Cumulative incidence, Gray's test and both regressions for every cause that occurred; all None without causes."""
    report: Report = dict.fromkeys(("cif", "gray", "fine_gray", "cause_specific"))
    cause = case.sample.cause
    if cause is None:
        return report
    if case.weighted:
        case.warnings.append("cif, gray, fine_gray and cause_specific are not estimated with weights")
        return report
    causes = [int(value) for value in np.unique(cause[cause > 0])]
    report["cif"] = [_incidence(case, cause, arm, one) for arm in case.arms for one in causes]
    if len(case.arms) > 1:
        report["gray"] = [_gray(case, cause, one) for one in causes]
        report["fine_gray"] = _regressions(case, "fine_gray", cause, fine_gray)
        report["cause_specific"] = _regressions(case, "cause_specific", cause, cause_specific)
    return report


def _regressions(case: Case, name: str, cause: Ints, model: Callable[..., CoxFit]) -> list[Report]:
    columns, terms = case.indicators()
    found = []
    for of in np.unique(cause[cause > 0]):
        fit = case.try_to(f"{name} of cause {of}", partial(model, columns, case.sample.time, cause, of=int(of), terms=terms))
        if fit is not None:
            case.warnings.extend(f"{name} of cause {of}: {warning}" for warning in fit.warnings)
            found.append({"cause": int(of), **_model(case, fit, robust=fit.robust_covariance is not None)})
    return found


def _incidence(case: Case, cause: Ints, arm: str, of: int) -> Report:
    member = case.member(arm)
    curve = cumulative_incidence(case.sample.time[member], cause[member], of)
    times = np.array(case.plan.at) if case.plan.at else curve.time
    points = [
        {"time": float(time), "estimate": number(value), "se": number(spread)}
        for time, value, spread in zip(times, *curve.at(times), strict=True)
    ]
    return {"arm": None if case.sample.arm is None else arm, "cause": of, "points": points}


def _gray(case: Case, cause: Ints, of: int) -> Report:
    test = gray_test(case.sample.time, cause, case.arm_codes, of)
    return {"cause": of, "statistic": number(test.statistic), "df": test.df, "p": number(test.p)}
