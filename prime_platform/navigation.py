"""The left side of every page: which places a person has, in which order, and how long the list behind each is.

A place shows when the person holds its permission and there is something to see; its count is the length of the list that its link opens.
Lists that nothing else on the page counts are counted together, in one statement.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from analysis import cut_views
from analysis import views as outcome
from followup import committee, payable, response_cases, treatment_lists, visit_lists
from followup import pages as followup_pages
from imaging import feature_list
from predictions import views as models
from prime_platform import blindness, worklist
from studies import access, counting, pages
from studies.access import Permission
from studies.governance import deviation_lists, reconsent_lists
from studies.laboratory import range_views, ranges
from studies.locking import lists as locking_lists
from studies.locking import locks, signing
from studies.quality import checking, handover, queries, query_lists, verification
from studies.trail import people as trail_people


@dataclass(frozen=True)
class Place:
    """One page that stands in the navigation."""

    label: Promise
    url_name: str
    permission: str
    count: Callable[[User], int] | None = None
    """How long its list is, where a page counts it anyway…"""
    rows: Callable[[User], QuerySet[Any]] | None = None
    """…or the list itself."""
    shown: Callable[[User], bool] | None = None


MENU: list[tuple[Promise, list[Place]]] = [
    (
        _("Today"),
        [
            Place(_("Worklist"), "worklist", Permission.SCREENING_VIEW, worklist.count),
            Place(_("Queries"), "queries", queries.VIEW, query_lists.waiting_count),
        ],
    ),
    (
        _("Participants"),
        [
            Place(_("Screening log"), "screening-log", Permission.SCREENING_VIEW, pages.screening_count),
            Place(_("Consecutiveness"), "consecutiveness", Permission.SCREENING_VIEW),
            Place(_("Participants"), "participants", Permission.PARTICIPANT_VIEW, pages.participant_count),
            Place(_("Completeness"), "completeness", Permission.PARTICIPANT_VIEW, pages.participant_count),
            Place(_("Handover"), "handovers", handover.HAND_OVER),
        ],
    ),
    (
        _("Follow-up"),
        [
            Place(_("Visits"), "visits", followup_pages.VIEW, visit_lists.visit_count),
            Place(_("Treatment"), "treatment", followup_pages.VIEW, treatment_lists.treatment_count),
            Place(_("Calls"), "calls", followup_pages.VIEW),
            Place(_("Vital status"), "vital", followup_pages.VIEW),
            Place(_("Cases to read"), "cases", committee.READ, lambda user: len(committee.to_read(user))),
            Place(_("Responses to read"), "responses", response_cases.READ, lambda user: len(response_cases.to_read(user))),
            Place(_("Adjudication"), "adjudication", committee.OPEN),
            Place(_("Responses"), "response-agreement", response_cases.ASK),
        ],
    ),
    (
        _("Data quality"),
        [
            Place(_("Verification"), "verification-due", verification.VERIFY, rows=verification.due),
            Place(_("Edit checks"), "checks", checking.RUN),
            Place(_("Signatures"), "sign-list", signing.SIGN, rows=locking_lists.unsigned),
            Place(_("Locks"), "locks", locks.VIEW),
            Place(_("Audit"), "trail", trail_people.VIEW),
            Place(_("Measurements"), "measurements", feature_list.VIEW),
            Place(_("Risk indicators"), "risk", payable.VIEW),
            Place(_("Visits made"), "payable-visits", payable.VIEW),
        ],
    ),
    (
        _("Conduct"),
        [
            Place(_("Consent to be renewed"), "reconsent", Permission.PARTICIPANT_VIEW, reconsent_lists.count),
            Place(_("Seal receipts"), "receipts", blindness.RECEIPTS),
            Place(_("Deviations"), "deviations", Permission.CENTER_VIEW, rows=deviation_lists.to_assess),
            Place(_("Centers"), "centers", Permission.CENTER_VIEW),
            Place(_("Reference ranges"), "ranges", ranges.VIEW, rows=range_views.current),
        ],
    ),
    (
        _("Import and export"),
        [
            Place(_("Import"), "imports", Permission.IMPORT_RUN),
            Place(_("Export"), "exports", Permission.EXPORT_RUN),
            Place(_("Codebook"), "codebook", Permission.STUDY_VIEW),
        ],
    ),
    (
        _("Study"),
        [
            Place(_("Overview"), "overview", Permission.STUDY_VIEW),
            Place(_("Flow of patients"), "flow", Permission.STUDY_VIEW),
            Place(_("Data cuts"), "cuts", cut_views.VIEW),
            Place(_("Blindness"), "blindness", blindness.VIEW),
            Place(_("Models"), "models", models.VIEW),
            Place(_("Glossary"), "glossary", Permission.STUDY_VIEW),
            Place(_("Data dictionary"), "dictionary", Permission.STUDY_SETUP),
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
    open_to = {
        label: [place for place in places if place.permission in held and (not place.shown or place.shown(user))] for label, places in MENU
    }
    counts = counting.together({place.url_name: place.rows(user) for places in open_to.values() for place in places if place.rows})
    return [Group(label, [_entry(place, user, path, counts) for place in places]) for label, places in open_to.items() if places]


def _entry(place: Place, user: User, path: str, counts: dict[str, int]) -> Entry:
    url = reverse(place.url_name)
    count = place.count(user) if place.count else counts.get(place.url_name)
    return Entry(place.label, url, path.startswith(url), count)
