"""What the images are: bytes by their hash, and the DICOM rows above them, keyed by pseudonymous UIDs within a center."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from imaging.geometry import Verdict
from imaging.models.transport import Package
from imaging.phase import Phase

# The words of two closed vocabularies; the codes live in the pure modules.
PHASE_WORDS = {
    Phase.PRECONTRAST: _("precontrast"),
    Phase.ARTERIAL: _("arterial phase"),
    Phase.PORTAL_VENOUS: _("portal venous phase"),
    Phase.DELAYED: _("delayed phase"),
    Phase.HEPATOBILIARY: _("hepatobiliary phase"),
    Phase.UNKNOWN: _("not a usable phase"),
}


class ArchivedObject(models.Model):
    """Bytes in the archive, known by their SHA-256; what they say is told by the rows that point here."""

    class MediaType(models.TextChoices):
        DICOM = "application/dicom"
        PNG = "image/png"
        NIFTI = "application/x-nifti"

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=20, choices=MediaType)
    sop_class = models.CharField(max_length=64, blank=True)
    transfer_syntax = models.CharField(max_length=64, blank=True)
    stored_at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.CheckConstraint(name="archivedobject_sha256_hex", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
            models.CheckConstraint(
                name="archivedobject_dicom_has_class",
                condition=(Q(media_type="application/dicom") & ~Q(sop_class="") & ~Q(transfer_syntax=""))
                | Q(media_type__in=["image/png", "application/x-nifti"]),
            ),
        ]

    def __str__(self) -> str:
        return self.sha256


class ImagingStudy(models.Model):
    """One examination of one participant (a DICOM study). UIDs are keyed by the center, so they are unique within it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey("studies.Center", models.PROTECT, related_name="+")
    participant = models.ForeignKey("studies.Participant", models.PROTECT, related_name="+")
    study_instance_uid = models.CharField(max_length=64)
    study_date = models.DateField(null=True, blank=True)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["center", "study_instance_uid"], name="imagingstudy_uid_per_center")]

    def __str__(self) -> str:
        return self.study_instance_uid


@audit.tracked()
class Series(models.Model):
    """One DICOM series: what arrived, what its geometry is, which phase is proposed, and which a person picked.

    A series that holds several passes can be taken apart by a person (`part_of`): then each pass is a series of its own.
    `revision` counts the changes of its set of instances; geometry, proposal and key slices are those of `assessed_revision`.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey("studies.Center", models.PROTECT, related_name="+")
    participant = models.ForeignKey("studies.Participant", models.PROTECT, related_name="+")
    imaging_study = models.ForeignKey(ImagingStudy, models.PROTECT, related_name="series")
    series_instance_uid = models.CharField(max_length=64)
    modality = models.CharField(max_length=16)
    part_of = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="parts")
    part = models.PositiveSmallIntegerField(null=True, blank=True, help_text="which pass of the series it was taken out of, from 1")
    revision = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField(default=timezone.now)
    facts = models.JSONField(default=dict, help_text="scanner and acquisition, DICOM keywords")

    assessed_revision = models.PositiveIntegerField(default=0)
    verdict = models.CharField(max_length=24, blank=True, choices=[(verdict.value, verdict.value) for verdict in Verdict])
    slice_count = models.PositiveIntegerField(null=True, blank=True)
    spacing_mm = models.FloatField(null=True, blank=True)
    extent_mm = models.FloatField(null=True, blank=True)
    thickness_mm = models.FloatField(null=True, blank=True)
    findings = models.JSONField(default=dict, blank=True)
    unreadable = models.CharField(max_length=40, blank=True, help_text="why no key slices could be drawn")

    phase_proposed = models.CharField(max_length=16, blank=True, choices=[(phase.value, phase.value) for phase in Phase])
    phase_reasons = models.JSONField(default=list, blank=True)
    phase = models.CharField(max_length=16, blank=True, choices=[(phase.value, word) for phase, word in PHASE_WORDS.items()])
    phase_picked_at = models.DateTimeField(null=True, blank=True)
    phase_picked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name_plural = "series"
        indexes = [models.Index(fields=["changed_at"], condition=~Q(assessed_revision=F("revision")), name="series_to_assess")]
        constraints = [
            models.UniqueConstraint(fields=["center", "series_instance_uid"], name="series_uid_per_center"),
            models.UniqueConstraint(fields=["part_of", "part"], name="series_part_once"),
            models.CheckConstraint(
                name="series_part_has_number",
                condition=Q(part_of__isnull=True, part__isnull=True) | Q(part_of__isnull=False, part__gt=0),
            ),
            models.CheckConstraint(
                name="series_phase_picked_by_someone",
                violation_error_message=_("A phase was picked by someone, at some time."),
                condition=Q(phase="", phase_picked_at__isnull=True, phase_picked_by__isnull=True)
                | (~Q(phase="") & Q(phase_picked_at__isnull=False, phase_picked_by__isnull=False)),
            ),
            models.CheckConstraint(
                name="series_phase_known_code",
                violation_error_message=_("This is not one of the contrast phases."),
                condition=Q(phase__in=["", *(phase.value for phase in Phase)]),
            ),
            models.CheckConstraint(
                name="series_assessed_iff_verdict",
                condition=Q(assessed_revision=0, verdict="") | (Q(assessed_revision__gt=0) & ~Q(verdict="")),
            ),
        ]

    def __str__(self) -> str:
        return self.series_instance_uid

    @property
    def members(self) -> "models.QuerySet[Instance]":
        """Its images: those that came as this series, or those of the pass that a person took out of another one."""
        return self.instances.all() if self.part_of_id is None else Instance.objects.filter(passes__series=self)


class Instance(models.Model):
    """One image object as it first came. `frames` are its slices: orientation, position, spacing in mm, thickness, acquisition."""

    center = models.ForeignKey("studies.Center", models.PROTECT, related_name="+")
    series = models.ForeignKey(Series, models.PROTECT, related_name="instances")
    sop_instance_uid = models.CharField(max_length=64)
    object = models.ForeignKey(ArchivedObject, models.PROTECT, related_name="+")
    package = models.ForeignKey(Package, models.PROTECT, related_name="+")
    instance_number = models.IntegerField(null=True, blank=True)
    frames = models.JSONField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["center", "sop_instance_uid"], name="instance_uid_per_center")]

    def __str__(self) -> str:
        return self.sop_instance_uid


class PassMember(models.Model):
    """An image that belongs to one pass of a series which a person took apart; it stays an image of the series that it came as."""

    series = models.ForeignKey(Series, models.PROTECT, related_name="+")
    instance = models.ForeignKey(Instance, models.PROTECT, related_name="passes")

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["instance"], name="passmember_in_one_pass")]

    def __str__(self) -> str:
        return f"{self.series}: {self.instance}"


class InstanceConflict(models.Model):
    """Other bytes that came later under the UID of an instance: kept, shown, and never put in its place."""

    instance = models.ForeignKey(Instance, models.PROTECT, related_name="conflicts")
    object = models.ForeignKey(ArchivedObject, models.PROTECT, related_name="+")
    package = models.ForeignKey(Package, models.PROTECT, related_name="+")
    found_at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["instance", "object"], name="instanceconflict_once")]

    def __str__(self) -> str:
        return f"{self.instance}: {self.object}"


class KeySlice(models.Model):
    """A drawn slice of a series: `place` of `series.slice_count` along the normal, `side_left` the side of the body at its left edge."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="key_slices")
    revision = models.PositiveIntegerField()
    index = models.PositiveSmallIntegerField()
    place = models.PositiveIntegerField()
    position_mm = models.FloatField(null=True, blank=True)
    window = models.CharField(max_length=20)
    window_width = models.FloatField()
    window_center = models.FloatField()
    side_left = models.CharField(max_length=1, blank=True)
    side_right = models.CharField(max_length=1, blank=True)
    object = models.ForeignKey(ArchivedObject, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["series", "revision", "index", "window"], name="keyslice_once")]

    def __str__(self) -> str:
        return f"{self.series} {self.index} {self.window}"

    @property
    def position(self) -> str:
        """Where it lies along the stack's normal, to 0.1 mm, with a true minus; empty without geometry."""
        return "" if self.position_mm is None else f"{self.position_mm:.1f} mm".replace("-", "\N{MINUS SIGN}")
