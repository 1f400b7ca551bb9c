"""The request to erase a participant's data where the law demands it, and who decided on it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.models.study import Center
from studies.vocabulary import ErasureStatus

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class ErasureRequest(models.Model):
    """One asks, another decides (EN-04 c); the request outlives what is erased and carries nothing of it."""

    TRANSITIONS = {
        ErasureStatus.REQUESTED: {ErasureStatus.APPROVED, ErasureStatus.REFUSED},
        ErasureStatus.APPROVED: set(),
        ErasureStatus.REFUSED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="erasure_requests")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="erasure_requests")
    legal_basis = models.CharField(max_length=200)
    reason = models.CharField(max_length=500)
    status = models.CharField(max_length=20, choices=ErasureStatus, default=ErasureStatus.REQUESTED)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")
    decision = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["requested_at", "pk"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(
                fields=["participant"],
                condition=Q(status=ErasureStatus.REQUESTED),
                name="erasure_asked_once_at_a_time",
                violation_error_message=_("Erasure was asked for already and waits for a decision."),
            ),
            models.CheckConstraint(
                name="erasure_decided_by_another",
                violation_error_message=_("Who asked for the erasure cannot decide on it."),
                condition=Q(decided_by=None) | ~Q(decided_by=F("requested_by")),
            ),
            models.CheckConstraint(
                name="erasure_decided_iff_by_someone",
                violation_error_message=_("A decision was made by someone, at some time, for a reason."),
                condition=Q(status=ErasureStatus.REQUESTED, decided_at=None, decided_by=None, decision="")
                | (
                    Q(status__in=[ErasureStatus.APPROVED, ErasureStatus.REFUSED], decided_at__isnull=False, decided_by__isnull=False)
                    & ~Q(decision="")
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant} {self.status}"
