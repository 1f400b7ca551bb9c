"""The documents that open a center."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import never_deleted
from studies.models.study import Center

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class GateDocument(models.Model):
    """A document of a center's gate, filed with number, date and last day; a newer one of the same item is another row.

    `sha256` names the bytes of the file that was filed with it (`studies.quality.store`), where there is one.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="gate_documents")
    item = models.CharField(max_length=40)
    number = models.CharField(max_length=100)
    dated_on = models.DateField()
    expires_on = models.DateField(null=True, blank=True)
    rules_version = models.CharField(max_length=20)
    sha256 = models.CharField(max_length=64, blank=True, default="")
    media_type = models.CharField(max_length=20, blank=True, default="")
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["item", "dated_on", "pk"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "item", "number"],
                name="gatedocument_filed_once",
                violation_error_message=_("This document is filed already."),
            ),
            models.CheckConstraint(
                name="gatedocument_expires_after_its_date",
                violation_error_message=_("A document expires on or after its date."),
                condition=Q(expires_on=None) | Q(expires_on__gte=F("dated_on")),
            ),
            models.CheckConstraint(
                name="gatedocument_file_of_known_kind",
                violation_error_message=_("Choose a PDF or a picture (JPEG or PNG)."),
                condition=Q(sha256="", media_type="")
                | Q(sha256__regex=r"^[0-9a-f]{64}$", media_type__in=["application/pdf", "image/jpeg", "image/png"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} {self.number}"
