"""The lists of follow-up: planned visits that are due or overdue, and treatment windows that ended without a full account.

Counts are taken by the database and lists are short of it: both ask a fixed number of queries whatever the number of rows.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from followup import entry, pages
from followup.models import Assessment, Death, NoAdjuvantDeclaration, TreatmentCourse
from followup.schedule import Standing, Window, standings, windows
from followup.vocabulary import Intent
from studies import milestones, worklist
from studies.access import centers_for, participants_for, studies_for
from studies.lists import choices
from studies.models import Participant, Study
from studies.paging import ROWS
from studies.vocabulary import MilestoneKind, ParticipantStatus

VISIT_FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "overdue": gettext_lazy("Overdue"),
    "due": gettext_lazy("Due"),
}
TREATMENT_FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "missing": gettext_lazy("Nothing recorded"),
    "unstated": gettext_lazy("Not stated complete"),
    "contradicted": gettext_lazy("Contradiction"),
}
TREATMENT_STATES = {
    "missing": Q(ended=True, adjuvant=False, declared=False),
    "unstated": Q(ended=True, adjuvant=True, declared=False, closed=False),
    "contradicted": Q(adjuvant=True, declared=True),
}
"""The lists of treatment windows: code → condition on the annotated rows; nobody is in two."""


@dataclass(frozen=True)
class OpenVisit:
    """A planned visit that was not made yet: whose, which, and whether its window has closed."""

    participant: UUID
    number: str
    center: int
    surgery: date
    day: int
    window: Window
    overdue: bool
    left: int

    @property
    def key(self) -> str:
        """Its place in the list, and the cursor of a page that ends with it."""
        return f"{self.window.closes}_{self.number}"


def visit_counts(user: User) -> dict[str, int]:
    """How many planned visits are overdue and due, by VISIT_FILTERS; two queries a study."""
    counts = Counter[str]()
    for study in studies_for(user, pages.VIEW):
        rows = _followed(user, study)
        seen = Assessment.objects.in_force().filter(participant__in=rows)
        opened = _counted(rows, study, "screening__surgery_date")
        made = _counted(seen, study, "participant__screening__surgery_date", visit=True)
        counts.update({state: opened[state] - made[state] for state in ("open", "overdue")})
    return {"all": counts["open"], "overdue": counts["overdue"], "due": counts["open"] - counts["overdue"]}


def visit_count(user: User) -> int:
    """The length of the whole list of visits."""
    return visit_counts(user)["all"]


def open_visits(user: User, state: str = "all") -> list[OpenVisit]:
    """The visits that are due or overdue, whose window closed (or closes) first in front; two queries a study."""
    found: list[OpenVisit] = []
    for study in studies_for(user, pages.VIEW):
        rows = _followed(user, study)
        made = set(Assessment.objects.in_force().filter(participant__in=rows).exclude(visit="").values_list("participant", "visit"))
        for person in rows.values_list("pk", "uuid", "study_number", "center", "screening__surgery_date"):
            found += _open_of(person, study, made)
    wanted = {"all": (True, False), "overdue": (True,), "due": (False,)}[state]
    return sorted((each for each in found if each.overdue in wanted), key=lambda each: each.key)


def visits_page(user: User, *, state: str, after: str) -> dict[str, Any]:
    """What the page of visits shows: fifty rows behind the cursor."""
    state, filters = choices(VISIT_FILTERS, visit_counts(user), state)
    wanted = open_visits(user, state)
    rows = [row for row in wanted if row.key > after]
    following = f"?state={state}&after={rows[ROWS - 1].key}" if len(rows) > ROWS else ""
    return {
        "rows": rows[:ROWS],
        "filters": filters,
        "total": len(wanted),
        "next_url": following,
        "first_url": f"?state={state}" if after else "",
        "enters": set(centers_for(user, entry.VISIT).values_list("pk", flat=True)),
        "empty": _("No visit is due or overdue.") if state == "all" else _("No visit is in this state."),
    }


def treatment_rows(user: User, state: str = "all") -> QuerySet[Participant]:
    """The participants in one of TREATMENT_FILTERS, annotated with what is on record, the longest ended window first."""
    wanted = reduce(or_, TREATMENT_STATES.values()) if state == "all" else TREATMENT_STATES[state]
    return _accounts(user).filter(wanted).order_by("screening__surgery_date", "pk")


def treatment_counts(user: User) -> dict[str, int]:
    """How long each of those lists is."""
    counts = _accounts(user).aggregate(**{state: Count("pk", filter=condition) for state, condition in TREATMENT_STATES.items()})
    return {"all": sum(counts.values()), **counts}


def treatment_count(user: User) -> int:
    """The length of the whole list of treatment windows."""
    return treatment_counts(user)["all"]


def treatment_page(user: User, *, state: str, after: str) -> dict[str, Any]:
    """What the page of treatment windows shows: fifty rows behind the cursor."""
    counts = treatment_counts(user)
    state, filters = choices(TREATMENT_FILTERS, counts, state)
    start = _cursor(user, after)
    rows = treatment_rows(user, state)
    found = list((rows.filter(start) if start else rows)[: ROWS + 1])
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


def _followed(user: User, study: Study) -> QuerySet[Participant]:
    """Who is still to be seen: enrolled, not withdrawn, not dead."""
    dead = Death.objects.in_force().filter(participant=OuterRef("pk"))
    return participants_for(user, pages.VIEW).filter(~Exists(dead), study=study, status=ParticipantStatus.ENROLLED)


def _counted(rows: QuerySet[Any], study: Study, surgery: str, *, visit: bool = False) -> dict[str, int]:
    """Over all planned visits, the rows whose window has opened and those whose window has closed."""
    today, counts = study.today(), dict[str, Count]()
    for planned in study.protocol.visits:
        own = Q(visit=planned.code) if visit else Q()
        opened = Q(**{f"{surgery}__lte": today - timedelta(days=planned.first_day)})
        closed = Q(**{f"{surgery}__lt": today - timedelta(days=planned.last_day)})
        counts |= {f"open_{planned.code}": Count("pk", filter=own & opened), f"overdue_{planned.code}": Count("pk", filter=own & closed)}
    found = rows.aggregate(**counts)
    return {state: sum(count for name, count in found.items() if name.startswith(state)) for state in ("open", "overdue")}


def _open_of(person: tuple[int, UUID, str, int, date], study: Study, made: set[tuple[int, str]]) -> Iterable[OpenVisit]:
    key, uuid, number, center, surgery = person
    today = study.today()
    missing = [window for window in windows(surgery, study.protocol.visits) if (key, window.code) not in made]
    for window in missing:
        [planned] = standings((window,), (), on=today)
        if planned.standing in (Standing.DUE, Standing.OVERDUE):
            overdue, left = planned.standing == Standing.OVERDUE, abs((window.closes - today).days)
            yield OpenVisit(uuid, number, center, surgery, (today - surgery).days, window, overdue, left)


def _accounts(user: User) -> QuerySet[Any]:
    """Enrolled participants with what is on record about their treatment window, and whether it has ended."""
    own = {"participant": OuterRef("pk")}
    ended = [
        Q(study=study, screening__surgery_date__lte=study.today() - timedelta(days=study.protocol.adjuvant_window_days))
        for study in studies_for(user, pages.VIEW)
    ]
    rows = participants_for(user, pages.VIEW).filter(status=ParticipantStatus.ENROLLED)
    return rows.annotate(
        adjuvant=Exists(TreatmentCourse.objects.in_force().filter(intent=Intent.ADJUVANT, **own)),
        declared=Exists(NoAdjuvantDeclaration.objects.in_force().filter(**own)),
        closed=Exists(milestones.in_force().filter(kind=MilestoneKind.WINDOW_CLOSED, **own)),
        ended=ExpressionWrapper(reduce(or_, ended, Q(pk=None)), BooleanField()),
    )


def _cursor(user: User, after: str) -> Q | None:
    """The rows behind the participant whose public uuid is `after`; None for an empty or foreign cursor."""
    try:
        last = participants_for(user, pages.VIEW).get(uuid=after) if after else None
    except (Participant.DoesNotExist, ValidationError):
        return None
    if last is None:
        return None
    surgery = last.screening.surgery_date
    return Q(screening__surgery_date__gt=surgery) | Q(screening__surgery_date=surgery, pk__gt=last.pk)


WORK: dict[str, Promise] = {
    "treatment_open": gettext_lazy("Treatment to be accounted for"),
    "visits_overdue": gettext_lazy("Visits overdue"),
    "visits_due": gettext_lazy("Visits due"),
}
"""The duties that this room brings to the worklist."""


def _work_counts(user: User) -> dict[str, int]:
    visits = visit_counts(user)
    return {"treatment_open": treatment_count(user), "visits_overdue": visits["overdue"], "visits_due": visits["due"]}


def _work_rows(user: User, code: str, limit: int) -> list[worklist.Row]:
    if code == "treatment_open":
        return [_treatment_work(row) for row in treatment_rows(user)[:limit]]
    return [_visit_work(visit) for visit in open_visits(user, code.removeprefix("visits_"))[:limit]]


def _treatment_work(row: Participant) -> worklist.Row:
    state, surgery = window_state(row), row.screening.surgery_date
    task = gettext_lazy("Record what was given, or declare that nothing was")
    if state == "treatment_unstated":
        task = gettext_lazy("State that everything given is recorded")
    if state == "contradiction":
        task = gettext_lazy("Mark the wrong entry")
    url = reverse("participant", args=[row.uuid]) + "#treatment"
    return worklist.Row(row.study_number, url, surgery, (row.study.today() - surgery).days, task, "", state, gettext_lazy("Open"))


def _visit_work(visit: OpenVisit) -> worklist.Row:
    state = "overdue" if visit.overdue else "visit_due"
    words = {"visit": visit.window.code, "opens": visit.window.opens, "closes": visit.window.closes}
    detail = _("%(visit)s, %(opens)s to %(closes)s") % words
    url = reverse("participant", args=[visit.participant]) + "#visits"
    task, link = gettext_lazy("See the participant and record the visit"), gettext_lazy("Open")
    return worklist.Row(visit.number, url, visit.surgery, visit.day, task, detail, state, link, late=visit.overdue)


DUTIES = worklist.Source(WORK, _work_counts, _work_rows)
