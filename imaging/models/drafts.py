"""Outlines that a machine drafted from a box: nobody's, until a reader took one as it is or corrected it."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from imaging.models.images import ArchivedObject, Series
from imaging.models.measures import Roi


@audit.tracked(exclude=["outlines"])
class Draft(models.Model):
    """A box that a person put around the tumour, and what a segmenter marked in it. It counts nowhere.

    `box` is [first slice, row, column, last slice, row, column], from 0, both included. `outlines` are what is marked on each slice, as
    `RoiOutline` keeps it. Taken by a reader it becomes a `Roi` like any other; where that one is refused, it can be taken anew.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("being drafted")
        DRAFTED = "drafted", _("waits for a reader")
        FAILED = "failed", _("could not be drafted")
        TAKEN = "taken", _("taken by a reader")
        DROPPED = "dropped", _("dropped")

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        State.ASKED: {State.DRAFTED, State.FAILED, State.DROPPED},
        State.DRAFTED: {State.TAKEN, State.DROPPED},
        State.FAILED: {State.DROPPED},
        State.TAKEN: {State.TAKEN, State.DROPPED},
        State.DROPPED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="drafts")
    revision = models.PositiveIntegerField(help_text="of the series, when the box was drawn")
    box = models.JSONField()
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    state = models.CharField(max_length=8, choices=State, default=State.ASKED)
    segmenter = models.CharField(max_length=80, blank=True, help_text="name and version of what drafted")
    object = models.ForeignKey(ArchivedObject, models.PROTECT, null=True, blank=True, related_name="+")
    voxels = models.PositiveIntegerField(null=True, blank=True)
    outlines = models.JSONField(default=list, blank=True)
    findings = models.JSONField(default=list, blank=True, help_text="why nothing could be drafted, as data")
    roi = models.ForeignKey(Roi, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["series"],
                condition=Q(state__in=["asked", "drafted", "failed"]),
                name="draft_one_open",
                violation_error_message=_("Another box of this series waits. Reload the page."),
            ),
            models.CheckConstraint(
                name="draft_is_archived",
                condition=~Q(state__in=["drafted", "taken"]) | (Q(object__isnull=False, voxels__gt=0) & ~Q(segmenter="")),
            ),
            models.CheckConstraint(name="draft_taken_has_outline", condition=~Q(state="taken") | Q(roi__isnull=False)),
            models.CheckConstraint(name="draft_failed_says_why", condition=~Q(state="failed") | ~Q(findings=[])),
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.state}"
