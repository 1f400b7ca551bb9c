"""How far lines and participants are, for lists and counts: the lists as conditions on rows, and what holds the rows to the records.

The rows are kept by triggers, whoever writes; pages read them, and `manage.py verify` compares them with the records. No count is stored:
what a page says is counted over narrow rows in one statement, and is the length of the list that it opens.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, QuerySet

from accounts.models import User
from accounts.once import once
from studies.access import Permission, held_alike, reach, studies_of
from studies.models import Progress
from studies.progress_lists import BITS, LINES, PEOPLE

__all__ = ["DERIVED", "LINES", "PEOPLE", "Tally", "counted", "differing", "lengths", "of", "on_record", "tally", "verify", "window_ended"]

DERIVED = (
    "screening_id, participant_id, study_id, center_id, surgery_date, status, verdict, awaits_pathology, has_consent, exclusion_reason, "
    "person_status, withdrawal, has_series, has_phases, has_slide, has_pathology, has_seal, has_treatment, has_closed_window, has_death, "
    "has_input_missing, forms_submitted"
)
"""The columns that `studies_progress_afresh` derives from the records of this room; those of follow-up are its own."""


def of(user: User, permission: str = Permission.PARTICIPANT_VIEW) -> QuerySet[Progress]:
    """The rows of the centers at which a person holds `permission`."""
    return Progress.objects.filter(reach(user, permission))


@dataclass(frozen=True)
class Tally:
    """How many rows stand in the same lists, by their bits, and whether their treatment windows have ended."""

    lists: int
    ended: bool
    rows: int


def tally(user: User, permission: str) -> list[Tally]:
    """Everybody a person reads by `permission`, counted in one query for all permissions that the same roles hold."""
    return _tally(user, held_alike(permission))


@once
def _tally(user: User, permission: str) -> list[Tally]:
    rows = of(user, permission).annotate(ended=window_ended(user, permission)).order_by().values_list("lists", "ended")
    return [Tally(*each) for each in rows.annotate(rows=Count("*"))]


def counted(tallied: Iterable[Tally], kind: str, code: str) -> int:
    """How long the list of people or lines with this code is."""
    bit = BITS.get((kind, code))
    return sum(each.rows for each in tallied if bit is None or each.lists & bit)


def lengths(rows: QuerySet[Progress], lists: dict[str, Q]) -> dict[str, int]:
    """How long lists by other conditions are, in one query."""
    return rows.aggregate(**{code: Count("pk", filter=condition) if condition else Count("pk") for code, condition in lists.items()})


def window_ended(user: User, permission: str, prefix: str = "") -> ExpressionWrapper:
    """Whether a treatment window has ended, by the day of surgery and each study's protocol and calendar."""
    ended = [
        Q(**{f"{prefix}study": study, f"{prefix}surgery_date__lte": study.today() - timedelta(days=study.protocol.adjuvant_window_days)})
        for study in studies_of(user, permission)
    ]
    return ExpressionWrapper(reduce(or_, ended) if ended else Q(pk=None), BooleanField())


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
