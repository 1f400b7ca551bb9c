"""The records of this room as people may ask about them: history, signature, lock."""

from django.utils.translation import gettext_lazy as _

from followup.models import Assessment, Contact, Death, NoAdjuvantDeclaration, Recurrence, ResponseCase, TreatmentCourse
from followup.pages import VIEW
from studies.trail.kinds import Kind

_EVERY = {
    "recorded_at": _("Recorded at"), "recorded_by_id": _("Recorded by"), "voided_at": _("In error since"),
    "voided_by_id": _("Marked as in error by"), "place": _("Place"), "source": _("Source"), "modality": _("Modality"), "on": _("Date"),
}  # fmt: skip

KINDS = (
    Kind(
        TreatmentCourse, _("Treatment"), VIEW, signed=True,
        words=_EVERY | {
            "kind": _("Kind"), "drug": _("Drug"), "drug_class": _("Class of the drug"), "intent": _("Intent"), "start": _("Start"),
            "end": _("End"), "decided_on": _("Decided on"),
        },
    ),
    Kind(NoAdjuvantDeclaration, _("No adjuvant therapy"), VIEW, signed=True, words=_EVERY | {"declared_on": _("Declared on")}),
    Kind(
        Assessment, _("Visit"), VIEW, signed=True,
        words=_EVERY | {"visit": _("Visit"), "adequate": _("Adequate"), "finding": _("Finding")},
    ),
    Kind(
        Recurrence, _("Recurrence"), VIEW, signed=True,
        words=_EVERY | {
            "first_seen_on": _("First seen"), "confirmed_on": _("Confirmed"), "site": _("Site"), "number": _("Number of nodules"),
            "pattern": _("Pattern"), "confirmed_by": _("Confirmed by"),
        },
    ),
    Kind(Death, _("Death"), VIEW, signed=True, words=_EVERY | {"cause": _("Cause")}),
    Kind(Contact, _("Contact"), VIEW, signed=True, words=_EVERY | {"outcome": _("Outcome"), "channel": _("By"), "vital": _("Participant")}),
    Kind(
        ResponseCase, _("Response asked for"), VIEW, hidden=frozenset({"code"}),
        words=_EVERY | {"baseline_on": _("Baseline"), "between": _("Scans between"), "scan_on": _("Scan")},
    ),
)  # fmt: skip
