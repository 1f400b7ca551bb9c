"""Outlines that a hospital's own programs sent along with the images: proposals, until a person says whose they are."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from imaging.models.images import ArchivedObject
from imaging.models.measures import Roi
from imaging.models.transport import Package


@audit.tracked()
class ProposedOutline(models.Model):
    """A DICOM segmentation or structure set as it came: who drew it, and knowing what, nobody has said yet; it counts nowhere.

    `references` holds the pseudonymous UIDs of the `series` and some of the `images` that it says it was drawn on. Assigned to a reader it
    becomes a `Roi` like any other; where that one is refused, it can be assigned anew.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", _("waits for a reader's name")
        ASSIGNED = "assigned", _("handed in as an outline")
        DECLINED = "declined", _("not wanted")

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        State.PROPOSED: {State.ASSIGNED, State.DECLINED},
        State.ASSIGNED: {State.ASSIGNED},
        State.DECLINED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey("studies.Center", models.PROTECT, related_name="+")
    participant = models.ForeignKey("studies.Participant", models.PROTECT, related_name="+")
    sop_instance_uid = models.CharField(max_length=64)
    modality = models.CharField(max_length=16)
    object = models.ForeignKey(ArchivedObject, models.PROTECT, related_name="+")
    package = models.ForeignKey(Package, models.PROTECT, related_name="+")
    references = models.JSONField(default=dict)
    arrived_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    roi = models.ForeignKey(Roi, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.CharField(max_length=200, blank=True, help_text="why it is not wanted")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["center", "sop_instance_uid", "object"], name="proposedoutline_once"),
            models.CheckConstraint(
                name="proposedoutline_decided_by_someone",
                violation_error_message=_("A proposed outline was decided about by someone, at some time."),
                condition=Q(state="proposed", decided_at__isnull=True, decided_by__isnull=True)
                | (~Q(state="proposed") & Q(decided_at__isnull=False, decided_by__isnull=False)),
            ),
            models.CheckConstraint(
                name="proposedoutline_assigned_iff_outline",
                condition=Q(state="assigned", roi__isnull=False) | (~Q(state="assigned") & Q(roi__isnull=True)),
            ),
            models.CheckConstraint(
                name="proposedoutline_declined_iff_reason",
                violation_error_message=_("Say why the outline is not wanted."),
                condition=(Q(state="declined") & ~Q(reason="")) | (~Q(state="declined") & Q(reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.modality} {self.sop_instance_uid}"
