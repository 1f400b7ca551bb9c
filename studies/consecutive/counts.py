"""The monthly count of resections that a center reports, and its correction."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies.access import Permission, require
from studies.locking.standing import check_study_open
from studies.models import Center, SurgeryCount
from studies.screening import lock


@transaction.atomic
def report(*, center: Center, month: date, resections: int, by: User, reason: str = "") -> SurgeryCount:
    """Say how many HCC resections the center did in a month (any day of it); said again otherwise, it needs a reason.

    Raises ValidationError for a month that has not begun or before the center opened, or for a change without reason.
    """
    require(by, Permission.SURGERIES_REPORT, center)
    center = lock(center)
    first = month.replace(day=1)
    _check(center, first)
    known = SurgeryCount.objects.filter(center=center, month=first).first()
    if known is not None and known.resections == resections:
        return known
    if known is not None and not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    count = known or SurgeryCount(center=center, month=first)
    count.resections, count.reported_at, count.reported_by = resections, timezone.now(), by
    with audit.act(by=by, action="surgeries.corrected" if known else "surgeries.reported", reason=reason):
        save_checked(count)
    return count


def _check(center: Center, first: date) -> None:
    check_study_open(center.study)
    if first > center.study.today():
        raise ValidationError({"month": _("This month has not begun.")})
    if first < (center.opened_on or center.study.accrual_from).replace(day=1):
        raise ValidationError({"month": _("The center was not open in this month.")})
