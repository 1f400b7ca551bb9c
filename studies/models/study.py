"""A study, its centers, and who is what in it."""

import uuid
from datetime import date, datetime, timedelta

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies import dictionary
from studies.protocol import Protocol, load
from studies.vocabulary import CENTER_ROLES, STUDY_ROLES, Phase, Role, StudyKind


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
    dictionary_id = models.CharField(max_length=60)
    dictionary_version = models.CharField(max_length=20)
    dictionary_digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=20, choices=StudyKind, default=StudyKind.PROSPECTIVE)
    phase = models.CharField(max_length=20, choices=Phase, default=Phase.DRAFT)
    synthetic = models.BooleanField(default=False)
    accrual_from = models.DateField()
    accrual_until = models.DateField(null=True, blank=True)
    overrun_days = models.PositiveSmallIntegerField(default=0)
    clock_days = models.IntegerField(default=0)

    class Meta:
        verbose_name_plural = "studies"
        constraints = [
            models.CheckConstraint(
                name="study_known_phase",
                violation_error_message=_("A study is in one of its five phases."),
                condition=Q(phase__in=Phase.values),
            ),
            models.CheckConstraint(
                name="study_known_kind",
                violation_error_message=_("A study is prospective or retrospective."),
                condition=Q(kind__in=StudyKind.values),
            ),
            models.CheckConstraint(
                name="study_accrual_ends_after_it_begins",
                violation_error_message=_("Accrual ends on or after the day it begins."),
                condition=Q(accrual_until=None) | Q(accrual_until__gte=F("accrual_from")),
            ),
            models.CheckConstraint(
                name="study_clock_moves_only_if_synthetic",
                violation_error_message=_("Only the clock of a synthetic study can be moved."),
                condition=Q(synthetic=True) | Q(clock_days=0),
            ),
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

    @property
    def dictionary(self) -> dictionary.Dictionary:
        """The data dictionary this study records by. Raises DictionaryError when its file is gone or was edited in place."""
        return dictionary.load(self.dictionary_id, self.dictionary_version, self.dictionary_digest)

    def now(self) -> datetime:
        """The study's instant (UTC); only a synthetic study's clock can stand behind or ahead of the world's."""
        return timezone.now() + timedelta(days=self.clock_days)

    def today(self) -> date:
        """The study's local calendar date."""
        return timezone.localdate(self.now())

    def ledger_time(self) -> datetime | None:
        """The time to give to this study's chain: its own clock when synthetic, otherwise none, and the database's counts."""
        return self.now() if self.synthetic else None


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

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "code"], name="center_code_per_study", violation_error_message=_("This study has a center of that code.")
            ),
            models.CheckConstraint(
                name="center_code_two_digits",
                violation_error_message=_("A center code is two digits, such as 01."),
                condition=Q(code__regex=r"^[0-9]{2}$"),
            ),
            models.CheckConstraint(
                name="center_closes_after_it_opens",
                violation_error_message=_("A center closes on or after the day it opened."),
                condition=Q(closed_on=None) | Q(opened_on__isnull=False, closed_on__gte=F("opened_on")),
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

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    study = models.ForeignKey(Study, models.PROTECT, related_name="memberships")
    center = models.ForeignKey(Center, models.PROTECT, null=True, blank=True, related_name="memberships")
    role = models.CharField(max_length=30, choices=Role)
    since = models.DateField()
    until = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="membership_center_iff_center_role",
                violation_error_message=_("A center role is held at a center; a study role is held at none."),
                condition=Q(role__in=CENTER_ROLES, center__isnull=False) | Q(role__in=STUDY_ROLES, center=None),
            ),
            models.CheckConstraint(
                name="membership_ends_after_it_begins",
                violation_error_message=_("A role ends on or after the day it begins."),
                condition=Q(until=None) | Q(until__gte=F("since")),
            ),
            models.UniqueConstraint(
                fields=["user", "study", "role", "center"],
                condition=Q(until=None),
                nulls_distinct=False,
                name="membership_held_once",
                violation_error_message=_("This person holds the role already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"
