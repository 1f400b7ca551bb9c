"""A survival report as lines of text for a terminal; NE means not estimable."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from analysis.survival_case import Report

Translate = Callable[[str], str]


def lines(report: Report, _: Translate) -> Iterator[str]:
    """The report as a person reads it; `_` translates the headings. Curves are listed at the times asked for, else thinned."""
    yield _("%(n)d rows, %(events)d events") % report
    for warning in report["warnings"]:
        yield _("Note: %s") % warning
    for group in report["groups"]:
        yield from _group(group, _)
    yield from _tests(report, _)
    yield from _models(report, _)
    yield from _causes(report, _)
    yield _("Median follow-up (reverse Kaplan-Meier): %s") % _with_limits(report["reverse_km"]["median"], report["reverse_km"]["median_ci"])


def _group(group: Report, _: Translate) -> Iterator[str]:
    yield ""
    if group["arm"] is not None:
        yield _("Arm %s") % group["arm"]
    median, mean = _with_limits(group["median"], group["median_ci"]), group["rmst"]
    yield _("  n %(n)d, events %(events)d, median %(median)s") % {**group, "median": median}
    area = {"horizon": f"{mean['horizon']:g}", "value": _text(mean["estimate"]), "se": _text(mean["se"])}
    yield _("  restricted mean to %(horizon)s: %(value)s (SE %(se)s)") % area
    yield "  " + _row([_("time"), _("at risk"), _("events"), _("survival"), _("SE"), _("95% CI (log-log)")])
    for point in _thinned(group["km"]):
        cells = [_text(point[key]) for key in ("time", "at_risk", "events", "survival", "se")]
        yield "  " + _row([*cells, _limits(point["ci"]["log-log"])])


def _tests(report: Report, _: Translate) -> Iterator[str]:
    yield ""
    for key, title in (("logrank", _("Log-rank")), ("logrank_stratified", _("Log-rank, stratified"))):
        if report[key] is not None:
            yield _test(title, report[key])
    for one in report["rmst_differences"]:
        name = _("Restricted mean, %(arm)s minus %(reference)s") % one
        yield f"{name}: {_with_limits(one['estimate'], one['ci'])}, p {_text(one['p'])}"


def _models(report: Report, _: Translate) -> Iterator[str]:
    if report["cox"] is not None:
        yield ""
        yield from _model(_("Cox model (%s ties)") % report["cox"]["ties"], report["cox"])
    if report["ph_test"] is not None:
        yield _test(_("Proportional hazards, all terms"), report["ph_test"]["global"])


def _causes(report: Report, _: Translate) -> Iterator[str]:
    for curve in report["cif"] or ():
        yield ""
        yield _("Cumulative incidence of cause %(cause)s, arm %(arm)s") % curve
        for point in _thinned(curve["points"]):
            yield "  " + _row([_text(point[key]) for key in ("time", "estimate", "se")])
    for test in report["gray"] or ():
        yield _test(_("Gray's test, cause %s") % test["cause"], test)
    for key, title in (("fine_gray", _("Fine-Gray model of cause %s")), ("cause_specific", _("Cause-specific Cox model of cause %s"))):
        for model in report[key] or ():
            yield from _model(title % model["cause"], model)


def _model(title: str, model: Report) -> Iterator[str]:
    yield title
    for term in model["terms"]:
        yield f"  {term['term']}: HR {_with_limits(term['hr'], term['hr_ci'])}, p {_text(term['p'])}"


def _test(title: str, test: Report) -> str:
    return f"{title}: χ² {_text(test['statistic'])}, df {test['df']}, p {_text(test['p'])}"


def _thinned(points: Sequence[Report], most: int = 25) -> Sequence[Report]:
    step = max(1, -(-len(points) // most))
    return points[step - 1 :: step] if step > 1 else points


def _row(cells: Sequence[str]) -> str:
    return " ".join(cell.rjust(10) for cell in cells)


def _with_limits(value: float | None, limits: Sequence[float | None]) -> str:
    return f"{_text(value)} ({_limits(limits)})"


def _limits(limits: Sequence[float | None]) -> str:
    return f"{_text(limits[0])}–{_text(limits[1])}"


def _text(value: Any) -> str:
    if value is None:
        return "NE"
    return str(value) if isinstance(value, int) else f"{value:.4g}"
