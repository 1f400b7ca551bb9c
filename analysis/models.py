"""The published result of a study: what an opening brought to light, as it was when it was published, for good."""

import uuid

from django.db import models
from django.db.models import Q

from accounts import audit
from studies.models import Study

_SHA256 = "^[0-9a-f]{64}$"


class Publication(models.Model):
    """The result of one opening, one per study; `analysis` and `report` are the JSON files of the opening."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    study = models.OneToOneField(Study, models.PROTECT, related_name="+")
    request_sha256 = models.CharField(max_length=64)
    cut_sha256 = models.CharField(max_length=64)
    analysis = models.JSONField()
    report = models.JSONField()
    published_at = models.DateTimeField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.CheckConstraint(name="publication_hashes", condition=Q(request_sha256__regex=_SHA256, cut_sha256__regex=_SHA256))
        ]

    def __str__(self) -> str:
        return f"result of {self.study}"


class PublishedFile(models.Model):
    """One file of a publication, byte by byte as the custodians' device wrote it."""

    publication = models.ForeignKey(Publication, models.PROTECT, related_name="files")
    name = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(fields=["publication", "name"], name="publishedfile_once"),
            models.CheckConstraint(name="publishedfile_hash", condition=Q(sha256__regex=_SHA256)),
        ]

    def __str__(self) -> str:
        return self.name
