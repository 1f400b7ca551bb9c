"""The list of planned visits that are due or overdue.

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

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.once import once
from followup import entry, pages
from followup.schedule import Standing, Window, standings, windows
from studies import progress, progress_lists
from studies.access import centers_for, studies_of
from studies.lists import choices
from studies.models import Progress, Study
from studies.paging import ROWS
from studies.vocabulary import Withdrawal

VISIT_FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "overdue": gettext_lazy("Overdue"),
    "due": gettext_lazy("Due"),
}


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


@dataclass(frozen=True, slots=True)
class _Peers:
    """How many participants of a center were operated on one day and have made the same visits, and which windows are open to them."""

    study: Study
    opened: "_Opened"
    center_id: int
    center: str
    surgery: date
    made: str
    people: int


@once
def visit_counts(user: User, center: str = "") -> dict[str, int]:
    """How many planned visits are overdue and due (at one center, by its code), by VISIT_FILTERS."""
    overdue = due = 0
    for peers in _peers(user):
        if center in ("", peers.center):
            late, early = peers.opened.numbers(peers.surgery, peers.made)
            overdue, due = overdue + peers.people * late, due + peers.people * early
    return {"all": overdue + due, "overdue": overdue, "due": due}


def overdue_by_center(user: User) -> Counter[int]:
    """How many planned visits are overdue at each center, by its key."""
    counts = Counter[int]()
    for peers in _peers(user):
        counts[peers.center_id] += peers.people * peers.opened.numbers(peers.surgery, peers.made)[0]
    return counts


@once
def _alike(user: User) -> list[Alike]:
    """Everybody who lacks a visit today, in groups, whose window closes (or closed) first in front."""
    found = [
        Alike(peers.study, peers.center_id, peers.center, peers.surgery, window, overdue, peers.people)
        for peers in _peers(user)
        for window, overdue in peers.opened.lacked(peers.surgery, peers.made)
    ]
    return sorted(found, key=lambda group: group.window.closes)


@once
def _peers(user: User) -> list[_Peers]:
    """Everybody who lacks a visit today; one query a study.

    As long as the backlog has days of surgery, whatever the number of participants whose visits were made.
    """
    found: list[_Peers] = []
    for study in studies_of(user, pages.VIEW):
        opened = _Opened(study)
        rows = _lacking(user, study).order_by().values_list("center", "center__code", "surgery_date", "visits_made")
        found += [_Peers(study, opened, *each) for each in rows.annotate(people=Count("*"))]
    return found


def _lacking(user: User, study: Study) -> QuerySet[Progress]:
    """The followed participants of a study for whom a visit is due or overdue today."""
    today = study.today()
    lacks = [
        Q(surgery_date__lte=today - timedelta(days=visit.first_day)) & ~Q(visits_made__contains=f",{visit.code},")
        for visit in study.protocol.visits
    ]
    rows = progress.of(user, pages.VIEW).filter(progress_lists.FOLLOWED, study=study)
    return rows.filter(reduce(or_, lacks)) if lacks else rows.none()


class _Opened:
    """The windows that are due or overdue today, by day of surgery, each worked out once."""

    def __init__(self, study: Study) -> None:
        self.today, self._planned = study.today(), study.protocol.visits
        self._known: dict[date, list[tuple[Window, bool]]] = {}
        self._counted: dict[tuple[date, str], tuple[int, int]] = {}

    def lacked(self, surgery: date, made: str) -> list[tuple[Window, bool]]:
        """Those of nobody's visit yet, with whether they are overdue; `made` as `Progress.visits_made` says it."""
        if surgery not in self._known:
            planned = standings(windows(surgery, self._planned), (), on=self.today)
            self._known[surgery] = [(each.window, each.standing == Standing.OVERDUE) for each in planned if each.standing in _LACKED]
        return [(window, overdue) for window, overdue in self._known[surgery] if f",{window.code}," not in made]

    def numbers(self, surgery: date, made: str) -> tuple[int, int]:
        """How many of them are overdue, and how many due."""
        if (surgery, made) not in self._counted:
            lacked = self.lacked(surgery, made)
            overdue = sum(late for _window, late in lacked)
            self._counted[surgery, made] = overdue, len(lacked) - overdue
        return self._counted[surgery, made]


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


ON_PAPER = 1000
"""Rows of a list that is to be printed: some thirty sheets."""
_PERSON = ("participant__uuid", "participant__study_number", "center", "center__code", "surgery_date", "visits_made", "withdrawal")


def visits_page(user: User, *, state: str, after: str, center: str = "", on_paper: bool = False) -> dict[str, Any]:
    """What the page of visits shows: fifty rows behind the cursor; a thousand where the list is to be printed."""
    size = ON_PAPER if on_paper else ROWS
    counts = visit_counts(user, center)
    state, filters = choices(VISIT_FILTERS, counts, state)
    rows = open_visits(user, state, center, after=after, limit=size + 1)
    kept = f"&{urlencode({'center': center})}" if center else ""
    paper = "&paper=1" if on_paper else ""
    following = f"?state={state}&after={rows[size - 1].key}{kept}{paper}" if len(rows) > size else ""
    return {
        "rows": rows[:size],
        "paper_url": f"?state={state}{kept}&paper=1" if following and not paper else "",
        "filters": filters,
        "total": counts[state],
        "next_url": following,
        "first_url": f"?state={state}{kept}{paper}" if after else "",
        "kept": kept,
        "enters": set(centers_for(user, entry.VISIT).values_list("pk", flat=True)),
        "empty": _("No visit is due or overdue.") if state == "all" else _("No visit is in this state."),
    }


@once
def first_visits(user: User, limit: int) -> list[OpenVisit]:
    """The first overdue and the first due visits, up to a limit of each, looked up together."""
    groups = _alike(user)
    late, due = ([each for each in groups if each.overdue is overdue] for overdue in (True, False))
    return sorted(_looked_up(user, [*_enough(late, limit), *_enough(due, limit)]), key=lambda each: each.key)
