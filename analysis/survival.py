"""The whole survival report of one table: what `manage.py survival --json` prints, as plain values.

Every number not estimable is None and a warning says why. Times are in the unit of the file; with a landmark they count from
it, and so do the horizon and the times asked for (EP-01).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.kaplan_meier import LIMITS, Curve, reverse_kaplan_meier
from analysis.landmark import Excluded, landmark
from analysis.rmst import RestrictedMean, difference, reaches, restricted_mean
from analysis.survival_case import Case, Plan, Report, count, number, ordered_arms, pair
from analysis.survival_comparisons import comparisons, competing
from analysis.survival_table import Sample

_FEW_EVENTS = 10


def survival_report(sample: Sample, plan: Plan) -> Report:
    """The report as a dictionary ready for JSON. Raises ValueError when the plan does not fit the sample."""
    excluded: Report | None = None
    warnings: list[str] = []
    if sample.dropped:
        warnings.append(f"{sample.dropped} rows with a missing value are left out")
    if plan.landmark is not None:
        sample, excluded = _landmarked(sample, plan.landmark, warnings)
    case = Case(sample, plan, ordered_arms(sample.arm, plan.reference), warnings)
    curves = [case.curve(case.member(arm)) for arm in case.arms]
    horizon = plan.horizon if plan.horizon is not None else min(curve.last for curve in curves)
    means = [_mean(case, arm, curve, horizon) for arm, curve in zip(case.arms, curves, strict=True)]
    _warn_about_data(case, curves)
    groups = [_group(case, arm, curve, mean) for arm, curve, mean in zip(case.arms, curves, means, strict=True)]
    return {
        "n": int(sample.time.size),
        "events": int(np.count_nonzero(sample.event)),
        "warnings": case.warnings,
        "landmark": excluded,
        "groups": groups,
        **comparisons(case),
        "rmst_differences": [_mean_difference(case, arm, mean, means[0]) for arm, mean in zip(case.arms[1:], means[1:], strict=True)],
        **competing(case),
        "reverse_km": _reverse(case),
    }


def _landmarked(sample: Sample, day: float, warnings: list[str]) -> tuple[Sample, Report]:
    kept = landmark(sample.time, sample.event if sample.cause is None else sample.cause > 0, day=day, group=sample.arm)
    mask = kept.kept
    gone = int(mask.size - np.count_nonzero(mask))
    warnings.append(f"{gone} with event or censored by the landmark {day:g} are left out; times count from the landmark")
    by_arm = [_excluded(one, sample.arm is not None) for one in kept.excluded]
    return replace(sample.rows(mask), time=kept.time), {"day": day, "excluded": gone, "by_arm": by_arm}


def _excluded(one: Excluded, named: bool) -> Report:
    return {"arm": str(one.group) if named else None, "n": one.n, "events": one.event, "censored": one.censored}


def _warn_about_data(case: Case, curves: Sequence[Curve]) -> None:
    if case.sample.arm is not None and len(case.arms) == 1:
        case.warnings.append(f"there is one arm only ({case.arms[0]}); nothing is compared")
    if not case.sample.event.any():
        case.warnings.append("there are no events: every survival estimate is 1 and nothing can be compared")
    for arm, curve in zip(case.arms, curves, strict=True):
        events = int(np.count_nonzero(case.sample.event & case.member(arm)))
        if 0 < events < _FEW_EVENTS:
            case.warnings.append(f"{arm}: only {events} events; limits and tests rest on large numbers")
        beyond = [time for time in case.plan.at if np.isnan(curve.at(time).survival[0])]
        if beyond:
            case.warnings.append(f"{arm}: nobody was observed beyond {curve.last:g}, so survival at {beyond[0]:g} is not estimable")
    if case.sample.cause is not None:
        case.warnings.append("km, logrank and cox treat competing events as the event column does; the risk of a cause is in cif")


def _group(case: Case, arm: str, curve: Curve, mean: RestrictedMean) -> Report:
    member = case.member(arm)
    medians = {kind: pair(*curve.median_interval(kind)) for kind in LIMITS}
    return {
        "arm": None if case.sample.arm is None else arm,
        "n": int(np.count_nonzero(member)),
        "events": int(np.count_nonzero(case.sample.event & member)),
        "median": number(curve.median()),
        "median_ci": medians["log"],
        "median_ci_by": medians,
        "km": _points(curve, case.plan.at),
        "rmst": {"horizon": mean.horizon, "estimate": number(mean.estimate), "se": number(mean.standard_error)},
    }


def _points(curve: Curve, at: Sequence[float]) -> list[Report]:
    """The curve at the times, events being those since the time before, as R's summary counts them."""
    times = np.array(at) if at else curve.time
    read = curve.at(times)
    bounds = {kind: read.interval(kind) for kind in LIMITS}
    total = np.concatenate(([0.0], np.cumsum(curve.events)))[np.searchsorted(curve.time, times * (1 + 1e-9), side="right")]
    events = np.diff(total, prepend=0.0)
    return [
        {
            "time": float(times[i]),
            "at_risk": count(read.at_risk[i]),
            "events": count(events[i]),
            "survival": number(read.survival[i]),
            "se": number(read.standard_error[i]),
            "ci": {kind: pair(bounds[kind].lower[i], bounds[kind].upper[i]) for kind in LIMITS},
        }
        for i in range(times.size)
    ]


def _mean(case: Case, arm: str, curve: Curve, horizon: float) -> RestrictedMean:
    if not horizon > 0:
        if case.plan.horizon is not None:
            raise ValueError(f"the horizon {horizon:g} must be positive")
        return RestrictedMean(horizon, float("nan"), float("nan"))
    if not reaches(curve, horizon):
        case.warnings.append(f"{arm}: the curve ends at {curve.last:g}, so the mean to the horizon {horizon:g} is not estimable")
    return restricted_mean(curve, horizon)


def _mean_difference(case: Case, arm: str, mean: RestrictedMean, reference: RestrictedMean) -> Report:
    contrast = difference(mean, reference)
    return {
        "arm": arm,
        "reference": case.arms[0],
        "horizon": contrast.horizon,
        "estimate": number(contrast.estimate),
        "se": number(contrast.standard_error),
        "ci": pair(*contrast.interval),
        "p": number(contrast.p),
        "ratio": number(contrast.ratio),
        "ratio_ci": pair(*contrast.ratio_interval),
    }


def _reverse(case: Case) -> Report:
    event = case.sample.event if case.sample.cause is None else case.sample.cause > 0
    everybody = reverse_kaplan_meier(case.sample.time, event)
    groups = []
    for arm in case.arms if case.sample.arm is not None else ():
        curve = reverse_kaplan_meier(case.sample.time[case.member(arm)], event[case.member(arm)])
        groups.append({"arm": arm, "median": number(curve.median()), "median_ci": pair(*curve.median_interval())})
    return {"median": number(everybody.median()), "median_ci": pair(*everybody.median_interval()), "groups": groups}
