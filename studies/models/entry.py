"""The answers of a participant to one form of the data dictionary, and what a person has typed and not yet saved."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.vocabulary import EntryStatus


@audit.tracked()
class Entry(models.Model):
    """One form of one participant: item code → parts of a `studies.values.Value`; written by `studies.entry`.

    `occurrence` tells the entries of a repeating form apart. A value whose branch was closed stays here and is read as not asked.
    """

    TRANSITIONS = {
        EntryStatus.DRAFT: {EntryStatus.SUBMITTED},
        EntryStatus.SUBMITTED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="entries")
    form = models.CharField(max_length=40)
    occurrence = models.CharField(max_length=40, blank=True)
    dictionary_version = models.CharField(max_length=20)
    values = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=20, choices=EntryStatus, default=EntryStatus.DRAFT)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        verbose_name_plural = "entries"
        ordering = ["participant", "form", "occurrence"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(fields=["participant", "form", "occurrence"], name="entry_once_per_form"),
            models.CheckConstraint(
                name="entry_known_status",
                violation_error_message=_("A form is a draft or submitted."),
                condition=Q(status__in=EntryStatus.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant} {self.form} {self.occurrence}".strip()


class Draft(models.Model):
    """What one person has typed into a form and not saved: working text, gone once it is saved; nobody else sees it.

    `typed` are the fields of the page as they stood; `seen` the values that the page was drawn with, by which a conflict is noticed.
    """

    participant = models.ForeignKey(Participant, models.CASCADE, related_name="+")
    form = models.CharField(max_length=40)
    occurrence = models.CharField(max_length=40, blank=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    typed = models.JSONField(default=dict)
    seen = models.JSONField(default=dict)
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["participant", "form", "occurrence", "person"], name="draft_once_per_person")]

    def __str__(self) -> str:
        return f"{self.participant} {self.form} of {self.person}"
