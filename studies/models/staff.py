"""Who may do which task of the study at a center, from when to when, and the trainings that go before it."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import never_deleted
from studies.models.study import Center, Study
from studies.vocabulary import Task

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class Delegation(models.Model):
    """One line of a center's delegation log: a task in a person's hands, by the site PI; `until` is its last day."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="delegations")
    user = models.ForeignKey(USER, models.PROTECT, related_name="+")
    task = models.CharField(max_length=20, choices=Task)
    since = models.DateField()
    until = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["task", "since", "pk"]
        triggers = [never_deleted()]
        indexes = [models.Index(fields=["user", "task", "center"])]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "user", "task"],
                condition=Q(until=None),
                name="delegation_held_once",
                violation_error_message=_("This task is delegated to this person already."),
            ),
            models.CheckConstraint(
                name="delegation_ends_after_it_begins",
                violation_error_message=_("A delegation ends on or after the day it begins."),
                condition=Q(until=None) | Q(until__gte=F("since")),
            ),
            models.CheckConstraint(
                name="delegation_known_task",
                violation_error_message=_("Choose a task of the list."),
                condition=Q(task__in=Task.values),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.task} by {self.user}"


@audit.tracked()
class Training(models.Model):
    """A training that a person has had for a study, with its certificate; renewed by another row."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="trainings")
    user = models.ForeignKey(USER, models.PROTECT, related_name="+")
    code = models.CharField(max_length=40)
    trained_on = models.DateField()
    expires_on = models.DateField(null=True, blank=True)
    certificate = models.CharField(max_length=100)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["code", "trained_on", "pk"]
        triggers = [never_deleted()]
        indexes = [models.Index(fields=["user", "code", "study"])]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "user", "code", "trained_on"],
                name="training_once_a_day",
                violation_error_message=_("This training of that day is on record already."),
            ),
            models.CheckConstraint(
                name="training_expires_after_it",
                violation_error_message=_("A training expires on or after its day."),
                condition=Q(expires_on=None) | Q(expires_on__gte=F("trained_on")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.trained_on}"
