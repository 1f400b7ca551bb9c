"""The completeness matrix: who lacks what, whoever is missing something and nearest to treatment first."""

from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import or_
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import BooleanField, Case, ExpressionWrapper, IntegerField, Q, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from accounts.models import User
from prime_platform.pages import CELLS, CellView, cell_view
from studies import access, pages, progress
from studies.access import Permission
from studies.lists import choices
from studies.models import Participant, Progress
from studies.paging import ROWS
from studies.quality import handover
from studies.vocabulary import ParticipantStatus

ENROLLED = Q(person_status=ParticipantStatus.ENROLLED)
HAS = {"phases": "has_phases", "slide": "has_slide", "pathology": "has_pathology", "sealed": "has_seal", "treatment": "has_treatment"}
"""The columns that a list may be narrowed to, by what is missing, and where progress says so."""
FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "phases": gettext_lazy("Phases missing"),
    "slide": gettext_lazy("Slide missing"),
    "pathology": gettext_lazy("Pathology missing"),
    "baseline": gettext_lazy("Baseline not complete"),
    "sealed": gettext_lazy("Not sealed"),
    "treatment": gettext_lazy("Treatment open"),
}
WHOSE: dict[str, Promise] = {
    "all": gettext_lazy("Everybody's"),
    "mine": gettext_lazy("Mine"),
    "covered": gettext_lazy("A colleague's"),
}
CONDITIONS: dict[str, Q] = {
    "all": Q(),
    "baseline": ENROLLED & Q(has_baseline=False),
    **{code: ENROLLED & Q(**{column: False}) for code, column in HAS.items()},
}


@dataclass(frozen=True)
class Row:
    """One participant of the matrix."""

    participant: Participant
    day: int
    cells: list[CellView]


@require_GET
def completeness(request: HttpRequest) -> HttpResponse:
    """Who lacks what?"""
    if Permission.PARTICIPANT_VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    kept = {key: value for key in ("whose", "center") if (value := request.GET.get(key, "")[:40])}
    rows = matrix(request.user, **kept)
    counts = progress.lengths(rows, CONDITIONS)
    state, filters = choices(FILTERS, counts, request.GET.get("state", ""))
    found, following = _page(request.user, rows.filter(CONDITIONS[state]), request.GET.get("after", ""))
    context: dict[str, Any] = {
        "columns": list(CELLS.values()),
        "rows": described(found),
        "filters": filters,
        "state": state,
        "whose": kept.get("whose", "all"),
        "whose_choices": [(code, label, urlencode({**kept, "whose": code, "state": state})) for code, label in WHOSE.items()],
        "kept": f"&{urlencode(kept)}" if kept else "",
        "total": counts[state],
        "next_url": f"?{urlencode({'state': state, 'after': following, **kept})}" if following else "",
        "first_url": f"?{urlencode({'state': state, **kept})}" if request.GET.get("after") else "",
    }
    return render(request, "completeness.html", context)


def matrix(user: User, whose: str = "all", center: str = "") -> QuerySet[Progress]:
    """The participants in the order of the matrix: enrolled and lacking an input before treatment, the longest after surgery first."""
    rows = progress.of(user).filter(progress.PEOPLE["all"])
    rows = rows.filter(center__code=center) if center else rows
    if whose != "all":
        rows = rows.filter(participant__in=_on_the_list_of(user, whose).values("pk"))
    rows = rows.annotate(has_baseline=_baseline(user))
    lacking = ENROLLED & (Q(has_phases=False) | Q(has_slide=False) | Q(has_pathology=False) | Q(has_seal=False))
    rank = Case(
        When(lacking & Q(has_treatment=False), then=Value(0)),
        When(ENROLLED & Q(has_treatment=False), then=Value(1)),
        When(lacking, then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    return rows.annotate(rank=rank).order_by("rank", "surgery_date", "participant")


def _on_the_list_of(user: User, whose: str) -> QuerySet[Participant]:
    """Mine, a colleague's, or those of the person with this uuid."""
    rows = access.participants_for(user)
    if whose in WHOSE:
        return handover.of_whom(rows, user, whose)
    return handover.looked_after(rows).filter(carer__in=User.objects.filter(uuid=_uuid(whose)).values("pk"))


def narrowed(user: User, state: str) -> QuerySet[Progress]:
    """One list of the matrix, over all centers of a person."""
    return matrix(user).filter(CONDITIONS[state])


def described(found: list[Participant]) -> list[Row]:
    """The rows with their cells; one question to each study's clock."""
    days: dict[int, date] = {each.study_id: each.study.today() for each in found}
    cells = {}
    for study, today in days.items():
        cells |= pages.completeness([each for each in found if each.study_id == study], today)
    return [Row(each, _day(each, days[each.study_id]), [cell_view(cell, each) for cell in cells[each.uuid]]) for each in found]


def _baseline(user: User) -> ExpressionWrapper:
    """Whether every baseline form that does not repeat was declared complete, by the dictionary of each study."""
    complete = [
        Q(study=study, forms_submitted__gte=sum(not form.repeating for form in study.dictionary.forms))
        for study in access.studies_of(user, Permission.PARTICIPANT_VIEW)
    ]
    return ExpressionWrapper(reduce(or_, complete, Q(pk=None)), BooleanField())


def _page(user: User, rows: QuerySet[Progress], after: str) -> tuple[list[Participant], str]:
    """Fifty participants behind the cursor, and the next cursor."""
    last = rows.filter(participant__uuid=_uuid(after)).first() if after else None
    if last is not None:
        same = Q(rank=last.rank)  # type: ignore[attr-defined] # annotated
        behind = Q(rank__gt=last.rank) | same & Q(surgery_date__gt=last.surgery_date)  # type: ignore[attr-defined]
        rows = rows.filter(behind | same & Q(surgery_date=last.surgery_date, participant__gt=last.participant_id))
    keys = list(rows.values_list("participant", flat=True)[: ROWS + 1])
    people = access.participants_for(user).in_bulk(keys[:ROWS])
    found = [people[key] for key in keys[:ROWS]]
    return found, str(found[-1].uuid) if len(keys) > ROWS else ""


def _uuid(text: str) -> UUID | None:
    """The uuid that a text says; nobody has none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _day(person: Participant, today: date) -> int:
    return (today - person.screening.surgery_date).days
