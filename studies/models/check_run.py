"""A run of the edit checks over a whole study: how far it is and what came of it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from studies.models.study import Study
from studies.vocabulary import CheckRunStatus


class CheckRun(models.Model):
    """One pass over all participants of a study; `reached` is the last one judged. Done by the worker, a batch at a time."""

    TRANSITIONS = {
        CheckRunStatus.WAITING: {CheckRunStatus.RUNNING},
        CheckRunStatus.RUNNING: {CheckRunStatus.DONE},
        CheckRunStatus.DONE: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    status = models.CharField(max_length=20, choices=CheckRunStatus, default=CheckRunStatus.WAITING)
    asked_at = models.DateTimeField()
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reached = models.BigIntegerField(default=0)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    raised = models.PositiveIntegerField(default=0)
    closed = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["study"], condition=~Q(status=CheckRunStatus.DONE), name="checkrun_one_at_a_time"),
            models.CheckConstraint(
                name="checkrun_ended_iff_done",
                condition=Q(status=CheckRunStatus.DONE, ended_at__isnull=False)
                | Q(status__in=[CheckRunStatus.WAITING, CheckRunStatus.RUNNING], ended_at=None),
            ),
            models.CheckConstraint(name="checkrun_done_within_total", condition=Q(done__lte=F("total")) | ~Q(status=CheckRunStatus.DONE)),
        ]

    def __str__(self) -> str:
        return f"edit checks of {self.study}, {self.done} of {self.total}"
