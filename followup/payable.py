"""Payable visits: planned visits that were made, about which nothing is asked and nothing is left to be compared with the source."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Greatest, TruncDate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts import audit, step_up
from accounts.models import AccessRecord, User
from followup.models import Assessment
from studies.access import centers_for, participants_for, permissions_of
from studies.exchange import safe_csv
from studies.lists import choices
from studies.models import Query, Verification
from studies.paging import page_of
from studies.quality import queries, verification

VIEW, EXPORT = "risk.view", "payment.view"
ASSESSMENT = "followup.Assessment"
STATES: dict[str, Q] = {
    "payable": Q(has_query=False, has_due=False),
    "asked": Q(has_query=True),
    "due": Q(has_query=False, has_due=True),
    "all": Q(),
}
"""The lists of visits made; each visit is in one of the first three."""
FILTERS: dict[str, Promise] = {
    "payable": gettext_lazy("Payable"),
    "asked": gettext_lazy("A query is open"),
    "due": gettext_lazy("To be compared with the source"),
    "all": gettext_lazy("All visits made"),
}
WORDS = {"payable": gettext_lazy("payable"), "asked": gettext_lazy("query open"), "due": gettext_lazy("not verified")}
HEAD = ["center", "study_number", "visit", "date", "month", "state", "recorded_on"]
BADGES = {"payable": "accepted", "asked": "query", "due": "verify_due"}
MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


def visits(user: User, *, month: str = "", center: str = "", permission: str = VIEW) -> QuerySet[Assessment]:
    """The planned visits made, annotated with whether a query about them is open and whether something is to be verified."""
    asked = Query.objects.filter(queries.not_closed(), record=ASSESSMENT, record_uuid=OuterRef("uuid"))
    due = Verification.objects.filter(verification.DUE, record=ASSESSMENT, record_uuid=OuterRef("uuid"))
    rows = Assessment.objects.in_force().exclude(visit="").filter(participant__in=participants_for(user, permission))
    if month:
        year, number = (int(part) for part in month.split("-"))
        rows = rows.filter(on__year=year, on__month=number)
    rows = rows.filter(participant__center__code=center) if center else rows
    return rows.select_related("participant__center").annotate(has_query=Exists(asked), has_due=Exists(due))


def state_of(row: Any) -> str:
    """Which of the three lists an annotated visit is on."""
    return "asked" if row.has_query else "due" if row.has_due else "payable"


@require_GET
def payable_visits(request: HttpRequest) -> HttpResponse:
    """Which visits can be paid, and what stands in the way of the others?"""
    if VIEW not in permissions_of(request.user):
        raise PermissionDenied
    kept = _kept(request)
    rows = visits(request.user, **kept)
    counts = rows.aggregate(**{code: Count("pk", filter=condition or None) for code, condition in STATES.items()})
    state, filters = choices(FILTERS, counts, request.GET.get("state", ""))
    page = page_of(rows.filter(STATES[state]), request.GET.get("after", ""))
    context = {
        "rows": [(row, BADGES[state_of(row)], (timezone.localdate(row.recorded_at) - row.on).days) for row in page.rows],
        "filters": filters,
        "state": state,
        "month": kept.get("month", ""),
        "kept": f"&{urlencode(kept)}" if kept else "",
        "export": urlencode({"state": state, **kept}),
        "may_export": centers_for(request.user, EXPORT).exists(),
        "total": page.total,
        "next_url": f"?{urlencode({'state': state, 'after': page.after, **kept})}" if page.after else "",
        "first_url": "" if page.is_first else f"?{urlencode({'state': state, **kept})}",
    }
    return render(request, "followup/payable.html", context)


@step_up.asked("GET")
@require_GET
def payable_csv(request: HttpRequest) -> HttpResponse:
    """The list as a file for a spreadsheet; recorded as an export."""
    if EXPORT not in permissions_of(request.user):
        raise PermissionDenied
    state = request.GET.get("state", "payable")
    rows = visits(request.user, **_kept(request), permission=EXPORT).filter(STATES.get(state, STATES["payable"]))
    rows = rows.select_related("participant__center", "participant__study")
    made = list(rows.order_by("participant__center__code", "participant__study_number", "on"))
    of_studies = [{"study": code, "rows": count} for code, count in Counter(row.participant.study.code for row in made).items()]
    for detail in of_studies or [{"rows": 0}]:
        audit.record(kind=AccessRecord.Kind.EXPORT, by=request.user, subject="payable visits", detail=detail)
    response = HttpResponse(b"".join(safe_csv.lines(HEAD, _lines(made))), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="payable-visits.csv"'
    return response


def _lines(rows: Iterable[Any]) -> Iterable[list[str]]:
    for row in rows:
        person = row.participant
        yield [
            person.center.code, person.study_number, row.visit, row.on.isoformat(), f"{row.on:%Y-%m}", str(WORDS[state_of(row)]),
            timezone.localdate(row.recorded_at).isoformat(),
        ]  # fmt: skip


def _kept(request: HttpRequest) -> dict[str, str]:
    month, center = request.GET.get("month", "").strip(), request.GET.get("center", "")[:2]
    if month and not MONTH.fullmatch(month):
        raise ValidationError(_("Write the month as 2026-11."))
    return {key: value for key, value in (("month", month), ("center", center)) if value}


def lag_days(user: User) -> dict[int, tuple[int, int]]:
    """Center → (sum of the days between a visit and its entry, visits), for the risk indicators."""
    late = ExpressionWrapper(TruncDate("recorded_at") - F("on"), DurationField())
    lag = Sum(Greatest(late, Value(timedelta(0), DurationField())))
    rows = visits(user).order_by().values("participant__center").annotate(lag=lag, n=Count("pk"))
    return {row["participant__center"]: (row["lag"].days, row["n"]) for row in rows}
