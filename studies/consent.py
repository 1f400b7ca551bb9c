"""The signed consent form of a screened patient, or the ethics committee's waiver in its place (EN-03), and newer versions signed later."""

from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from studies.access import Permission, require
from studies.governance import ethics
from studies.models import Consent, Reconsent, Screening
from studies.vocabulary import ParticipantStatus, ScreeningStatus


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

    Raises ValidationError when neither or both are given, when the day lies ahead or outside every ethics period, when the version was
    not to be signed that day, or when one is recorded already.
    """
    require(by, Permission.CONSENT_RECORD, screening.center)
    consent = Consent(
        screening=screening,
        form_version=form_version.strip(),
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
    consent.form_version, consent.signed_on = form_version.strip(), signed_on
    consent.waiver_number, consent.waived_on = waiver_number, waived_on
    return _save(consent, by=by, action="consent.corrected", reason=reason)


@transaction.atomic
def renew(*, consent: Consent, form_version: str, signed_on: date, by: User) -> Reconsent:
    """Record that a patient signed a newer version of the form; the first consent stays as it was.

    Raises ValidationError for a day ahead, before the first consent or outside every ethics period, and for a version that was not to be
    signed that day; NotAllowedNow for who has withdrawn.
    """
    screening = Screening.objects.select_related("center__study", "participant").get(pk=consent.screening_id)
    require(by, Permission.CONSENT_RECORD, screening.center)
    participant = getattr(screening, "participant", None)
    if participant is not None and participant.status == ParticipantStatus.WITHDRAWN:
        raise NotAllowedNow(_("The participant has withdrawn and is asked for no further consent."))
    _check_day(screening, signed_on, "signed_on")
    if signed_on < consent.dated_on:
        raise ValidationError(
            {"signed_on": _("The first consent is dated %(first)s; this one is signed later.") % {"first": consent.dated_on}}
        )
    version = ethics.version_to_sign(screening.center, form_version, signed_on)
    if version == consent.version:
        raise ValidationError({"form_version": _("This version is recorded as signed already.")})
    renewed = Reconsent(consent=consent, version=version, signed_on=signed_on, recorded_at=timezone.now(), recorded_by=by)
    with audit.act(by=by, action="consent.renewed", center=screening.center.code):
        save_checked(renewed)
    return renewed


def _save(consent: Consent, *, by: User, action: str, reason: str = "") -> Consent:
    with audit.act(by=by, action=action, reason=reason):
        consent.full_clean()
        center = consent.screening.center
        _check_day(consent.screening, consent.dated_on, "signed_on" if consent.signed_on else "waived_on")
        consent.version = ethics.version_to_sign(center, consent.form_version, consent.dated_on) if consent.signed_on else None
        consent.save()
    return consent


def _check_day(screening: Screening, day: date, field: str) -> None:
    if day > screening.center.study.today():
        raise ValidationError({field: _("The consent is dated in the future.")}, code="future")
    if reasons := ethics.no_cover(screening.center, day):
        raise ValidationError({field: reasons})
