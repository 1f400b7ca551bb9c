"""Source verification: which fields were compared with the hospital's record, and the masked pictures of that record (AU-06)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant, never_deleted
from studies.models.study import Center
from studies.vocabulary import VerificationClass

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class Verification(models.Model):
    """One field that is to be verified, and against which value it was: `verified_hash` beside the hash of the present value.

    The two differ until it was verified, and again as soon as the value changes. An empty `value_hash` means that nothing is
    recorded there any more. Pointers are text, as those of a query.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="+")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    record = models.CharField(max_length=60)
    record_uuid = models.UUIDField()
    field = models.CharField(max_length=60, blank=True)
    why = models.CharField(max_length=20, choices=VerificationClass)
    value_hash = models.CharField(max_length=64, blank=True)
    verified_hash = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=200, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)
    verified_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        triggers = [never_deleted()]
        indexes = [models.Index(fields=["participant", "why"], name="verification_of_participant")]
        constraints = [
            models.UniqueConstraint(fields=["record", "record_uuid", "field"], name="verification_once_per_field"),
            models.CheckConstraint(
                name="verification_says_who_when_and_against_what",
                violation_error_message=_("A verified field has a person, a time and the source it was compared with."),
                condition=Q(verified_hash="", verified_at=None, verified_by=None, source="")
                | (~Q(verified_hash="") & ~Q(source="") & Q(verified_at__isnull=False, verified_by__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.participant} {self.field}"


@audit.tracked()
class SourceImage(models.Model):
    """One page of the hospital's record as a masked picture: what was covered was never stored. Its bytes lie under their hash.

    Removed, its bytes are destroyed and the row says by whom; the reason stands in the trail.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="+")
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    title = models.CharField(max_length=100)
    page = models.PositiveSmallIntegerField(default=1)
    sha256 = models.CharField(max_length=64)
    media_type = models.CharField(max_length=20)
    size = models.PositiveIntegerField()
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    boxes = models.PositiveSmallIntegerField()
    uploaded_at = models.DateTimeField()
    uploaded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    removed_at = models.DateTimeField(null=True, blank=True)
    removed_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        triggers = [never_deleted()]
        constraints = [
            models.CheckConstraint(name="sourceimage_sha256_hex", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(name="sourceimage_known_type", condition=Q(media_type__in=["image/jpeg", "image/png"])),
            models.CheckConstraint(
                name="sourceimage_removed_by_someone",
                condition=Q(removed_at=None, removed_by=None) | Q(removed_at__isnull=False, removed_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.page}"
