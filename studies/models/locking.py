"""Signatures, locks and the requests to open a lock for a while (AU-04, AU-05).

A signature is bound to the content it was given for; a lock is what the triggers of `studies.locking.guards` ask before any write.
Both point at a record as text (model label, uuid), so that they serve every room.
"""

import uuid
from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.models.study import Center, Study

USER = settings.AUTH_USER_MODEL


class Meaning(models.TextChoices):
    """What a person says by signing (21 CFR 11.50)."""

    AUTHORED = "authored", _("I entered these data")
    REVIEWED = "reviewed", _("I reviewed these data")
    APPROVED = "approved", _("I approve these data as complete and correct")


class Strength(models.TextChoices):
    """A freeze is lifted by one person; a lock is opened by two, for a while."""

    FREEZE = "freeze", _("frozen")
    LOCK = "lock", _("locked")


class UnlockStatus(models.TextChoices):
    OPEN = "open", _("waiting for the second person")
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("refused")
    EXPIRED = "expired", _("expired")


@audit.tracked(exclude=["content"])
class Signature(models.Model):
    """A person's signature over all records of a participant, or over one of them.

    `content` is what was signed (docs/locking.md), `digest` the hash of its canonical bytes. `invalidated_at` is set by a trigger
    in the same transaction as the first change of what was signed; nothing else of the row ever changes.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    center = models.ForeignKey(Center, models.PROTECT, related_name="+")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    record = models.CharField(max_length=60, blank=True, help_text="model label; empty: all of the participant")
    record_uuid = models.UUIDField(null=True, blank=True)
    together = models.UUIDField(null=True, blank=True, help_text="shared by what was signed in one act")
    meaning = models.CharField(max_length=10, choices=Meaning)
    printed_name = models.CharField(max_length=150)
    content = models.JSONField()
    digest = models.CharField(max_length=64)
    signed_at = models.DateTimeField()
    signed_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    invalidated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        triggers = [never_deleted(), pgtrigger.ReadOnly(name="signed_once", exclude=["invalidated_at"])]
        indexes = [models.Index(fields=["participant"], condition=Q(invalidated_at=None), name="signature_in_force")]
        constraints = [
            models.CheckConstraint(name="signature_known_meaning", condition=Q(meaning__in=Meaning.values)),
            models.CheckConstraint(name="signature_digest_hex", condition=Q(digest__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(
                name="signature_record_whole",
                condition=Q(record="", record_uuid=None) | (~Q(record="") & Q(record_uuid__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.meaning} {self.participant}"


@audit.tracked()
class Lock(models.Model):
    """Nothing under it changes while it is in force: not released, and not open for a while.

    What it covers: the record, else the participant, else the center, else the study. `open_until` is the end of a time granted by
    two persons; after it the lock is in force again without anybody doing anything.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    center = models.ForeignKey(Center, models.PROTECT, null=True, blank=True, related_name="+")
    participant = models.ForeignKey(Participant, models.PROTECT, null=True, blank=True, related_name="+")
    record = models.CharField(max_length=60, blank=True)
    record_uuid = models.UUIDField(null=True, blank=True)
    strength = models.CharField(max_length=10, choices=Strength)
    reason = models.CharField(max_length=200, blank=True)
    locked_at = models.DateTimeField()
    locked_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    open_until = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    released_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        triggers = [never_deleted()]
        indexes = [models.Index(fields=["study", "center"], condition=Q(released_at=None), name="lock_standing")]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "center", "participant", "record", "record_uuid"],
                condition=Q(released_at=None),
                nulls_distinct=False,
                name="lock_once",
                violation_error_message=_("This is frozen or locked already."),
            ),
            models.CheckConstraint(name="lock_known_strength", condition=Q(strength__in=Strength.values)),
            models.CheckConstraint(
                name="lock_covers_one_thing",
                condition=(Q(center__isnull=False) | Q(participant=None))
                & (Q(record="", record_uuid=None) | (~Q(record="") & Q(record_uuid__isnull=False, participant__isnull=False))),
            ),
            models.CheckConstraint(
                name="lock_released_by_someone",
                condition=Q(released_at=None, released_by=None)
                | Q(strength=Strength.FREEZE, released_at__isnull=False, released_by__isnull=False),
            ),
            models.CheckConstraint(name="lock_only_locks_open", condition=Q(open_until=None) | Q(strength=Strength.LOCK)),
        ]

    def __str__(self) -> str:
        return str(self.participant or self.center or self.study)

    def in_force(self) -> bool:
        """Whether a write under it is refused now."""
        return self.released_at is None and (self.open_until is None or self.open_until <= timezone.now())


@audit.tracked()
class UnlockRequest(models.Model):
    """One person asks, with a reason, that a lock be opened for some days; another one decides. Unanswered it expires."""

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        UnlockStatus.OPEN: {UnlockStatus.APPROVED, UnlockStatus.REFUSED, UnlockStatus.EXPIRED},
        UnlockStatus.APPROVED: set(),
        UnlockStatus.REFUSED: set(),
        UnlockStatus.EXPIRED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    lock = models.ForeignKey(Lock, models.PROTECT, related_name="requests")
    center = models.ForeignKey(Center, models.PROTECT, null=True, blank=True, related_name="+")
    days = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=UnlockStatus, default=UnlockStatus.OPEN)
    requested_at = models.DateTimeField()
    requested_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    expires_at = models.DateTimeField()
    answer = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(
                fields=["lock"],
                condition=Q(status=UnlockStatus.OPEN),
                name="unlock_asked_once",
                violation_error_message=_("Somebody has asked for this already; the request waits for the second person."),
            ),
            models.CheckConstraint(
                name="unlock_days",
                violation_error_message=_("A lock is opened for 1 to 30 days."),
                condition=Q(days__gte=1, days__lte=30),
            ),
            models.CheckConstraint(name="unlock_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="unlock_decided_by_another",
                violation_error_message=_("Another person than who asked decides."),
                condition=Q(status__in=[UnlockStatus.OPEN, UnlockStatus.EXPIRED], decided_at=None, decided_by=None)
                | (
                    Q(status__in=[UnlockStatus.APPROVED, UnlockStatus.REFUSED], decided_at__isnull=False, decided_by__isnull=False)
                    & ~Q(decided_by=F("requested_by"))
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.lock}: {self.status}"
