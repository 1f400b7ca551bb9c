"""Deviations from the protocol: found by a rule or reported by a person, assessed, and closed with what was done about it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.models.study import Center
from studies.vocabulary import DeviationCategory, DeviationStatus

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class Deviation(models.Model):
    """One deviation. `record`, `record_uuid` and `field` point at what deviates, as text, so that every room is served.

    `key` names the case that a rule found: the same case is raised once, however often the rule looks. `kind` is the code of the rule,
    or of the list that people choose from; `rules_version` the version of the rules it was raised by.
    """

    TRANSITIONS = {
        DeviationStatus.OPEN: {DeviationStatus.ASSESSED},
        DeviationStatus.ASSESSED: {DeviationStatus.ASSESSED, DeviationStatus.CLOSED},
        DeviationStatus.CLOSED: {DeviationStatus.ASSESSED},
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="deviations")
    participant = models.ForeignKey(Participant, models.PROTECT, null=True, blank=True, related_name="deviations")
    kind = models.CharField(max_length=40)
    rules_version = models.CharField(max_length=20)
    key = models.CharField(max_length=120, null=True, blank=True)
    record = models.CharField(max_length=60, blank=True)
    record_uuid = models.UUIDField(null=True, blank=True)
    field = models.CharField(max_length=60, blank=True)
    description = models.CharField(max_length=1000, blank=True)
    occurred_on = models.DateField()
    detected_on = models.DateField()
    category = models.CharField(max_length=10, choices=DeviationCategory)
    cause = models.CharField(max_length=1000, blank=True)
    corrective = models.CharField(max_length=1000, blank=True)
    preventive = models.CharField(max_length=1000, blank=True)
    status = models.CharField(max_length=20, choices=DeviationStatus, default=DeviationStatus.OPEN)
    raised_at = models.DateTimeField()
    raised_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    assessed_at = models.DateTimeField(null=True, blank=True)
    assessed_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        triggers = [never_deleted()]
        indexes = [models.Index(fields=["center", "status"])]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "key"], name="deviation_raised_once", violation_error_message=_("This deviation is on record already.")
            ),
            models.CheckConstraint(
                name="deviation_found_or_reported",
                violation_error_message=_("A reported deviation is described; one found by a rule has its case."),
                condition=Q(key__isnull=False) | ~Q(description=""),
            ),
            models.CheckConstraint(
                name="deviation_known_category",
                violation_error_message=_("A deviation is minor or major."),
                condition=Q(category__in=DeviationCategory.values),
            ),
            models.CheckConstraint(
                name="deviation_detected_after_it_occurred",
                violation_error_message=_("A deviation is detected on or after the day it occurred."),
                condition=Q(detected_on__gte=models.F("occurred_on")),
            ),
            models.CheckConstraint(
                name="deviation_assessed_iff_by_someone",
                violation_error_message=_("An assessment names the cause and was made by someone, at some time."),
                condition=Q(status=DeviationStatus.OPEN, assessed_at=None, assessed_by=None)
                | (
                    Q(status__in=[DeviationStatus.ASSESSED, DeviationStatus.CLOSED], assessed_at__isnull=False, assessed_by__isnull=False)
                    & ~Q(cause="")
                ),
            ),
            models.CheckConstraint(
                name="deviation_closed_iff_by_someone",
                violation_error_message=_("A closed deviation says what was done and was closed by someone, at some time."),
                condition=(Q(status=DeviationStatus.CLOSED, closed_at__isnull=False, closed_by__isnull=False) & ~Q(corrective=""))
                | Q(status__in=[DeviationStatus.OPEN, DeviationStatus.ASSESSED], closed_at=None, closed_by=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.occurred_on}"
