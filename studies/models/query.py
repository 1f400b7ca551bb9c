"""Queries: what is asked about a value, who answers, who closes (AU-06)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.models.study import Center
from studies.vocabulary import QueryMove, QueryStatus

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class Query(models.Model):
    """A question about one field of one row of any room (`record`, `record_uuid`, `field`: text, no foreign key).

    Raised by a person it has a `text`; raised by an edit check it names the `rule` and its version, and `seen` holds the facts
    that make it fire. `turned_on` is the day from which it waits for whose turn it is.
    """

    TRANSITIONS = {
        QueryStatus.OPEN: {QueryStatus.ANSWERED, QueryStatus.CLOSED},
        QueryStatus.ANSWERED: {QueryStatus.CLOSED, QueryStatus.REOPENED},
        QueryStatus.REOPENED: {QueryStatus.ANSWERED, QueryStatus.CLOSED},
        QueryStatus.CLOSED: {QueryStatus.REOPENED},
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="+")
    participant = models.ForeignKey(Participant, models.PROTECT, null=True, blank=True, related_name="+")
    record = models.CharField(max_length=60)
    record_uuid = models.UUIDField()
    field = models.CharField(max_length=60, blank=True)
    status = models.CharField(max_length=20, choices=QueryStatus, default=QueryStatus.OPEN)
    text = models.TextField(max_length=2000, blank=True)
    rule = models.CharField(max_length=40, blank=True)
    rule_version = models.CharField(max_length=20, blank=True)
    seen = models.JSONField(default=dict, blank=True)
    raised_on = models.DateField()
    raised_at = models.DateTimeField()
    raised_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    turned_on = models.DateField()
    closed_on = models.DateField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name_plural = "queries"
        triggers = [never_deleted()]
        indexes = [
            models.Index(fields=["center", "status", "raised_on"], name="query_by_center"),
            models.Index(fields=["participant", "rule"], name="query_by_participant"),
            models.Index(fields=["record", "record_uuid"], name="query_by_record"),
        ]
        constraints = [
            models.CheckConstraint(
                name="query_asks_or_names_its_rule",
                violation_error_message=_("Write what is asked."),
                condition=(~Q(text="") & Q(rule="", rule_version="")) | (~Q(rule="") & ~Q(rule_version="")),
            ),
            models.CheckConstraint(
                name="query_closed_by_someone",
                violation_error_message=_("A query is closed by someone, on some day."),
                condition=Q(status=QueryStatus.CLOSED, closed_on__isnull=False, closed_at__isnull=False, closed_by__isnull=False)
                | (
                    Q(status__in=[QueryStatus.OPEN, QueryStatus.ANSWERED, QueryStatus.REOPENED])
                    & Q(closed_on=None, closed_at=None, closed_by=None)
                ),
            ),
            models.CheckConstraint(name="query_turns_after_it_is_raised", condition=Q(turned_on__gte=F("raised_on"))),
            models.UniqueConstraint(
                fields=["participant", "rule"],
                condition=~Q(rule="") & ~Q(status=QueryStatus.CLOSED) & Q(participant__isnull=False),
                name="query_once_per_rule",
                violation_error_message=_("This rule has an open query for this participant already."),
            ),
            models.UniqueConstraint(
                fields=["center", "record_uuid", "rule"],
                condition=~Q(rule="") & ~Q(status=QueryStatus.CLOSED) & Q(participant=None),
                name="query_once_per_rule_of_a_center",
                violation_error_message=_("This rule has an open query for this row already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant or self.center} {self.field or self.record} {self.raised_on}"


@audit.tracked()
class QueryMessage(models.Model):
    """One turn of a query's thread, never changed: who said what when, and which move it was."""

    query = models.ForeignKey(Query, models.PROTECT, related_name="messages")
    move = models.CharField(max_length=20, choices=QueryMove)
    text = models.TextField(max_length=2000, blank=True)
    corrected = models.BooleanField(null=True, blank=True, help_text="whether the value was corrected; only an answer says so")
    said_at = models.DateTimeField()
    said_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        indexes = [models.Index(fields=["query", "said_at"])]
        constraints = [
            models.CheckConstraint(
                name="querymessage_answer_says_whether_corrected",
                violation_error_message=_("Say whether the value was corrected."),
                condition=Q(move=QueryMove.ANSWERED, corrected__isnull=False)
                | Q(move__in=[QueryMove.RAISED, QueryMove.CLOSED, QueryMove.REOPENED], corrected=None),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.move} {self.said_at:%Y-%m-%d}"
