"""The list of treatment windows that ended without a full account, counted over narrow rows of progress."""

from functools import reduce
from operator import or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.once import once
from followup import entry, pages
from studies import progress, progress_lists
from studies.access import centers_for, participants_for
from studies.lists import choices
from studies.models import Participant
from studies.paging import ROWS

TREATMENT_FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "missing": gettext_lazy("Nothing recorded"),
    "unstated": gettext_lazy("Not stated complete"),
    "contradicted": gettext_lazy("Contradiction"),
}
TREATMENT_STATES = {
    code: condition if code == "contradicted" else condition & Q(ended=True) for code, condition in progress_lists.ACCOUNTS.items()
}
"""The lists of treatment windows: code → condition on progress, with `ended`; nobody is in two."""
ON_RECORD = {"adjuvant": "has_adjuvant", "declared": "has_declaration", "closed": "has_closed_window"}
"""What a row of that list is annotated with, from which column of progress."""


def treatment_rows(user: User, state: str = "all", *, start: Q | None = None, limit: int | None = None) -> QuerySet[Participant]:
    """The participants in one of TREATMENT_FILTERS, annotated with what is on record, the longest ended window first.

    `limit` of them behind `start`, which is a condition on their progress.
    """
    wanted = reduce(or_, TREATMENT_STATES.values()) if state == "all" else TREATMENT_STATES[state]
    rows = progress.of(user, pages.VIEW).annotate(ended=progress.window_ended(user, pages.VIEW))
    first = rows.filter(wanted, start or Q()).order_by("surgery_date", "participant")[:limit]
    said = {name: F(f"progress__{column}") for name, column in ON_RECORD.items()}
    people = participants_for(user, pages.VIEW).filter(pk__in=first.values("participant"))
    return people.annotate(**said, ended=progress.window_ended(user, pages.VIEW, "progress__")).order_by("screening__surgery_date", "pk")


@once
def treatment_counts(user: User) -> dict[str, int]:
    """How long each of those lists is."""
    tallied = progress.tally(user, pages.VIEW)
    ended = [each for each in tallied if each.ended]
    counts = {code: progress.counted(tallied if code == "contradicted" else ended, "accounts", code) for code in TREATMENT_STATES}
    return {"all": sum(counts.values()), **counts}


def treatment_count(user: User) -> int:
    """The length of the whole list of treatment windows."""
    return treatment_counts(user)["all"]


def treatment_page(user: User, *, state: str, after: str) -> dict[str, Any]:
    """What the page of treatment windows shows: fifty rows behind the cursor."""
    counts = treatment_counts(user)
    state, filters = choices(TREATMENT_FILTERS, counts, state)
    start = _cursor(user, after)
    found = list(treatment_rows(user, state, start=start, limit=ROWS + 1))
    nothing = _("Every treatment window that has ended is accounted for.")
    return {
        "rows": [(row, window_state(row), (row.study.today() - row.screening.surgery_date).days) for row in found[:ROWS]],
        "filters": filters,
        "total": counts[state],
        "next_url": f"?state={state}&after={found[ROWS - 1].uuid}" if len(found) > ROWS else "",
        "first_url": f"?state={state}" if start else "",
        "enters": set(centers_for(user, entry.TREATMENT).values_list("pk", flat=True)),
        "empty": nothing if state == "all" else _("No participant is in this state."),
    }


def window_state(row: Any) -> str:
    """The word of the status vocabulary for an annotated participant."""
    return pages.window_state(adjuvant=row.adjuvant, declared=row.declared, closed=row.closed, ended=row.ended)


def _cursor(user: User, after: str) -> Q | None:
    """The rows behind the participant whose public uuid is `after`; None for an empty or foreign cursor."""
    try:
        last = participants_for(user, pages.VIEW).get(uuid=after) if after else None
    except (Participant.DoesNotExist, ValidationError):
        return None
    if last is None:
        return None
    surgery = last.screening.surgery_date
    return Q(surgery_date__gt=surgery) | Q(surgery_date=surgery, participant__gt=last.pk)
