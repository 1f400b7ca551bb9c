"""The cases of this room that rules for deviations are about: planned visits that were made, and courses of treatment."""

from collections.abc import Iterator

from followup.models import Assessment, TreatmentCourse
from followup.partial_date import PartialDate
from followup.schedule import windows
from followup.vocabulary import Intent, Treatment
from studies.governance.deviation_rules import Case
from studies.models import Study

WITHIN_STRATEGIES = (Treatment.TACE, Treatment.SYSTEMIC, Treatment.SUPPORTIVE)
"""The kinds of treatment that a strategy is made of, and what is recorded only (TX-02, TX-05)."""


def visits(study: Study) -> Iterator[Case]:
    """Every planned visit that was made, with its window."""
    today, planned = study.today(), study.protocol.visits
    rows = Assessment.objects.in_force().filter(participant__study=study).exclude(visit="").select_related("participant__screening")
    for row in rows.order_by("pk"):
        person = row.participant
        own = {window.code: window for window in windows(person.screening.surgery_date, planned)}.get(row.visit)
        if own is not None:
            facts = {"visit_on": row.on, "window_opens": own.opens, "window_closes": own.closes, "today": today}
            yield Case("visit", str(row.uuid), person.center_id, person.pk, facts, "followup.Assessment", row.uuid, "on")


def courses(study: Study) -> Iterator[Case]:
    """Every course of treatment whose start is known to the day."""
    today = study.today()
    for row in TreatmentCourse.objects.in_force().filter(participant__study=study).select_related("participant").order_by("pk"):
        start = PartialDate.parse(row.start)
        facts = {
            "start": start.earliest if start.day is not None else None,
            "adjuvant": "yes" if row.intent == Intent.ADJUVANT else "no",
            "outside_strategies": "no" if row.kind in WITHIN_STRATEGIES else "yes",
            "today": today,
        }
        person = row.participant
        yield Case("course", str(row.uuid), person.center_id, person.pk, facts, "followup.TreatmentCourse", row.uuid, "kind")
