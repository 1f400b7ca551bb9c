"""Recording visits, assessments, the first recurrence, death and contacts."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from followup import entry
from followup.models import Assessment, Contact, Death, Recurrence
from followup.partial_date import PartialDate
from followup.vocabulary import Channel, Place, Vital
from studies import milestones
from studies.governance import withdrawal
from studies.models import Participant


@transaction.atomic
def record_assessment(
    *,
    participant: Participant,
    on: date,
    modality: str,
    adequate: bool,
    finding: str,
    by: User,
    visit: str = "",
    place: str = Place.HERE,
    late_reason: str = "",
) -> Assessment:
    """Record one look for recurrence, at a planned visit (its code) or between visits. Out-of-window visits stay valid (EP-07)."""
    entry.check_day(participant, on, "on")
    if visit and visit not in {planned.code for planned in participant.study.protocol.visits}:
        raise ValidationError({"visit": _("The protocol has no visit “%(visit)s”.") % {"visit": visit}})
    row = Assessment(participant=participant, visit=visit, on=on, modality=modality, adequate=adequate, finding=finding, place=place)
    with entry.writing(participant=participant, by=by, action="visit.recorded", permission=entry.VISIT, late_reason=late_reason):
        entry.insert(row, by=by)
        if visit:
            milestones.record(participant=participant, kind="visit_done", on=on, by=by, ref=row.uuid)
    return row


@transaction.atomic
def record_recurrence(
    *,
    participant: Participant,
    first_seen_on: date,
    site: str,
    modality: str,
    by: User,
    confirmed_on: date | None = None,
    number: str = "",
    pattern: str = "",
    confirmed_by: str = "",
    late_reason: str = "",
) -> Recurrence:
    """Record the first recurrence: the day it was first seen, and the day it was confirmed, by what, where it has been (EP-02)."""
    entry.check_day(participant, first_seen_on, "first_seen_on")
    if confirmed_on is not None:
        entry.check_day(participant, confirmed_on, "confirmed_on")
    row = Recurrence(participant=participant, first_seen_on=first_seen_on, confirmed_on=confirmed_on, site=site, modality=modality)
    row.number, row.pattern, row.confirmed_by = number, pattern, confirmed_by
    with entry.writing(participant=participant, by=by, action="recurrence.recorded", permission=entry.EVENT, late_reason=late_reason):
        entry.insert(row, by=by)
        milestones.record(participant=participant, kind="recurrence", on=first_seen_on, by=by, ref=row.uuid)
    return row


@transaction.atomic
def record_death(*, participant: Participant, on: str, cause: str, by: User, source: str = "", late_reason: str = "") -> Death:
    """Record a death, known to the month at least (EP-09). Raises ValidationError when something is dated after it (EP-10)."""
    entry.check_partial(participant, on, "on")
    last_day = PartialDate.parse(on).latest
    later = latest_sign_of_life(participant)
    if later is not None and later > last_day:
        raise ValidationError({"on": _("The participant was seen on %(later)s, after this death. Check both dates.") % {"later": later}})
    row = Death(participant=participant, on=on, cause=cause, source=source)
    with entry.writing(participant=participant, by=by, action="death.recorded", permission=entry.EVENT, late_reason=late_reason):
        entry.insert(row, by=by)
        milestones.record(participant=participant, kind="death", on=PartialDate.parse(on).earliest, by=by, ref=row.uuid)
    return row


@transaction.atomic
def record_contact(
    *, participant: Participant, on: date, outcome: str, by: User, channel: str = Channel.CALL, vital: str = "", late_reason: str = ""
) -> Contact:
    """Record an attempt to learn how the participant is, and what came of it; each attempt is a row (EP-11).

    A register may be asked after a withdrawal from contact; for anything else NotAllowedNow is raised then (EN-04).
    """
    entry.check_day(participant, on, "on", may_follow_death=vital == Vital.DEAD)
    if channel != Channel.REGISTRY:
        withdrawal.check_contact(participant, on)
    row = Contact(participant=participant, on=on, outcome=outcome, channel=channel, vital=vital)
    with entry.writing(participant=participant, by=by, action="contact.recorded", permission=entry.VISIT, late_reason=late_reason):
        return entry.insert(row, by=by)


def latest_sign_of_life(participant: Participant) -> date | None:
    """The last day on which somebody looked at the participant."""
    days = Assessment.objects.in_force().filter(participant=participant).order_by("-on").values_list("on", flat=True)
    return days.first()
