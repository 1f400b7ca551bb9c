"""Who looks after which participant, and who stands in for whom."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.models.study import Center

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class Assignment(models.Model):
    """From now on this person looks after this participant; the newest row counts, and without one whoever enrolled."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    person = models.ForeignKey(USER, models.PROTECT, related_name="+")
    note = models.CharField(max_length=200, blank=True)
    assigned_at = models.DateTimeField()
    assigned_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        indexes = [models.Index(fields=["participant", "-id"], name="assignment_newest")]

    def __str__(self) -> str:
        return f"{self.participant}: {self.person}"


@audit.tracked()
class Handover(models.Model):
    """A coordinator's list in a colleague's hands at one center, from a day to a day, both included."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="+")
    giver = models.ForeignKey(USER, models.PROTECT, related_name="+")
    taker = models.ForeignKey(USER, models.PROTECT, related_name="+")
    since = models.DateField()
    until = models.DateField()
    note = models.CharField(max_length=500)
    agreed_at = models.DateTimeField()
    agreed_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        triggers = [never_deleted()]
        constraints = [
            models.CheckConstraint(
                name="handover_ends_after_it_begins",
                violation_error_message=_("A handover ends on or after the day it begins."),
                condition=Q(until__gte=F("since")),
            ),
            models.CheckConstraint(
                name="handover_to_somebody_else",
                violation_error_message=_("A list is handed over to somebody else."),
                condition=~Q(giver=F("taker")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.giver} → {self.taker}, {self.since} – {self.until}"
