"""The screening log, consent, and the participants that come of it."""

import uuid
from datetime import date
from typing import cast

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.study import Center, Study
from studies.vocabulary import Origin, ParticipantStatus, ScreeningStatus, Sex, Withdrawal

USER = settings.AUTH_USER_MODEL


def never_deleted() -> pgtrigger.Trigger:
    """A number once given stays given: the row may change, it may not go (EN-02)."""
    return pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)


@audit.tracked()
class Screening(models.Model):
    """One line of a center's screening log: a resection that was looked at, whether or not it was enrolled (EN-01).

    `answers` are the coordinator's attestations (code → "yes", "no", "unknown" or an ISO date), `eligibility` is the last
    evaluation with the protocol version it was made by. There is no birth date: see `screening.screen`.
    """

    TRANSITIONS = {
        ScreeningStatus.SCREENED: {ScreeningStatus.ENROLLED, ScreeningStatus.EXCLUDED},
        ScreeningStatus.EXCLUDED: {ScreeningStatus.SCREENED},
        ScreeningStatus.ENROLLED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="screenings")
    number = models.PositiveIntegerField()
    row_token = models.CharField(max_length=64, null=True, blank=True)
    origin = models.CharField(max_length=10, choices=Origin, default=Origin.PAGE)
    screened_on = models.DateField()
    surgery_date = models.DateField()
    age_at_surgery = models.PositiveSmallIntegerField(null=True, blank=True)
    sex = models.CharField(max_length=1, choices=Sex, default=Sex.UNKNOWN)
    answers = models.JSONField(default=dict, blank=True)
    eligibility = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=ScreeningStatus, default=ScreeningStatus.SCREENED)
    exclusion_reason = models.CharField(max_length=40, blank=True)
    screened_at = models.DateTimeField()
    screened_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["center__code", "number"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(fields=["center", "number"], name="screening_number_per_center"),
            models.UniqueConstraint(fields=["center", "row_token"], name="screening_row_token_per_center"),
            models.CheckConstraint(
                name="screening_number_from_one", violation_error_message=_("Screening numbers begin with 1."), condition=Q(number__gte=1)
            ),
            models.CheckConstraint(
                name="screening_edge_has_token",
                violation_error_message=_("A line comes from this page, or from the operating list with the token of its row."),
                condition=Q(origin=Origin.PAGE) | (Q(origin=Origin.EDGE) & ~Q(row_token=None) & ~Q(row_token="")),
            ),
            models.CheckConstraint(
                name="screening_known_sex", violation_error_message=_("Sex is male, female or unknown."), condition=Q(sex__in=Sex.values)
            ),
            models.CheckConstraint(
                name="screening_age_of_a_person",
                violation_error_message=_("An age at surgery is at most 120 years."),
                condition=Q(age_at_surgery=None) | Q(age_at_surgery__lte=120),
            ),
            models.CheckConstraint(
                name="screening_after_surgery",
                violation_error_message=_("A patient is screened after surgery and not in the future."),
                condition=Q(screened_on__gte=F("surgery_date")),
            ),
            models.CheckConstraint(
                name="screening_reason_iff_excluded",
                violation_error_message=_("A patient who is not enrolled has a reason, and nobody else has one."),
                condition=(Q(status=ScreeningStatus.EXCLUDED) & ~Q(exclusion_reason=""))
                | Q(status__in=[ScreeningStatus.SCREENED, ScreeningStatus.ENROLLED], exclusion_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.center.code}-S{self.number:04d}"


@audit.tracked()
class Consent(models.Model):
    """The signed form, or the ethics committee's waiver in its place; exactly one of the two.

    The first consent of a patient, by which enrolment is decided; versions signed later are `Reconsent` rows. `form_version` is the code
    of the approved `version` that was signed.
    """

    screening = models.OneToOneField(Screening, models.PROTECT, related_name="consent")
    form_version = models.CharField(max_length=40, blank=True)
    version = models.ForeignKey("studies.ConsentVersion", models.PROTECT, null=True, blank=True, related_name="consents")
    signed_on = models.DateField(null=True, blank=True)
    waiver_number = models.CharField(max_length=100, blank=True)
    waived_on = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="consent_signed_or_waived",
                violation_error_message=_("Record the signed form with its version and date, or the waiver with its number and date."),
                condition=(~Q(form_version="") & Q(signed_on__isnull=False, waiver_number="", waived_on=None))
                | (Q(form_version="", signed_on=None, waived_on__isnull=False) & ~Q(waiver_number="")),
            ),
            models.CheckConstraint(
                name="consent_version_of_a_signature",
                violation_error_message=_("A waiver has no version of the form."),
                condition=Q(version=None) | ~Q(form_version=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.screening} {self.dated_on}"

    @property
    def dated_on(self) -> date:
        """The day from which the patient counts as consented, by signature or by waiver."""
        return cast(date, self.signed_on or self.waived_on)


@audit.tracked()
class Participant(models.Model):
    """An enrolled patient, known here by a study number only. `eligibility` is the snapshot that enrolment was decided on."""

    TRANSITIONS = {
        ParticipantStatus.ENROLLED: {ParticipantStatus.WITHDRAWN},
        ParticipantStatus.WITHDRAWN: {ParticipantStatus.WITHDRAWN},  # a withdrawal may be extended, never taken back
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="participants")
    center = models.ForeignKey(Center, models.PROTECT, related_name="participants")
    screening = models.OneToOneField(Screening, models.PROTECT, related_name="participant")
    sequence = models.PositiveIntegerField()
    study_number = models.CharField(max_length=10)
    eligibility = models.JSONField()
    status = models.CharField(max_length=20, choices=ParticipantStatus, default=ParticipantStatus.ENROLLED)
    enrolled_on = models.DateField()
    enrolled_at = models.DateTimeField()
    enrolled_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    withdrawal = models.CharField(max_length=20, choices=Withdrawal, blank=True)
    withdrawn_on = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["center__code", "sequence"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(fields=["study", "study_number"], name="participant_study_number"),
            models.UniqueConstraint(fields=["center", "sequence"], name="participant_sequence_per_center"),
            models.CheckConstraint(
                name="participant_study_number_form",
                violation_error_message=_("A study number looks like 01-0007-50."),
                condition=Q(study_number__regex=r"^[0-9]{2}-[0-9]{4}-[0-9]{2}$"),
            ),
            models.CheckConstraint(
                name="participant_withdrawn_iff_dated",
                violation_error_message=_("A withdrawal has a day and says how far it goes."),
                condition=Q(status=ParticipantStatus.ENROLLED, withdrawal="", withdrawn_on=None)
                | Q(status=ParticipantStatus.WITHDRAWN, withdrawal__in=Withdrawal.values, withdrawn_on__gte=F("enrolled_on")),
            ),
        ]

    def __str__(self) -> str:
        return self.study_number

    @property
    def data_until(self) -> date | None:
        """The last day of which data may be entered, where a withdrawal set one (EN-04 b, c)."""
        return None if self.withdrawal in ("", Withdrawal.NO_CONTACT) else self.withdrawn_on
