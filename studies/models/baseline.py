"""What was known of a participant before adjuvant therapy."""

from django.conf import settings
from django.db import models

from accounts import audit
from studies.models.participant import Participant, never_deleted


@audit.tracked()
class Baseline(models.Model):
    """The protocol's baseline variables of one participant (code → decimal text or option); written by `studies.baseline`."""

    participant = models.OneToOneField(Participant, models.PROTECT, related_name="baseline")
    values = models.JSONField(default=dict)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        triggers = [never_deleted()]

    def __str__(self) -> str:
        return f"baseline of {self.participant}"
