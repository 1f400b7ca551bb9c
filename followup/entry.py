"""What every write of this room shares: who may, which dates are impossible, how a row is saved and voided.

Impossible chronologies are refused with a sentence (EP-10); everything else is taken. Nothing here asks about a seal: the
entry of treatment is never blocked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TypeVar

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from followup.models import Death, Entry, NoAdjuvantDeclaration, TreatmentCourse
from followup.partial_date import PartialDate
from followup.vocabulary import Intent
from studies import access, milestones
from studies.governance import withdrawal
from studies.locking.holding import stand_in_line
from studies.models import Participant
from studies.quality import checking, no_identity
from studies.vocabulary import MilestoneKind, StudyKind

E = TypeVar("E", bound=Entry)

TREATMENT = "treatment.enter"
VISIT = "visit.enter"
EVENT = "event.enter"


def check_day(participant: Participant, on: date, field: str, *, may_follow_death: bool = False) -> None:
    """Refuse a day before surgery, in the future of the study's clock, or after the recorded death (EP-10)."""
    surgery = participant.screening.surgery_date
    if on < surgery:
        raise ValidationError({field: _("%(on)s is before the surgery on %(surgery)s. Check both dates.") % {"on": on, "surgery": surgery}})
    today = participant.study.today()
    if on > today:
        raise ValidationError({field: _("%(on)s is in the future; today is %(today)s.") % {"on": on, "today": today}})
    death = None if may_follow_death else Death.objects.in_force().filter(participant=participant).first()
    if death is not None and on > PartialDate.parse(death.on).latest:
        raise ValidationError(
            {field: _("%(on)s is after the death recorded on %(death)s. Check both dates.") % {"on": on, "death": death.on}}
        )
    check_withdrawal(participant, on)


def check_withdrawal(participant: Participant, on: date) -> None:
    """Refuse a day after a withdrawal from new data (EN-04); whether a reason is given is asked by `writing`."""
    withdrawal.check_entry(participant, days=[on], reason="asked below")


def check_partial(participant: Participant, text: str, field: str) -> None:
    """The same for a date that may stop at the month or year: some day of it must be possible."""
    try:
        given = PartialDate.parse(text)
    except ValueError:
        raise ValidationError({field: _("Write the date as 2026-05-03, or 2026-05 or 2026 when the rest is not known.")}) from None
    check_day(participant, min(max(given.earliest, participant.screening.surgery_date), given.latest), field)


@contextmanager
def writing(*, participant: Participant, by: User, action: str, permission: str, late_reason: str = "") -> Iterator[None]:
    """The frame of one write: the permission is asked, the actor named; must stand in the caller's transaction.

    `late_reason` says why data of somebody who withdrew from new data are entered afterwards (EN-04).
    """
    access.require(by, permission, participant.center)
    withdrawal.check_entry(participant, days=(), reason=late_reason)
    no_identity.refuse(late_reason=late_reason)
    stand_in_line(participant.pk)
    with audit.act(by=by, action=action, reason=late_reason, center=participant.center.code):
        yield


def insert(row: E, *, by: User) -> E:
    """Check one new row and save it."""
    row.recorded_at, row.recorded_by = timezone.now(), by
    no_identity.refuse(**{field: getattr(row, field) for field in ("source", "drug") if hasattr(row, field)})
    save_checked(row)
    checking.on_saved(row.participant)
    return row


@transaction.atomic
def void(*, row: E, reason: str, by: User, permission: str = EVENT) -> E:
    """Mark a row as entered in error; it stays readable, with the reason, and no longer counts.

    Raises ValidationError without a reason and NotAllowedNow when it was voided before.
    """
    if not reason.strip():
        raise ValidationError({"reason": _("Say why this entry is wrong; the reason stays in the history.")})
    no_identity.refuse(reason=reason)
    access.require(by, permission, row.participant.center)
    stand_in_line(row.participant_id)
    fresh = type(row).objects.select_for_update(of=("self",)).get(pk=row.pk)
    if fresh.voided_at is not None:
        raise NotAllowedNow(_("This entry was already marked as entered in error."))
    with audit.act(by=by, action=f"{fresh._meta.model_name}.voided", reason=reason, center=fresh.participant.center.code):
        for milestone in milestones.in_force().filter(participant=fresh.participant, ref_uuid=fresh.uuid):
            milestones.retract(milestone=milestone, by=by)
        fresh.voided_at, fresh.voided_by = timezone.now(), by
        fresh.save()
        if not accounted_for(fresh.participant):
            for milestone in milestones.in_force().filter(participant=fresh.participant, kind=MilestoneKind.WINDOW_CLOSED):
                milestones.retract(milestone=milestone, by=by)
    checking.on_saved(fresh.participant)
    return fresh


def accounted_for(participant: Participant) -> bool:
    """Whether something in force says what was given in the window: an adjuvant course, or the declaration that there was none (TX-05).

    Without either, silence would read as "nothing was given". What comes from a retrospective file is the file's own statement.
    """
    if participant.study.kind == StudyKind.RETROSPECTIVE:
        return True
    given = TreatmentCourse.objects.in_force().filter(participant=participant, intent=Intent.ADJUVANT)
    return given.exists() or NoAdjuvantDeclaration.objects.in_force().filter(participant=participant).exists()
