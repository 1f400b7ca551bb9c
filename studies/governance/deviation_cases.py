"""The cases of this room that rules for deviations are about: each participant with the dates of enrolment and consent."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch

from studies import milestones
from studies.governance import periods, reconsent, reconsent_lists
from studies.governance.deviation_rules import Case
from studies.models import Consent, ConsentVersion, EthicsApproval, Participant, Reconsent, Study
from studies.vocabulary import MilestoneKind, ParticipantStatus


def participants(study: Study) -> Iterator[Case]:
    """Every participant of a study, with the facts that the pages show; five queries whatever their number."""
    approvals: dict[int, list[periods.Period]] = defaultdict(list)
    for center, first, last in EthicsApproval.objects.filter(center__study=study).values_list("center", "valid_from", "valid_until"):
        approvals[center].append((first, last))
    versions: dict[int, dict[int, reconsent.Version]] = defaultdict(dict)
    for version in ConsentVersion.objects.filter(center__study=study):
        versions[version.center_id][version.pk] = reconsent_lists.as_fact(version)
    renewals = Prefetch("screening__consent__renewals", Reconsent.objects.order_by("version__valid_from", "pk"))
    died = milestones.in_force().filter(kind=MilestoneKind.DEATH, participant=OuterRef("pk"))
    people = Participant.objects.filter(study=study).annotate(has_died=Exists(died))
    rows = people.select_related("screening__consent").prefetch_related(renewals).order_by("pk")
    today = study.today()
    for person in rows:
        yield _case(study, person, approvals[person.center_id], versions[person.center_id], today)


def _case(study: Study, person: Any, approvals: list[periods.Period], versions: dict[int, Any], today: date) -> Case:
    screening, consent = person.screening, person.screening.consent
    facts = {
        "surgery_date": screening.surgery_date,
        "screened_on": screening.screened_on,
        "consent_on": consent.dated_on,
        "enrolled_on": person.enrolled_on,
        "imaging_date": _day(screening.answers.get("imaging_date")),
        "ethics_on_enrolment": "yes" if periods.covers(approvals, person.enrolled_on) else "no",
        "reconsent_by": _reconsent_by(study, person, consent, versions, today),
        "age_at_surgery": screening.age_at_surgery,
        "today": today,
    }
    return Case("participant", str(person.uuid), person.center_id, person.pk, facts, "studies.Participant", person.uuid)


def _reconsent_by(study: Study, person: Any, consent: Consent, versions: dict[int, Any], today: date) -> date | None:
    if consent.version_id is None or person.has_died or person.status == ParticipantStatus.WITHDRAWN:
        return None
    held = [versions[consent.version_id], *(versions[each.version_id] for each in consent.renewals.all())]
    newest = max(held, key=lambda version: version.valid_from)
    surgery = person.screening.surgery_date
    due = reconsent.due(newest, versions.values(), surgery=surgery, visits=study.protocol.visits, on=today)
    return due.by if due else None


def _day(answer: object) -> date | None:
    try:
        return date.fromisoformat(str(answer))
    except ValueError:
        return None
