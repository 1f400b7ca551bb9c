"""How images come: the gateways of the hospitals, their packages, and the receipts that were given for them."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit


@audit.tracked()
class Gateway(models.Model):
    """A hospital's edge that may hand in packages: known by its Ed25519 key, not by where it calls from (NW-04)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey("studies.Center", models.PROTECT, related_name="+")
    code = models.CharField(max_length=11, unique=True, help_text="center and 8 hex digits of the key's SHA-256, such as 01-9f86d081")
    public_key = models.CharField(max_length=44, help_text="base64 of the 32-byte Ed25519 public key")
    software = models.CharField(max_length=80, blank=True)
    added_at = models.DateTimeField(default=timezone.now)
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="gateway_revoked_by_someone",
                violation_error_message=_("A revoked gateway was revoked by someone, at some time."),
                condition=Q(revoked_at__isnull=True, revoked_by__isnull=True) | Q(revoked_at__isnull=False, revoked_by__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.code


class Package(models.Model):
    """One package of one gateway on its way from the inbox into the archive; its content is in no column."""

    class State(models.TextChoices):
        RECEIVED = "received", _("being received")
        STORED = "stored", _("stored, not yet opened")
        ARCHIVED = "archived", _("archived")
        REFUSED = "refused", _("refused")

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        State.RECEIVED: {State.STORED},
        State.STORED: {State.ARCHIVED, State.REFUSED},
        State.ARCHIVED: set(),
        State.REFUSED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    digest = models.CharField(max_length=64, unique=True, help_text="the package's id: SHA-256 of its manifest")
    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="+")
    seq = models.PositiveBigIntegerField(null=True, blank=True, help_text="the gateway's running number, known once opened")
    participant = models.ForeignKey("studies.Participant", models.PROTECT, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    refusal = models.CharField(max_length=40, blank=True, help_text="the code of the reason")
    size = models.PositiveBigIntegerField(default=0, help_text="bytes of ciphertext")
    attempts = models.PositiveIntegerField(default=0, help_text="how often opening it was begun")
    due_at = models.DateTimeField(default=timezone.now, help_text="not to be opened before")
    received_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True, help_text="when it was archived or refused")

    class Meta:
        indexes = [models.Index(fields=["state", "due_at"])]
        constraints = [
            models.CheckConstraint(
                name="package_refused_iff_reason",
                violation_error_message=_("A refused package has a reason, and no other has one."),
                condition=(Q(state="refused") & ~Q(refusal="")) | (Q(state__in=["received", "stored", "archived"], refusal="")),
            ),
            models.CheckConstraint(
                name="package_settled_iff_answered",
                violation_error_message=_("A package is settled when it was archived or refused."),
                condition=Q(state__in=["archived", "refused"], settled_at__isnull=False)
                | Q(state__in=["received", "stored"], settled_at__isnull=True),
            ),
            models.CheckConstraint(
                name="package_archived_for_someone",
                violation_error_message=_("An archived package belongs to a participant."),
                condition=~Q(state="archived") | Q(participant__isnull=False, seq__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gateway} {self.digest[:12]}"


class PackageReceipt(models.Model):
    """A signed receipt as it was given; the gateway purges its copy on the strength of one that says archived."""

    package = models.ForeignKey(Package, models.PROTECT, related_name="receipts")
    state = models.CharField(max_length=10, choices=[(state, state) for state in ("stored", "archived", "refused")])
    body = models.JSONField(help_text="the receipt and its signature, as sent")
    issued_at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["package", "state"], name="packagereceipt_once_per_state")]

    def __str__(self) -> str:
        return f"{self.package}: {self.state}"
