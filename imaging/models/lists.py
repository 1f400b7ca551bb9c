"""What was found out about the features themselves: which of them readers measure alike."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models import Study


class FeatureList(models.Model):
    """A version of the list of features that readers agree on, with every figure behind it.

    `content` is what `imaging.feature_list` says, `sha256` its canonical digest; a list is never changed; a later one has the next number.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.ForeignKey(Study, models.PROTECT, related_name="feature_lists")
    version = models.PositiveIntegerField()
    content = models.JSONField()
    sha256 = models.CharField(max_length=64)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(
                fields=["study", "version"], name="featurelist_version_once", violation_error_message=_("This version of the list exists.")
            ),
            models.CheckConstraint(name="featurelist_sha256_hex", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
        ]

    def __str__(self) -> str:
        return f"{self.study} {self.version}"

    @property
    def kept(self) -> list[str]:
        """The names of the features that models may use, by phase as the models call them."""
        return [row["name"] for row in self.content["features"] if row["kept"]]

    @property
    def document(self) -> dict[str, Any]:
        """The list as a file: content and the digest by which it is known."""
        return {"sha256": self.sha256, "content": self.content}
