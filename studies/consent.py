"""The signed consent form of a screened patient, or the ethics committee's waiver in its place (EN-03)."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow
from studies.access import Permission, require
from studies.models import Consent, Screening
from studies.vocabulary import ScreeningStatus


@transaction.atomic
def record(
    *,
    screening: Screening,
    by: User,
    form_version: str = "",
    signed_on: date | None = None,
    waiver_number: str = "",
    waived_on: date | None = None,
) -> Consent:
    """Record the signed form (version and date) or the waiver (number and date) of a screened patient.

    Raises ValidationError when neither or both are given, when the day lies ahead, or when one is recorded already.
    """
    require(by, Permission.CONSENT_RECORD, screening.center)
    consent = Consent(
        screening=screening,
        form_version=form_version,
        signed_on=signed_on,
        waiver_number=waiver_number,
        waived_on=waived_on,
        recorded_at=timezone.now(),
        recorded_by=by,
    )
    return _save(consent, by=by, action="consent.recorded")


@transaction.atomic
def correct(
    *,
    consent: Consent,
    reason: str,
    by: User,
    form_version: str = "",
    signed_on: date | None = None,
    waiver_number: str = "",
    waived_on: date | None = None,
) -> Consent:
    """Put right what was recorded, saying why; before enrolment only. Raises NotAllowedNow after it."""
    require(by, Permission.CONSENT_RECORD, consent.screening.center)
    screening = Screening.objects.select_for_update(no_key=True).get(pk=consent.screening_id)
    if screening.status == ScreeningStatus.ENROLLED:
        raise NotAllowedNow(_("Enrolment was decided on this consent; report a protocol deviation instead of changing it."))
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    consent.form_version, consent.signed_on = form_version, signed_on
    consent.waiver_number, consent.waived_on = waiver_number, waived_on
    return _save(consent, by=by, action="consent.corrected", reason=reason)


def _save(consent: Consent, *, by: User, action: str, reason: str = "") -> Consent:
    with audit.act(by=by, action=action, reason=reason):
        consent.full_clean()
        if consent.dated_on > consent.screening.center.study.today():
            raise ValidationError(_("The consent is dated in the future."), code="future")
        consent.save()
    return consent
