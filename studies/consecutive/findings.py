"""What the consecutiveness report finds, as sentences for people (EN-01)."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from studies.consecutive.report import Report
from studies.models import Center

SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """One finding: `tone` is bad (patients are missing from the log), warn (a person should look) or info."""

    tone: str
    sentence: str


def findings(report: Report, center: Center) -> list[Finding]:
    """Everything that a person should act on, what weighs most first."""
    return [*_missing(report), *_gaps(report), *_too_many(report), *_unreported(report), *_twins(report, center)]


def _missing(report: Report) -> list[Finding]:
    sentence = _("%(month)s: %(resections)s resections reported, %(screened)s in the log. Screen the other %(n)s.")
    return [
        Finding(
            "bad",
            sentence % {"month": _named(month.first), "resections": month.resections, "screened": month.screened, "n": month.not_screened},
        )
        for month in report.months
        if month.not_screened
    ]


def _too_many(report: Report) -> list[Finding]:
    sentence = _(
        "%(month)s: %(screened)s in the log, only %(resections)s resections reported. Correct the count, or look for a line entered twice."
    )
    return [
        Finding("warn", sentence % {"month": _named(month.first), "resections": month.resections, "screened": month.screened})
        for month in report.months
        if month.too_many
    ]


def _gaps(report: Report) -> list[Finding]:
    if not report.gaps:
        return []
    return [
        Finding(
            "bad", _("The numbers have gaps: %(numbers)s. Tell the data manager.") % {"numbers": _some([str(gap) for gap in report.gaps])}
        )
    ]


def _unreported(report: Report) -> list[Finding]:
    months = report.unreported
    if not months:
        return []
    sentence = ngettext("%(n)s month has no count yet: %(months)s.", "%(n)s months have no count yet: %(months)s.", len(months))
    return [Finding("warn", sentence % {"n": len(months), "months": _some([_named(month) for month in months])})]


def _twins(report: Report, center: Center) -> list[Finding]:
    if not report.twins:
        return []
    pairs = [f"{center.code}-S{typed:04d} = {center.code}-S{listed:04d}" for typed, listed in report.twins]
    sentence = _(
        "Typed here and on the operating list, with one date, age and sex: %(pairs)s. If it is one patient, close a line as entered twice."
    )
    return [Finding("warn", sentence % {"pairs": _some(pairs)})]


def _named(month: object) -> str:
    return f"{month:%Y-%m}"


def _some(items: list[str]) -> str:
    more = len(items) - SHOWN
    named = _(", ").join(items[:SHOWN])
    return named if more <= 0 else ngettext("%(named)s and %(n)s more", "%(named)s and %(n)s more", more) % {"named": named, "n": more}
