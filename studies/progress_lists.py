"""The lists of people and of lines that pages offer, as conditions on progress; and as one number that the database derives for each row.

A list is named by a bit, so that one grouped count gives the lengths of all of them.
"""

from functools import reduce
from operator import add

from django.db.models import Case, Q, Value, When
from django.db.models.expressions import Combinable

from studies.vocabulary import ParticipantStatus, ScreeningStatus, Withdrawal

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

RECORDED = Q(person_status=ParticipantStatus.ENROLLED) | Q(withdrawal=Withdrawal.NO_CONTACT)
"""Whose records are read: who is in, and who withdrew from contact only (EN-04)."""
FOLLOWED = RECORDED & Q(is_dead=False)
"""Who is still to be looked at."""
ACCOUNTS: dict[str, Q] = {
    "missing": RECORDED & Q(has_adjuvant=False, has_declaration=False),
    "unstated": RECORDED & Q(has_adjuvant=True, has_declaration=False, has_closed_window=False),
    "contradicted": RECORDED & Q(has_adjuvant=True, has_declaration=True),
}
"""How a treatment window fails to be accounted for; nobody is in two. The first two are held against who is past its end only."""

BITS = {
    (kind, code): 1 << place
    for place, (kind, code) in enumerate(
        [
            *(("people", code) for code in PEOPLE),
            *(("lines", code) for code, condition in LINES.items() if condition),
            *(("accounts", code) for code in ACCOUNTS),
        ]
    )
}
"""Kind and code of a list → its bit. Every line is in the whole log, which needs none."""


def standing() -> Combinable:
    """The sum of the bits of the lists in which a row stands."""
    conditions = {"people": PEOPLE, "lines": LINES, "accounts": ACCOUNTS}
    parts = [Case(When(conditions[kind][code], then=Value(bit)), default=Value(0)) for (kind, code), bit in BITS.items()]
    return reduce(add, parts)
