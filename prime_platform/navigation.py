"""The left side of every page: which places a person has, in which order, and how long the list behind each is.

A place shows when the person holds its permission and there is something to see; its count is the length of the list that its link opens.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analysis import views as outcome
from followup import duties
from followup import pages as followup_pages
from prime_platform import worklist
from studies import access, pages
from studies.access import Permission


@dataclass(frozen=True)
class Place:
    """One page that stands in the navigation."""

    label: Promise
    url_name: str
    permission: str
    count: Callable[[User], int] | None = None
    shown: Callable[[User], bool] | None = None


MENU: list[tuple[Promise, list[Place]]] = [
    (_("Today"), [Place(_("Worklist"), "worklist", Permission.SCREENING_VIEW, worklist.count)]),
    (
        _("Participants"),
        [
            Place(_("Screening log"), "screening-log", Permission.SCREENING_VIEW, pages.screening_count),
            Place(_("Participants"), "participants", Permission.PARTICIPANT_VIEW, pages.participant_count),
        ],
    ),
    (
        _("Follow-up"),
        [
            Place(_("Visits"), "visits", followup_pages.VIEW, duties.visit_count),
            Place(_("Treatment"), "treatment", followup_pages.VIEW, duties.treatment_count),
        ],
    ),
    (
        _("Study"),
        [
            Place(_("Overview"), "overview", Permission.STUDY_VIEW),
            Place(_("Result"), "result", outcome.RESULT, shown=outcome.shows_result),
        ],
    ),
]


@dataclass(frozen=True)
class Entry:
    """A place as one person sees it now."""

    label: Promise
    url: str
    current: bool
    count: int | None


@dataclass(frozen=True)
class Group:
    """Places that belong together, under one heading."""

    label: Promise
    entries: list[Entry]


def menu_for(user: User, path: str) -> list[Group]:
    """The groups of places open to `user`; the one that `path` lies under is current."""
    held = access.permissions_of(user)
    groups = [
        Group(label, [_entry(place, user, path) for place in places if place.permission in held and (not place.shown or place.shown(user))])
        for label, places in MENU
    ]
    return [group for group in groups if group.entries]


def _entry(place: Place, user: User, path: str) -> Entry:
    url = reverse(place.url_name)
    return Entry(place.label, url, path.startswith(url), place.count(user) if place.count else None)
