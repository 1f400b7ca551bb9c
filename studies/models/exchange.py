"""What was imported: each run with its dry run, who executed it, and what is needed to take it back."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.study import Study
from studies.vocabulary import ImportKind, ImportStatus

USER = settings.AUTH_USER_MODEL


@audit.tracked(exclude=["content", "cells", "undo"])
class ImportRun(models.Model):
    """One import. `content` are the understood columns of the file, never the file itself; `cells` what became of each.

    `plan` is the digest of file, mapping and state that the dry run showed; `undo` what restores the state before, `undo_digest`
    its H. The name of the file is not kept: it may name a person.
    """

    TRANSITIONS = {
        ImportStatus.PLANNED: {ImportStatus.EXECUTED, ImportStatus.DROPPED},
        ImportStatus.EXECUTED: {ImportStatus.UNDONE},
        ImportStatus.DROPPED: set(),
        ImportStatus.UNDONE: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="imports")
    kind = models.CharField(max_length=20, choices=ImportKind)
    status = models.CharField(max_length=20, choices=ImportStatus, default=ImportStatus.PLANNED)
    file_sha256 = models.CharField(max_length=64)
    encoding = models.CharField(max_length=20, blank=True)
    mapping = models.CharField(max_length=100, blank=True)
    overwrite = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True)
    content = models.JSONField(default=dict, blank=True)
    cells = models.JSONField(default=list, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    plan = models.CharField(max_length=64)
    undo = models.JSONField(default=dict, blank=True)
    undo_digest = models.CharField(max_length=64, blank=True)
    planned_at = models.DateTimeField()
    planned_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    executed_at = models.DateTimeField(null=True, blank=True)
    executed_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                name="import_executed_iff_signed",
                violation_error_message=_("An import that was executed was executed by somebody, at some time."),
                condition=Q(status__in=["planned", "dropped"], executed_at=None, executed_by=None)
                | Q(status__in=["executed", "undone"], executed_at__isnull=False, executed_by__isnull=False),
            ),
            models.CheckConstraint(
                name="import_undone_iff_signed",
                violation_error_message=_("An import that was taken back was taken back by somebody, at some time."),
                condition=Q(status="undone", undone_at__isnull=False, undone_by__isnull=False)
                | (~Q(status="undone") & Q(undone_at=None, undone_by=None)),
            ),
            models.CheckConstraint(
                name="import_overwrites_with_a_reason",
                violation_error_message=_("Overwriting values needs a reason."),
                condition=Q(overwrite=False) | ~Q(reason=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"
