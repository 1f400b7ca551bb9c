"""The list of deviations: filters whose counts are the lengths of the lists they open, and what each row says."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from accounts.models import User
from studies.access import Permission, centers_for
from studies.governance import standing
from studies.lists import choices
from studies.models import Deviation
from studies.paging import page_of
from studies.vocabulary import DeviationCategory, DeviationStatus

FILTERS: dict[str, Promise] = {
    "open": gettext_lazy("To be assessed"),
    "assessed": gettext_lazy("To be closed"),
    "closed": gettext_lazy("Closed deviations"),
    "major": gettext_lazy("Major, not closed"),
    "all": gettext_lazy("All"),
}
STATES: dict[str, Q] = {
    "open": Q(status=DeviationStatus.OPEN),
    "assessed": Q(status=DeviationStatus.ASSESSED),
    "closed": Q(status=DeviationStatus.CLOSED),
    "major": Q(category=DeviationCategory.MAJOR) & ~Q(status=DeviationStatus.CLOSED),
    "all": Q(),
}


@dataclass(frozen=True)
class Row:
    """One deviation of the list."""

    deviation: Deviation
    name: str
    found_by: str


def seen_by(user: User) -> QuerySet[Deviation]:
    """The deviations of the centers that a person may look into."""
    return Deviation.objects.filter(center__in=centers_for(user, Permission.CENTER_VIEW))


def listed(user: User, state: str, center: str = "") -> QuerySet[Deviation]:
    """One list, at one center by its code where it is given."""
    return _at(user, center).filter(STATES[state])


def counts(user: User, center: str = "") -> dict[str, int]:
    """How long each list is, in one query."""
    aggregates = {state: Count("pk", filter=condition) for state, condition in STATES.items() if condition}
    return _at(user, center).aggregate(all=Count("pk"), **aggregates)


def to_assess(user: User) -> QuerySet[Deviation]:
    """The first list, which the navigation opens."""
    return seen_by(user).filter(STATES["open"])


def page(user: User, *, state: str, after: str, center: str = "") -> dict[str, Any]:
    """What the page shows, fifty at a time."""
    lengths = counts(user, center)
    state, filters = choices(FILTERS, lengths, state)
    rows = listed(user, state, center).select_related("center__study", "participant", "raised_by")
    shown, kept = page_of(rows, after, total=lengths[state]), f"&{urlencode({'center': center})}" if center else ""
    return {
        "lines": [row_of(row) for row in shown.rows],
        "rows": shown.rows,
        "filters": filters,
        "total": shown.total,
        "kept": kept,
        "next_url": f"?state={state}&after={shown.after}{kept}" if shown.after else "",
        "first_url": "" if shown.is_first else f"?state={state}{kept}",
    }


def _at(user: User, center: str) -> QuerySet[Deviation]:
    rows = seen_by(user)
    return rows.filter(center__code=center) if center else rows


def row_of(row: Deviation) -> Row:
    """A deviation with its words."""
    rules = standing.of_protocol(row.center.study.protocol_id)
    text = rules.deviation_text(row.kind) if rules else None
    return Row(row, text.say(get_language()) if text else row.kind, _("rule") if row.key else str(row.raised_by))
