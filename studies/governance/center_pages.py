"""What the page of centers shows: which are open, and how they stand."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts.models import User
from studies.access import Permission, centers_for
from studies.governance import gate
from studies.governance.periods import Period, gaps, last_day
from studies.models import Center, Delegation, EthicsApproval
from studies.paging import page_of

SOON = timedelta(days=60)
"""How long before its end an approval is worth a warning: a continuing review takes weeks."""


@dataclass(frozen=True)
class Row:
    """One center of the list."""

    center: Center
    state: str
    delegated: int
    ethics: str
    ethics_until: date | None


def page(user: User, after: str) -> dict[str, Any]:
    """The centers a person may look into, fifty at a time."""
    shown = page_of(_counted(centers_for(user, Permission.CENTER_VIEW)), after)
    periods = _periods(shown.rows)
    return {
        "lines": [_row(row, periods[row.pk]) for row in shown.rows],
        "rows": shown.rows,
        "total": shown.total,
        "next_url": f"?after={shown.after}" if shown.after else "",
        "first_url": "" if shown.is_first else "?",
    }


def state(center: Center) -> str:
    """The word of the status vocabulary for a center on the study's today."""
    today = center.study.today()
    if center.opened_on is None or center.opened_on > today:
        return "not_open"
    return "center_closed" if center.closed_on is not None and center.closed_on < today else "center_open"


def one(center: Center, today: date) -> dict[str, Any]:
    """What the page of one center shows: its gate on a day, its approvals with the gaps between them, its versions of the form."""
    items = gate.states(center, today)
    approvals = list(center.ethics_approvals.select_related("recorded_by"))
    periods = [(row.valid_from, row.valid_until) for row in approvals]
    return {
        "state": state(center),
        "items": items,
        "lacking": [item for item in items if item.why],
        "approvals": approvals,
        "gaps": gaps(periods),
        "ethics_state": ethics_state(periods, today),
        "ethics_until": last_day(periods, today),
        "versions": list(center.consent_versions.select_related("approval")),
    }


def ethics_state(periods: list[Period], today: date) -> str:
    """The word of the status vocabulary for how the ethics periods stand on a day."""
    until = last_day(periods, today)
    if until is None:
        return "expired" if periods else "ethics_missing"
    return "ethics_ends_soon" if until - today < SOON else "in_force"


def _row(center: Any, periods: list[Period]) -> Row:
    today = center.study.today()
    return Row(center, state(center), center.delegated, ethics_state(periods, today), last_day(periods, today))


def _periods(centers: list[Center]) -> dict[int, list[Period]]:
    found: dict[int, list[Period]] = defaultdict(list)
    for center, first, last in EthicsApproval.objects.filter(center__in=centers).values_list("center", "valid_from", "valid_until"):
        found[center].append((first, last))
    return found


def _counted(centers: QuerySet[Center]) -> QuerySet[Center]:
    today = timezone.localdate()
    running = Delegation.objects.filter(Q(until=None) | Q(until__gte=today), since__lte=today, center=OuterRef("pk"))
    people = running.order_by().values("center").annotate(n=Count("user", distinct=True)).values("n")
    return centers.select_related("study").annotate(delegated=Coalesce(Subquery(people), 0))
