"""The laboratory report from which values of a form were filled in, as far as it may be kept."""

import uuid

from django.conf import settings
from django.db import models

from accounts import audit
from studies.models.entry import Entry
from studies.models.participant import Participant


@audit.tracked()
class PastedBlock(models.Model):
    """The source document of pasted values; written by `studies.laboratory.pasting` and never changed.

    `text` is the pasted block line for line, without the lines and words that may say who somebody is; `lines` says which line gave
    which item its value; `taken_out` are the numbers of the lines that went.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="pasted_blocks")
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="pasted_blocks")
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    lines = models.JSONField()
    taken_out = models.JSONField(default=list, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-pk"]
        triggers = [audit.append_only()]

    def __str__(self) -> str:
        return f"pasted for {self.entry}"
