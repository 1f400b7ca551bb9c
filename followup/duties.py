"""The lists of follow-up: planned visits that are due or overdue, and treatment windows that ended without a full account.

Counts are taken over narrow rows of progress, and fifty rows are looked up: a fixed number of queries whatever the number of rows.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce
from itertools import accumulate
from operator import or_
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BooleanField, Count, ExpressionWrapper, F, Q, QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.once import once
from followup import entry, pages
from followup.schedule import Standing, Window, standings, windows
from studies import progress, worklist
from studies.access import centers_for, participants_for, studies_of
from studies.lists import choices
from studies.models import Participant, Progress, Study
from studies.paging import ROWS
from studies.vocabulary import ParticipantStatus, Withdrawal

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
    "missing": Q(ended=True, has_adjuvant=False, has_declaration=False),
    "unstated": Q(ended=True, has_adjuvant=True, has_declaration=False, has_closed_window=False),
    "contradicted": Q(has_adjuvant=True, has_declaration=True),
}
"""The lists of treatment windows: code → condition on progress, with `ended`; nobody is in two."""
ON_RECORD = {"adjuvant": "has_adjuvant", "declared": "has_declaration", "closed": "has_closed_window"}
"""What a row of that list is annotated with, from which column of progress."""
RECORDED = Q(person_status=ParticipantStatus.ENROLLED) | Q(withdrawal=Withdrawal.NO_CONTACT)
FOLLOWED = RECORDED & Q(is_dead=False)
"""Who is still to be looked at: not dead, not withdrawn, or from contact only; the records of such a one may be read (EN-04)."""


@dataclass(frozen=True)
class OpenVisit:
    """A planned visit that was not made yet: whose, which, whether its window has closed, and whether only records may be asked."""

    participant: UUID
    number: str
    center: int
    surgery: date
    day: int
    window: Window
    overdue: bool
    left: int
    no_contact: bool

    @property
    def key(self) -> str:
        """Its place in the list, and the cursor of a page that ends with it."""
        return f"{self.window.closes}_{self.number}"


@dataclass(frozen=True)
class Alike:
    """How many participants of a center, operated on one day and with the same visits made, lack this visit."""

    study: Study
    center_id: int
    center: str
    surgery: date
    window: Window
    overdue: bool
    people: int


@once
def visit_counts(user: User, center: str = "") -> dict[str, int]:
    """How many planned visits are overdue and due (at one center, by its code), by VISIT_FILTERS."""
    counts = Counter[bool]()
    for group in _alike(user):
        counts[group.overdue] += group.people * (center in ("", group.center))
    return {"all": counts.total(), "overdue": counts[True], "due": counts[False]}


def overdue_by_center(user: User) -> Counter[int]:
    """How many planned visits are overdue at each center, by its key."""
    counts = Counter[int]()
    for group in _alike(user):
        counts[group.center_id] += group.people * group.overdue
    return counts


@once
def _alike(user: User) -> list[Alike]:
    """Everybody who lacks a visit today, in groups, whose window closes (or closed) first in front; one query a study.

    As long as the backlog has days of surgery, whatever the number of participants whose visits were made.
    """
    found: list[Alike] = []
    for study in studies_of(user, pages.VIEW):
        opened = _Opened(study)
        rows = _lacking(user, study).order_by().values_list("center", "center__code", "surgery_date", "visits_made")
        for *where, surgery, made, people in rows.annotate(people=Count("pk")):
            found += [Alike(study, *where, surgery, window, overdue, people) for window, overdue in opened.lacked(surgery, made)]
    return sorted(found, key=lambda group: group.window.closes)


def _lacking(user: User, study: Study) -> QuerySet[Progress]:
    """The followed participants of a study for whom a visit is due or overdue today."""
    today = study.today()
    lacks = [
        Q(surgery_date__lte=today - timedelta(days=visit.first_day)) & ~Q(visits_made__contains=f",{visit.code},")
        for visit in study.protocol.visits
    ]
    return progress.of(user, pages.VIEW).filter(FOLLOWED, reduce(or_, lacks, Q(pk=None)), study=study)


class _Opened:
    """The windows that are due or overdue today, by day of surgery, each worked out once."""

    def __init__(self, study: Study) -> None:
        self.today, self._planned = study.today(), study.protocol.visits
        self._known: dict[date, list[tuple[Window, bool]]] = {}

    def lacked(self, surgery: date, made: str) -> list[tuple[Window, bool]]:
        """Those of nobody's visit yet, with whether they are overdue; `made` as `Progress.visits_made` says it."""
        if surgery not in self._known:
            planned = standings(windows(surgery, self._planned), (), on=self.today)
            self._known[surgery] = [(each.window, each.standing == Standing.OVERDUE) for each in planned if each.standing in _LACKED]
        return [(window, overdue) for window, overdue in self._known[surgery] if f",{window.code}," not in made]


_LACKED = (Standing.DUE, Standing.OVERDUE)


def visit_count(user: User) -> int:
    """The length of the whole list of visits."""
    return visit_counts(user)["all"]


def open_visits(user: User, state: str = "all", center: str = "", *, after: str = "", limit: int | None = None) -> list[OpenVisit]:
    """The visits that are due or overdue (at one center, by its code), whose window closed (or closes) first in front.

    `limit` of them behind the one whose key is `after`: one query a study, for the people of the first days of surgery that suffice.
    """
    wanted = {"all": (True, False), "overdue": (True,), "due": (False,)}[state]
    groups = [each for each in _alike(user) if each.overdue in wanted and center in ("", each.center)]
    groups = [each for each in groups if str(each.window.closes) >= after[: len("2026-01-31")]]
    same_day = sum(each.people for each in groups if after.startswith(str(each.window.closes)))
    first = _enough(groups, None if limit is None else limit + same_day)
    return sorted((each for each in _looked_up(user, first) if each.key > after), key=lambda each: each.key)[:limit]


def _looked_up(user: User, groups: list[Alike]) -> list[OpenVisit]:
    """The visits of these groups, one by one; one query a study."""
    found: list[OpenVisit] = []
    for study in {group.study.pk: group.study for group in groups}.values():
        found += _of_study(user, study, {(each.center, each.surgery, each.window.code) for each in groups if each.study == study})
    return found


def _enough(groups: list[Alike], limit: int | None) -> list[Alike]:
    """The first groups that hold `limit` people, and all others whose window closes on the last one's day."""
    so_far = accumulate(group.people for group in groups)
    last = next((group.window.closes for group, people in zip(groups, so_far, strict=True) if limit is not None and people >= limit), None)
    return groups if last is None else [group for group in groups if group.window.closes <= last]


def _of_study(user: User, study: Study, sought: set[tuple[str, date, str]]) -> Iterable[OpenVisit]:
    """The open visits of those centers, days of surgery and codes."""
    opened = _Opened(study)
    rows = _lacking(user, study).filter(surgery_date__in={surgery for _center, surgery, _code in sought})
    for row in rows.values_list(*_PERSON, named=True):
        for window, overdue in opened.lacked(row.surgery_date, row.visits_made):
            if (row.center__code, row.surgery_date, window.code) in sought:
                day, left = (opened.today - row.surgery_date).days, abs((window.closes - opened.today).days)
                uuid, number, no_contact = row.participant__uuid, row.participant__study_number, row.withdrawal == Withdrawal.NO_CONTACT
                yield OpenVisit(uuid, number, row.center, row.surgery_date, day, window, overdue, left, no_contact)


_PERSON = ("participant__uuid", "participant__study_number", "center", "center__code", "surgery_date", "visits_made", "withdrawal")


def visits_page(user: User, *, state: str, after: str, center: str = "") -> dict[str, Any]:
    """What the page of visits shows: fifty rows behind the cursor."""
    counts = visit_counts(user, center)
    state, filters = choices(VISIT_FILTERS, counts, state)
    rows = open_visits(user, state, center, after=after, limit=ROWS + 1)
    kept = f"&{urlencode({'center': center})}" if center else ""
    following = f"?state={state}&after={rows[ROWS - 1].key}{kept}" if len(rows) > ROWS else ""
    return {
        "rows": rows[:ROWS],
        "filters": filters,
        "total": counts[state],
        "next_url": following,
        "first_url": f"?state={state}{kept}" if after else "",
        "kept": kept,
        "enters": set(centers_for(user, entry.VISIT).values_list("pk", flat=True)),
        "empty": _("No visit is due or overdue.") if state == "all" else _("No visit is in this state."),
    }


def treatment_rows(user: User, state: str = "all", *, start: Q | None = None, limit: int | None = None) -> QuerySet[Participant]:
    """The participants in one of TREATMENT_FILTERS, annotated with what is on record, the longest ended window first.

    `limit` of them behind `start`, which is a condition on their progress.
    """
    wanted = reduce(or_, TREATMENT_STATES.values()) if state == "all" else TREATMENT_STATES[state]
    first = _accounts(user).filter(wanted, start or Q()).order_by("surgery_date", "participant")[:limit]
    said = {name: F(f"progress__{column}") for name, column in ON_RECORD.items()}
    rows = participants_for(user, pages.VIEW).filter(pk__in=first.values("participant")).annotate(**said, ended=_ended(user, "progress__"))
    return rows.order_by("screening__surgery_date", "pk")


@once
def treatment_counts(user: User) -> dict[str, int]:
    """How long each of those lists is."""
    counts = progress.lengths(_accounts(user), TREATMENT_STATES)
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


def _accounts(user: User) -> QuerySet[Progress]:
    """Those whose records are read, with whether their treatment window has ended."""
    return progress.of(user, pages.VIEW).filter(RECORDED).annotate(ended=_ended(user))


def _ended(user: User, prefix: str = "") -> ExpressionWrapper:
    """Whether a treatment window has ended, by the day of surgery and each study's protocol and calendar."""
    ended = [
        Q(**{f"{prefix}study": study, f"{prefix}surgery_date__lte": study.today() - timedelta(days=study.protocol.adjuvant_window_days)})
        for study in studies_of(user, pages.VIEW)
    ]
    return ExpressionWrapper(reduce(or_, ended, Q(pk=None)), BooleanField())


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
        return [_treatment_work(row) for row in treatment_rows(user, limit=limit)]
    return [_visit_work(visit) for visit in _first_visits(user, limit) if visit.overdue == (code == "visits_overdue")][:limit]


@once
def _first_visits(user: User, limit: int) -> list[OpenVisit]:
    """The first overdue and the first due visits, up to a limit of each, looked up together."""
    groups = _alike(user)
    late, due = ([each for each in groups if each.overdue is overdue] for overdue in (True, False))
    return sorted(_looked_up(user, [*_enough(late, limit), *_enough(due, limit)]), key=lambda each: each.key)


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
    if visit.no_contact:
        task = gettext_lazy("Look the visit up in the records; the participant is not contacted")
    return worklist.Row(visit.number, url, visit.surgery, visit.day, task, detail, state, link, late=visit.overdue)


DUTIES = worklist.Source(WORK, _work_counts, _work_rows)
