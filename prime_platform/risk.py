"""Key risk indicators: how each center does, every figure the length of a list or a share of one, centers side by side on one line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.once import once
from analysis import svg
from followup import payable, visit_lists
from prime_platform import completeness
from studies import access, progress
from studies.access import Permission
from studies.governance import deviation_lists
from studies.models import Center
from studies.quality import own, queries, query_lists, rules, verification

VIEW = "risk.view"
Counts = Mapping[int, int]
WIDTH, LEFT, RIGHT, LINE, APART = 1150.0, 40.0, 60.0, 38.0, 26.0


@dataclass(frozen=True)
class Indicator:
    """One figure: what is counted at each center, of what, how it is said, and the list behind the count."""

    code: str
    label: Promise
    count: Callable[[User], Counts]
    page: str
    query: Mapping[str, str]
    of: str = "participants"
    per_cent: bool = True


@dataclass(frozen=True)
class Figure:
    """One indicator at one center: `count` links to its list; `rate` is empty where too few stand behind it."""

    count: int
    url: str
    rate: float | None
    said: str


@once
def _queries(user: User) -> dict[str, Counts]:
    lists = query_lists.conditions(user)
    about_consent = lists["waiting"] & Q(record=own.CONSENT)
    return _grouped(queries.queries_for(user), {"waiting": lists["waiting"], "overdue": lists["overdue"], "consent": about_consent})


@once
def _matrix(user: User) -> dict[str, Counts]:
    return _grouped(completeness.matrix(user), completeness.CONDITIONS)


@once
def _deviations(user: User) -> dict[str, Counts]:
    return _grouped(deviation_lists.seen_by(user), deviation_lists.STATES)


def _one(lists: Callable[[User], dict[str, Counts]], state: str) -> Callable[[User], Counts]:
    return lambda user: lists(user)[state]


def _due(user: User) -> Counts:
    return _by_center(verification.due(user), "center")


INDICATORS = (
    Indicator("queries", gettext_lazy("Queries not closed"), _one(_queries, "waiting"), "queries", {"state": "waiting"}, per_cent=False),
    Indicator("queries_late", gettext_lazy("Queries overdue"), _one(_queries, "overdue"), "queries", {"state": "overdue"}, of="queries"),
    Indicator(
        "consent", gettext_lazy("Findings about consent"), _one(_queries, "consent"), "queries",
        {"state": "waiting", "record": own.CONSENT},
    ),
    Indicator("deviations", gettext_lazy("Protocol deviations"), _one(_deviations, "all"), "deviations", {"state": "all"}, per_cent=False),
    Indicator(
        "deviations_major", gettext_lazy("Major deviations not closed"), _one(_deviations, "major"), "deviations", {"state": "major"},
        per_cent=False,
    ),
    Indicator(
        "enrolled", gettext_lazy("Enrolled of those screened"), _one(_matrix, "all"), "completeness", {"state": "all"}, of="screenings"
    ),
    Indicator("baseline", gettext_lazy("Baseline not complete"), _one(_matrix, "baseline"), "completeness", {"state": "baseline"}),
    Indicator("phases", gettext_lazy("Phases missing"), _one(_matrix, "phases"), "completeness", {"state": "phases"}),
    Indicator("verification", gettext_lazy("Something to be compared with the source"), _due, "verification-due", {"state": "due"}),
    Indicator("visits", gettext_lazy("Visits overdue"), visit_lists.overdue_by_center, "visits", {"state": "overdue"}, per_cent=False),
)  # fmt: skip


@require_GET
def risk(request: HttpRequest) -> HttpResponse:
    """Which center needs help?"""
    study = access.studies_for(request.user, VIEW).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    centers = list(access.centers_for(request.user, VIEW).filter(study=study).order_by("code"))
    least = rules.in_force(study.protocol_id).least
    bases = _bases(request.user)
    rows = [_row(indicator, request.user, centers, bases, least) for indicator in INDICATORS]
    context = {
        "centers": centers,
        "rows": [*rows, _lag_row(request.user, centers, least)],
        "least": least,
        "participants": bases["participants"],
    }
    return render(request, "risk.html", context)


def _bases(user: User) -> dict[str, Counts]:
    return {
        "participants": _matrix(user)["all"],
        "screenings": _by_center(progress.of(user, Permission.SCREENING_VIEW), "center"),
        "queries": _queries(user)["waiting"],
    }


def _row(indicator: Indicator, user: User, centers: list[Center], bases: dict[str, Counts], least: int) -> dict[str, object]:
    counts, base = indicator.count(user), bases[indicator.of]
    figures = [_figure(indicator, center, counts.get(center.pk, 0), base.get(center.pk, 0), least) for center in centers]
    return {"label": indicator.label, "figures": figures, "chart": chart(str(indicator.label), centers, [each.rate for each in figures])}


def _figure(indicator: Indicator, center: Center, count: int, base: int, least: int) -> Figure:
    url = f"{reverse(indicator.page)}?{urlencode({**indicator.query, 'center': center.code})}"
    if base < least:
        return Figure(count, url, None, _("fewer than %(n)s") % {"n": least})
    rate = 100 * count / base if indicator.per_cent else count / base
    said = f"{rate:.0f} %" if indicator.per_cent else _("%(rate)s per participant") % {"rate": f"{rate:.2f}"}
    return Figure(count, url, rate, said)


def _lag_row(user: User, centers: list[Center], least: int) -> dict[str, object]:
    lags, figures = payable.lag_days(user), []
    for center in centers:
        days, count = lags.get(center.pk, (0, 0))
        url = f"{reverse('payable-visits')}?{urlencode({'state': 'all', 'center': center.code})}"
        rate = days / count if count >= least else None
        said = _("%(days)s days") % {"days": f"{rate:.1f}"} if rate is not None else _("fewer than %(n)s") % {"n": least}
        figures.append(Figure(count, url, rate, said))
    label = _("Visits made, mean days until entered")
    return {"label": label, "figures": figures, "chart": chart(label, centers, [each.rate for each in figures])}


def chart(label: str, centers: list[Center], rates: list[float | None]) -> SafeString:
    """Centers as dots on one line from 0 to the highest; nothing where fewer than two can be compared."""
    shown = [(center.code, rate) for center, rate in zip(centers, rates, strict=True) if rate is not None]
    if len(shown) < 2:
        return mark_safe("")
    most = max(rate for _code, rate in shown) or 1.0
    parts = [svg.line(LEFT, 20, WIDTH - RIGHT, 20, "ax"), svg.text(LEFT, LINE, "0", class_="sm")]
    parts.append(svg.text(WIDTH - RIGHT, LINE, f"{most:.3g}", class_="sm", text_anchor="end"))
    near: list[tuple[float, list[str]]] = []
    for code, rate in sorted(shown, key=lambda each: (each[1], each[0])):
        x = LEFT + (WIDTH - LEFT - RIGHT) * rate / most
        parts.append(svg.element("circle", svg.title(f"{code}: {rate:.3g}"), cx=x, cy=20, r=5, class_="a1"))
        if near and x - near[-1][0] < APART * len(near[-1][1]):
            near[-1][1].append(code)
        else:
            near.append((x, [code]))
    parts += [svg.text(x, 11, " ".join(codes), class_="sm", text_anchor="middle") for x, codes in near]
    return mark_safe(svg.picture(WIDTH, LINE + 4, label, parts))  # noqa: S308 - built of escaped parts


def _by_center(rows: QuerySet[Any], field: str) -> Counts:
    return dict(rows.order_by().values_list(field).annotate(n=Count("pk")))


def _grouped(rows: QuerySet[Any], lists: Mapping[str, Q]) -> dict[str, Counts]:
    """How long each list is at each center, all in one query."""
    counts = {f"n_{code}": Count("pk", filter=condition) if condition else Count("pk") for code, condition in lists.items()}
    found = list(rows.order_by().values("center").annotate(**counts))
    return {code: {row["center"]: row[f"n_{code}"] for row in found} for code in lists}
