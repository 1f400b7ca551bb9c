"""What a person is told where a constraint of a table refuses a row: the sentence, and the field it belongs to."""

from collections.abc import Mapping

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from followup.models import (
    Assessment,
    CaseReading,
    Contact,
    Death,
    Entry,
    NoAdjuvantDeclaration,
    Recurrence,
    ResponseCase,
    TreatmentCourse,
)

AGAIN = _("This is recorded already. If that entry is wrong, mark it as entered in error first.")
SENTENCES: dict[str, tuple[str, Promise]] = {
    "course_ends_after_it_starts": ("end", _("The end lies before the start, or is written less precisely. Compare both dates.")),
    "course_systemic_has_its_drug": ("drug", _("Systemic therapy needs its drug and the class of the drug.")),
    "noadjuvant_declared_once": ("declared_on", AGAIN),
    "assessment_once_per_visit": ("visit", _("This visit is recorded already. If that entry is wrong, mark it as entered in error first.")),
    "assessment_inadequate_shows_nothing": (
        "finding",
        _("A check that could not have shown a recurrence cannot show its absence: choose “not assessable”."),
    ),
    "recurrence_first_only": ("first_seen_on", AGAIN),
    "recurrence_confirmed_after_seen": ("confirmed_on", _("It was confirmed before it was first seen. Compare both dates.")),
    "death_once": ("on", AGAIN),
    "responsecase_asked_once": ("scan_day", _("The response at this scan has been asked for already.")),
    "responsecase_scan_after_baseline": ("scan_day", _("The scan comes after baseline.")),
    "casereading_recurrence_has_its_day": (
        "first_seen_day",
        _("A recurrence has the examination that showed it first, and nothing else has one."),
    ),
}
"""Name of a constraint → its field and its sentence."""

TABLES: tuple[type[Entry], ...] = (TreatmentCourse, NoAdjuvantDeclaration, Assessment, Recurrence, Death, Contact)


def by_field(error: ValidationError) -> dict[str, list[str]]:
    """The sentences of a refusal by field; a constraint's own message is replaced by what SENTENCES says for it."""
    told: dict[str, list[str]] = {}
    said: Mapping[str, list[str]] = error.message_dict if hasattr(error, "error_dict") else {NON_FIELD_ERRORS: error.messages}
    for field, messages in said.items():
        for message in messages:
            where, sentence = _known().get(message, (field, message))
            told.setdefault(where, []).append(str(sentence))
    return told


def _known() -> dict[str, tuple[str, Promise]]:
    constraints = [constraint for table in (*TABLES, CaseReading, ResponseCase) for constraint in table._meta.constraints]
    return {str(each.get_violation_error_message()): SENTENCES[each.name] for each in constraints if each.name in SENTENCES}
