"""How far lines and participants are, for lists and counts: the lists as conditions on rows, and what holds the rows to the records.

The rows are kept by triggers, whoever writes; pages read them, and `manage.py verify` compares them with the records. No count is stored:
what a page says is counted over narrow rows in one statement, and is the length of the list that it opens.
"""

from collections.abc import Iterator

from django.db import connection
from django.db.models import Count, Q, QuerySet

from accounts.models import User
from studies.access import Permission, centers_for
from studies.models import Progress
from studies.vocabulary import ParticipantStatus, ScreeningStatus

_ENROLLED = Q(person_status=ParticipantStatus.ENROLLED)
PEOPLE: dict[str, Q] = {
    "all": Q(participant__isnull=False),
    "images_missing": Q(has_series=False, has_phases=False) & _ENROLLED,
    "phases_to_confirm": Q(has_series=True, has_phases=False) & _ENROLLED,
    "phases_complete": Q(has_phases=True) & _ENROLLED,
    "running": Q(has_death=False) & _ENROLLED,
    "sealed": Q(has_seal=True),
    "withdrawn": Q(person_status=ParticipantStatus.WITHDRAWN),
}
"""The lists of participants that a page offers."""

_OPEN = Q(status=ScreeningStatus.SCREENED)
_AWAITED = Q(has_consent=True, awaits_pathology=True)
LINES: dict[str, Q] = {
    "all": Q(),
    "unknown": _OPEN & Q(verdict="unknown") & ~_AWAITED,
    "pathology_pending": _OPEN & Q(verdict="unknown") & _AWAITED,
    "eligible": _OPEN & Q(verdict="pass"),
    "fails": _OPEN & Q(verdict="fail"),
    "open": _OPEN,
    "excluded": Q(status=ScreeningStatus.EXCLUDED),
    "enrolled": Q(status=ScreeningStatus.ENROLLED),
}
"""The lists of the screening log. `pathology_pending`: consented, and the report on the specimen is not there yet."""

DERIVED = (
    "screening_id, participant_id, study_id, center_id, surgery_date, status, verdict, awaits_pathology, has_consent, exclusion_reason, "
    "person_status, withdrawal, has_series, has_phases, has_slide, has_pathology, has_seal, has_treatment, has_closed_window, has_death, "
    "has_input_missing, forms_submitted"
)
"""The columns that `studies_progress_afresh` derives from the records of this room; those of follow-up are its own."""


def of(user: User, permission: str = Permission.PARTICIPANT_VIEW) -> QuerySet[Progress]:
    """The rows of the centers at which a person holds `permission`."""
    return Progress.objects.filter(center__in=centers_for(user, permission))


def lengths(rows: QuerySet[Progress], lists: dict[str, Q]) -> dict[str, int]:
    """How long each list is, in one query."""
    return rows.aggregate(**{code: Count("pk", filter=condition) if condition else Count("pk") for code, condition in lists.items()})


def on_record(condition: Q) -> Q:
    """A condition on progress as one on the lines or participants that have them."""
    return _through(condition, "progress__")


def _through(condition: Q, prefix: str) -> Q:
    parts = [_through(part, prefix) if isinstance(part, Q) else (prefix + part[0], part[1]) for part in condition.children]
    return Q.create(parts, connector=condition.connector, negated=condition.negated)


def verify() -> Iterator[str]:
    """A sentence for each line whose progress is not what its records say."""
    afresh = "SELECT * FROM studies_progress_afresh((SELECT array_agg(id) FROM studies_screening))"
    yield from differing("screening_id", f"SELECT {DERIVED} FROM studies_progress", afresh)  # noqa: S608 - our own names


def differing(key: str, stored: str, afresh: str) -> Iterator[str]:
    """A sentence for each key of which two statements give different rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT d.{key} FROM (({stored} EXCEPT {afresh}) UNION ALL ({afresh} EXCEPT {stored})) d ORDER BY 1"  # noqa: S608
        )
        for (row,) in cursor.fetchall():
            yield f"{key} {row}: what lists say of it is not what its records say; `SELECT studies_progress_refresh` brings it in line"
