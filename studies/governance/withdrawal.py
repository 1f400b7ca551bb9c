"""What a withdrawal stops, and the erasure that one person asks for and another decides on (EN-04).

The levels: no more contact (a), no new data (b), erasure where the law demands it (c). Every level keeps the trail and the ledger. What
follows from an approved erasure on the side of the seals is done there; here stand the request, the decision and the stop of entry.
"""

from collections.abc import Iterable
from datetime import date

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import milestones
from studies.access import Permission, require
from studies.models import ErasureRequest, Participant
from studies.quality import no_identity
from studies.vocabulary import ErasureStatus, MilestoneKind, ParticipantStatus, Withdrawal


@transaction.atomic
def request_erasure(*, participant: Participant, legal_basis: str, reason: str, by: User) -> ErasureRequest:
    """Ask for the erasure of a participant's data, naming the law and the reason; a second person decides.

    Raises ValidationError without either or while a request waits, NotAllowedNow once it was approved.
    """
    require(by, Permission.WITHDRAW, participant.center)
    no_identity.refuse(legal_basis=legal_basis, reason=reason)
    if participant.withdrawal == Withdrawal.ERASE:
        raise NotAllowedNow(_("The erasure of this participant's data was approved before."))
    request = ErasureRequest(
        center=participant.center,
        participant=participant,
        legal_basis=legal_basis.strip(),
        reason=reason.strip(),
        requested_at=timezone.now(),
        requested_by=by,
    )
    with audit.act(by=by, action="erasure.requested", reason=reason, center=participant.center.code):
        save_checked(request)
    return request


@transaction.atomic
def decide_erasure(*, request: ErasureRequest, approve: bool, reason: str, by: User) -> ErasureRequest:
    """Approve or refuse an erasure that somebody else asked for; approved, nothing more is entered of the participant.

    Raises PermissionDenied for who asked, ValidationError without a reason, NotAllowedNow when it is decided already.
    """
    require(by, Permission.ERASURE_DECIDE, request.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why you decide so; the reason stays in the history.")})
    no_identity.refuse(reason=reason)
    with audit.act(by=by, action="erasure.decided", reason=reason, center=request.center.code):
        request = advance(request, ErasureStatus.APPROVED if approve else ErasureStatus.REFUSED)
        if request.requested_by_id == by.pk:
            raise PermissionDenied(_("You asked for this erasure; a second person decides on it."))
        request.decided_at, request.decided_by, request.decision = timezone.now(), by, reason.strip()
        save_checked(request)
        if approve:
            _stop(request.participant, by=by)
    return request


def check_entry(participant: Participant, *, days: Iterable[date], reason: str, field: str = "late_reason") -> None:
    """Refuse what a withdrawal stops: data dated after it (b, c); what is dated before it is taken late, with a reason.

    Raises NotAllowedNow for a later date, ValidationError for a missing reason.
    """
    end = participant.data_until
    if end is None:
        return
    later = [day for day in days if day > end]
    if later:
        raise NotAllowedNow(
            _("The participant withdrew on %(end)s and gives no new data: %(day)s lies after it.") % {"end": end, "day": min(later)}
        )
    if not reason.strip():
        raise ValidationError(
            {field: _("The participant withdrew on %(end)s. Say why data from before that day are entered now.") % {"end": end}}
        )


def check_contact(participant: Participant, day: date) -> None:
    """Refuse a contact after the day from which there was to be none (a). Raises NotAllowedNow."""
    end = participant.withdrawn_on
    if end is not None and day > end:
        raise NotAllowedNow(_("The participant asked on %(end)s not to be contacted any more.") % {"end": end})


def _stop(participant: Participant, *, by: User) -> None:
    participant = advance(participant, ParticipantStatus.WITHDRAWN)
    participant.withdrawn_on = participant.withdrawn_on or participant.study.today()
    participant.withdrawal = Withdrawal.ERASE
    save_checked(participant)
    milestones.record(participant=participant, kind=MilestoneKind.WITHDRAWN, on=participant.withdrawn_on, by=by)
