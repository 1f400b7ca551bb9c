"""Ethics periods and approved versions of the consent form: which day is covered, and which version may be signed on it (EN-03)."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies import milestones
from studies.access import Permission, require_operator
from studies.models import Center, ConsentVersion, EthicsApproval
from studies.vocabulary import EthicsKind, MilestoneKind, Resigning


@transaction.atomic
def file_approval(
    *, center: Center, number: str, valid_from: date, valid_until: date, by: User, kind: str = EthicsKind.INITIAL
) -> EthicsApproval:
    """File an approval of a center's ethics committee; what was filed before stays, and the periods add up."""
    require_operator(by, Permission.CENTER_MANAGE, center)
    approval = EthicsApproval(center=center, kind=kind, number=number, valid_from=valid_from, valid_until=valid_until)
    approval.recorded_at, approval.recorded_by = timezone.now(), by
    with audit.act(by=by, action="center.ethics_filed", center=center.code):
        save_checked(approval)
        milestones.record(center=center, kind=MilestoneKind.GATE_DOCUMENT, on=valid_from, by=by, ref=approval.uuid)
    return approval


@transaction.atomic
def end_approval(*, approval: EthicsApproval, last_day: date, reason: str, by: User) -> EthicsApproval:
    """End an approval before its time (suspended, replaced), saying why. Raises ValidationError for a day outside its period."""
    require_operator(by, Permission.CENTER_MANAGE, approval.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    approval = EthicsApproval.objects.select_for_update(of=("self",)).select_related("center").get(pk=approval.pk)
    if not approval.valid_from <= last_day <= approval.valid_until:
        raise ValidationError({"last_day": _("This approval runs from %(from)s to %(until)s; choose a day within.") % _days(approval)})
    approval.valid_until = last_day
    with audit.act(by=by, action="center.ethics_ended", reason=reason, center=approval.center.code):
        save_checked(approval)
    return approval


@transaction.atomic
def approve_version(
    *,
    center: Center,
    code: str,
    approval: EthicsApproval,
    valid_from: date,
    by: User,
    reconsent: str = Resigning.NONE,
    reconsent_by: date | None = None,
    covers_earlier: bool = True,
) -> ConsentVersion:
    """Put an approved version of the consent form on file; from its first day on it may be signed.

    `reconsent` says whether who signed an older one signs this one too. Raises ValidationError where the approval is another center's or
    does not cover the first day.
    """
    require_operator(by, Permission.CENTER_MANAGE, center)
    if approval.center_id != center.pk or not approval.valid_from <= valid_from <= approval.valid_until:
        raise ValidationError({"valid_from": _("The ethics approval %(number)s does not cover that day.") % {"number": approval.number}})
    version = ConsentVersion(
        center=center,
        code=code.strip(),
        approval=approval,
        valid_from=valid_from,
        reconsent=reconsent,
        reconsent_by=reconsent_by,
        covers_earlier=covers_earlier,
        recorded_at=timezone.now(),
        recorded_by=by,
    )
    with audit.act(by=by, action="center.consent_version", center=center.code):
        save_checked(version)
    return version


@transaction.atomic
def retire_version(*, version: ConsentVersion, last_day: date, reason: str, by: User) -> ConsentVersion:
    """Let nobody sign a version after a day any more, saying why; who signed it has signed it."""
    require_operator(by, Permission.CENTER_MANAGE, version.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    version = ConsentVersion.objects.select_for_update(of=("self",)).select_related("center").get(pk=version.pk)
    version.valid_until = last_day
    with audit.act(by=by, action="center.consent_version_retired", reason=reason, center=version.center.code):
        save_checked(version)
    return version


def covering(center: Center, day: date) -> QuerySet[EthicsApproval]:
    """The approvals that cover a day at a center."""
    return EthicsApproval.objects.filter(center=center, valid_from__lte=day, valid_until__gte=day)


def no_cover(center: Center, day: date) -> list[str]:
    """The sentence where no approval covers a day at a center, or nothing."""
    if covering(center, day).exists():
        return []
    return [_("No ethics approval of center %(center)s covers %(day)s; renew it first.") % {"center": center, "day": day}]


def versions_on(center: Center, day: date) -> QuerySet[ConsentVersion]:
    """The versions that may be signed at a center on a day, newest last."""
    return ConsentVersion.objects.filter(Q(valid_until=None) | Q(valid_until__gte=day), center=center, valid_from__lte=day)


def version_to_sign(center: Center, code: str, day: date) -> ConsentVersion:
    """The version of that name, where it may be signed on that day. Raises ValidationError naming those that may."""
    valid = list(versions_on(center, day))
    for version in valid:
        if version.code == code.strip():
            return version
    words = {"code": code, "day": day, "valid": ", ".join(version.code for version in valid) or "–"}
    raise ValidationError(
        {"form_version": _("“%(code)s” is no version that could be signed here on %(day)s. Approved on that day: %(valid)s.") % words}
    )


def _days(approval: EthicsApproval) -> dict[str, date]:
    return {"from": approval.valid_from, "until": approval.valid_until}
