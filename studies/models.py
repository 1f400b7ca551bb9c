"""Studies, centers, people's roles, the screening log, consent, participants and their milestones.

Every row is written by the functions of `setup`, `screening`, `consent`, `enrollment`, `withdrawal` and `milestones`, and
by nothing else. What must never be false is a constraint here, or, where Django has no word for it, in migration 0002.
"""

import uuid
from datetime import date, timedelta
from typing import cast

import pgtrigger
from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language

from accounts import audit
from studies.protocol import Protocol, load
from studies.vocabulary import (
    CENTER_MILESTONES,
    CENTER_ROLES,
    PARTICIPANT_MILESTONES,
    STUDY_ROLES,
    MilestoneKind,
    ParticipantStatus,
    Phase,
    Role,
    ScreeningStatus,
    Sex,
    Withdrawal,
)

USER = settings.AUTH_USER_MODEL


def never_deleted() -> pgtrigger.Trigger:
    """A number once given stays given: the row may change, it may not go (EN-02)."""
    return pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)


@audit.tracked()
class Study(models.Model):
    """One study: which version of which protocol it follows, and where it stands."""

    TRANSITIONS = {
        Phase.DRAFT: {Phase.ACCRUAL},
        Phase.ACCRUAL: {Phase.FOLLOW_UP},
        Phase.FOLLOW_UP: {Phase.LOCKED},
        Phase.LOCKED: {Phase.PUBLISHED},
        Phase.PUBLISHED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    code = models.CharField(max_length=40, unique=True, validators=[RegexValidator(r"^[A-Z0-9][A-Z0-9-]*\Z")])
    title_zh = models.CharField(max_length=300)
    title_en = models.CharField(max_length=300)
    protocol_id = models.CharField(max_length=60)
    protocol_version = models.CharField(max_length=20)
    protocol_digest = models.CharField(max_length=64)
    phase = models.CharField(max_length=20, choices=Phase, default=Phase.DRAFT)
    synthetic = models.BooleanField(default=False)
    accrual_from = models.DateField()
    accrual_until = models.DateField(null=True, blank=True)
    overrun_days = models.PositiveSmallIntegerField(default=0)
    clock_days = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(name="study_known_phase", condition=Q(phase__in=Phase.values)),
            models.CheckConstraint(
                name="study_accrual_ends_after_it_begins", condition=Q(accrual_until=None) | Q(accrual_until__gte=F("accrual_from"))
            ),
            models.CheckConstraint(name="study_clock_moves_only_if_synthetic", condition=Q(synthetic=True) | Q(clock_days=0)),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def title(self) -> str:
        return self.title_zh if (get_language() or "").startswith("zh") else self.title_en

    @property
    def protocol(self) -> Protocol:
        """The protocol version this study follows. Raises ProtocolError when its file is gone or was edited in place."""
        return load(self.protocol_id, self.protocol_version, self.protocol_digest)

    def today(self) -> date:
        """The study's local calendar date; only a synthetic study's clock can run ahead of the world's."""
        return timezone.localdate() + timedelta(days=self.clock_days)


@audit.tracked()
class Center(models.Model):
    """A hospital of one study; `code` is the first part of its study numbers."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="centers")
    code = models.CharField(max_length=2, validators=[RegexValidator(r"^[0-9]{2}\Z")])
    name_zh = models.CharField(max_length=200)
    name_en = models.CharField(max_length=200)
    opened_on = models.DateField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    ethics_number = models.CharField(max_length=100, blank=True)
    ethics_from = models.DateField(null=True, blank=True)
    ethics_until = models.DateField(null=True, blank=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["study", "code"], name="center_code_per_study"),
            models.CheckConstraint(name="center_code_two_digits", condition=Q(code__regex=r"^[0-9]{2}$")),
            models.CheckConstraint(
                name="center_closes_after_it_opens", condition=Q(closed_on=None) | Q(opened_on__isnull=False, closed_on__gte=F("opened_on"))
            ),
            models.CheckConstraint(
                name="center_ethics_complete",
                violation_error_message="An ethics approval has a number, a first and a last day.",
                condition=Q(ethics_number="", ethics_from=None, ethics_until=None)
                | (~Q(ethics_number="") & Q(ethics_from__isnull=False, ethics_until__gte=F("ethics_from"))),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def name(self) -> str:
        return self.name_zh if (get_language() or "").startswith("zh") else self.name_en


@audit.tracked()
class Membership(models.Model):
    """A person's role in a study, at one center or, for study roles, over all of them; `until` is its last day."""

    user = models.ForeignKey(USER, models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, models.PROTECT, related_name="memberships")
    center = models.ForeignKey(Center, models.PROTECT, null=True, blank=True, related_name="memberships")
    role = models.CharField(max_length=30, choices=Role)
    since = models.DateField()
    until = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="membership_center_iff_center_role",
                violation_error_message="A center role is held at a center; a study role is held at none.",
                condition=Q(role__in=CENTER_ROLES, center__isnull=False) | Q(role__in=STUDY_ROLES, center=None),
            ),
            models.CheckConstraint(name="membership_ends_after_it_begins", condition=Q(until=None) | Q(until__gte=F("since"))),
            models.UniqueConstraint(
                fields=["user", "study", "role", "center"], condition=Q(until=None), nulls_distinct=False, name="membership_held_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


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
            models.CheckConstraint(name="screening_number_from_one", condition=Q(number__gte=1)),
            models.CheckConstraint(name="screening_known_sex", condition=Q(sex__in=Sex.values)),
            models.CheckConstraint(name="screening_age_of_a_person", condition=Q(age_at_surgery=None) | Q(age_at_surgery__lte=120)),
            models.CheckConstraint(name="screening_after_surgery", condition=Q(screened_on__gte=F("surgery_date"))),
            models.CheckConstraint(
                name="screening_reason_iff_excluded",
                violation_error_message="A patient who is not enrolled has a reason, and nobody else has one.",
                condition=(Q(status=ScreeningStatus.EXCLUDED) & ~Q(exclusion_reason=""))
                | Q(status__in=[ScreeningStatus.SCREENED, ScreeningStatus.ENROLLED], exclusion_reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.center.code}-S{self.number:04d}"


@audit.tracked()
class Consent(models.Model):
    """The signed form, or the ethics committee's waiver in its place; exactly one of the two."""

    screening = models.OneToOneField(Screening, models.PROTECT, related_name="consent")
    form_version = models.CharField(max_length=40, blank=True)
    signed_on = models.DateField(null=True, blank=True)
    waiver_number = models.CharField(max_length=100, blank=True)
    waived_on = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="consent_signed_or_waived",
                violation_error_message="Record the signed form with its version and date, or the waiver with its number and date.",
                condition=(~Q(form_version="") & Q(signed_on__isnull=False, waiver_number="", waived_on=None))
                | (Q(form_version="", signed_on=None, waived_on__isnull=False) & ~Q(waiver_number="")),
            )
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
        ParticipantStatus.WITHDRAWN: set(),
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
            models.CheckConstraint(name="participant_study_number_form", condition=Q(study_number__regex=r"^[0-9]{2}-[0-9]{4}-[0-9]{2}$")),
            models.CheckConstraint(
                name="participant_withdrawn_iff_dated",
                violation_error_message="A withdrawal has a day and says how far it goes.",
                condition=Q(status=ParticipantStatus.ENROLLED, withdrawal="", withdrawn_on=None)
                | Q(status=ParticipantStatus.WITHDRAWN, withdrawal__in=Withdrawal.values, withdrawn_on__gte=F("enrolled_on")),
            ),
        ]

    def __str__(self) -> str:
        return self.study_number


@audit.tracked()
class Milestone(models.Model):
    """A dated fact of a participant or a center, written by the rooms above and never changed (docs/formats.md j).

    A row in `cancels` is out of force; a retraction takes it out without putting another in its place. `sealed` carries the
    batch date and nothing else: no reference and no link that could lead to a prediction.
    """

    participant = models.ForeignKey(Participant, models.PROTECT, null=True, blank=True, related_name="milestones")
    center = models.ForeignKey(Center, models.PROTECT, null=True, blank=True, related_name="milestones")
    kind = models.CharField(max_length=30, choices=MilestoneKind)
    on = models.DateField()
    ref_uuid = models.UUIDField(null=True, blank=True)
    url_name = models.CharField(max_length=100, blank=True)
    cancels = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="cancelled_by")
    retraction = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        indexes = [models.Index(fields=["participant", "on"]), models.Index(fields=["center", "on"])]
        constraints = [
            models.CheckConstraint(
                name="milestone_kind_fits_its_subject",
                condition=Q(participant__isnull=False, center=None, kind__in=PARTICIPANT_MILESTONES)
                | Q(participant=None, center__isnull=False, kind__in=CENTER_MILESTONES),
            ),
            models.CheckConstraint(
                name="milestone_sealed_leads_nowhere",
                violation_error_message="“Sealed” carries the batch date only.",
                condition=~Q(kind=MilestoneKind.SEALED) | Q(ref_uuid=None, url_name=""),
            ),
            models.CheckConstraint(name="milestone_retraction_cancels", condition=Q(retraction=False) | Q(cancels__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.on}"
