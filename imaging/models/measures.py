"""What readers outline and the platform measures: regions on series, their outlines on slices, and the features taken from them."""

import uuid
from collections.abc import Mapping
from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import audit
from imaging.models.images import ArchivedObject, Series


@audit.tracked()
class Roi(models.Model):
    """A reader's mask of the tumour on one series, and whether it lies on the series' voxels.

    `findings` are the sentences of the check as data (code, message, params). At most one region of a series is in force (aligned);
    a new one takes its place only once it was found aligned itself. Outlines drawn to learn how far readers agree (`session`) are measured
    likewise and kept for comparison: they are never in force, and no model ever sees them.
    """

    class Session(models.TextChoices):
        COUNTS = "counts", _("the outline that counts")
        SECOND = "second", _("by a second reader, for comparison")
        REPEAT = "repeat", _("by the same reader again, for comparison")

    class Origin(models.TextChoices):
        HAND = "hand", _("drawn by the reader")
        DRAFT = "draft", _("machine draft, taken as it is")
        CORRECTED = "changed", _("machine draft, corrected by the reader")

    class State(models.TextChoices):
        RECEIVED = "received", _("being checked")
        ALIGNED = "aligned", _("lies on the images")
        COMPARED = "compared", _("kept for comparison")
        REFUSED = "refused", _("refused")
        REPLACED = "replaced", _("replaced")
        VOIDED = "voided", _("taken back")

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        State.RECEIVED: {State.ALIGNED, State.COMPARED, State.REFUSED},
        State.ALIGNED: {State.REFUSED, State.REPLACED, State.VOIDED},
        State.COMPARED: {State.REFUSED, State.REPLACED, State.VOIDED},
        State.REFUSED: set(),
        State.REPLACED: set(),
        State.VOIDED: set(),
    }

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    series = models.ForeignKey(Series, models.PROTECT, related_name="rois")
    object = models.ForeignKey(ArchivedObject, models.PROTECT, null=True, blank=True, related_name="+")
    dicom = models.ForeignKey(
        ArchivedObject, models.PROTECT, null=True, blank=True, related_name="+", help_text="the same as a DICOM segmentation without days"
    )
    reader = models.CharField(
        max_length=40,
        help_text="code of the person who drew it",
        validators=[RegexValidator(r"^[\w.-]+\Z", _("A reader's code has letters, digits, points and hyphens only."))],
    )
    session = models.CharField(max_length=6, choices=Session, default=Session.COUNTS)
    treatment_known = models.BooleanField(help_text="whether the reader knew the adjuvant treatment")
    origin = models.CharField(max_length=8, choices=Origin, default=Origin.HAND)
    file_format = models.CharField(max_length=8, blank=True, help_text="nifti, nrrd or dicom: what the reader's file was")
    segment = models.PositiveIntegerField(null=True, blank=True, help_text="the number of the region that was chosen in the file")
    reason = models.CharField(max_length=200, blank=True, help_text="why it takes the place of another")
    uploaded_at = models.DateTimeField(default=timezone.now)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    state = models.CharField(max_length=10, choices=State, default=State.RECEIVED)
    checked_revision = models.PositiveIntegerField(default=0, help_text="the revision of the series that it was held against")
    findings = models.JSONField(default=list, blank=True)
    apart_mm = models.FloatField(null=True, blank=True, help_text="largest distance between corresponding corner voxels")
    voxels = models.PositiveIntegerField(null=True, blank=True)
    replaced_by = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    void_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["series"],
                condition=Q(state="aligned"),
                name="roi_one_in_force",
                violation_error_message=_("Another outline of this series is in force."),
            ),
            models.UniqueConstraint(
                fields=["series"],
                condition=Q(state="received"),
                name="roi_one_being_checked",
                violation_error_message=_("Another outline of this series is being checked."),
            ),
            models.UniqueConstraint(
                fields=["series", "session"],
                condition=Q(state="compared"),
                name="roi_one_compared_per_session",
                violation_error_message=_("Another outline of this series is kept for the same comparison."),
            ),
            models.CheckConstraint(
                name="roi_compared_never_counts",
                violation_error_message=_("An outline for comparison is never the one that counts."),
                condition=(~Q(state="aligned") | Q(session="counts")) & (~Q(state="compared") | ~Q(session="counts")),
            ),
            models.CheckConstraint(
                name="roi_compared_is_by_hand",
                violation_error_message=_("An outline for comparison is drawn without a machine's draft."),
                condition=Q(session="counts") | Q(origin="hand"),
            ),
            models.CheckConstraint(
                name="roi_in_force_is_archived",
                condition=~Q(state__in=["aligned", "compared", "replaced", "voided"])
                | Q(object__isnull=False, voxels__isnull=False, checked_revision__gt=0),
            ),
            models.CheckConstraint(
                name="roi_refused_says_why",
                violation_error_message=_("A refused outline has a reason."),
                condition=~Q(state="refused") | ~Q(findings=[]),
            ),
            models.CheckConstraint(
                name="roi_replaced_iff_by_another",
                condition=Q(state="replaced", replaced_by__isnull=False) | (~Q(state="replaced") & Q(replaced_by__isnull=True)),
            ),
            models.CheckConstraint(
                name="roi_voided_iff_reason",
                violation_error_message=_("An outline is taken back with a reason."),
                condition=(Q(state="voided") & ~Q(void_reason="")) | (~Q(state="voided") & Q(void_reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.series} {self.reader}"


class RoiOutline(models.Model):
    """A region on one drawn slice: closed polygons in a frame of `width` by `height` that covers the slice's picture.

    `place` counts from 1 along the normal, as `KeySlice.place`; a polygon is a list of [x, y]; `pixels` is what is marked there.
    """

    roi = models.ForeignKey(Roi, models.PROTECT, related_name="outlines")
    revision = models.PositiveIntegerField()
    place = models.PositiveIntegerField()
    width = models.FloatField()
    height = models.FloatField()
    polygons = models.JSONField()
    pixels = models.PositiveIntegerField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["roi", "revision", "place"], name="roioutline_once")]

    def __str__(self) -> str:
        return f"{self.roi} {self.place}"

    @property
    def view_box(self) -> str:
        """The frame of the polygons, as SVG says it."""
        return f"0 0 {self.width:g} {self.height:g}"

    @property
    def points(self) -> list[str]:
        """The polygons, as SVG says them."""
        return [" ".join(f"{x:g},{y:g}" for x, y in polygon) for polygon in self.polygons]


class Extraction(models.Model):
    """How far the measuring of one region by one profile has come; the values are in the FeatureSet."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting to be measured")
        RUNNING = "running", _("being measured")
        DONE = "done", _("measured")
        FAILED = "failed", _("not measured")

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        State.QUEUED: {State.RUNNING},
        State.RUNNING: {State.RUNNING, State.QUEUED, State.DONE, State.FAILED},
        State.DONE: set(),
        State.FAILED: {State.QUEUED},
    }

    roi = models.ForeignKey(Roi, models.PROTECT, related_name="extractions")
    profile_sha256 = models.CharField(max_length=64)
    revision = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    findings = models.JSONField(default=list, blank=True, help_text="why it failed, as data")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["roi", "profile_sha256", "revision"], name="extraction_once"),
            models.CheckConstraint(
                name="extraction_failed_iff_reason",
                condition=(Q(state="failed") & ~Q(findings=[])) | (~Q(state="failed") & Q(findings=[])),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.roi} {self.state}"


class FeatureSet(models.Model):
    """The features of one region, with the hashes of everything that decides them (MD-08).

    `values` are [name, number as its shortest decimal string] in pyradiomics' order ("nan": undefined for this region);
    `sha256` is the digest of `imaging.radiomics.Measurement` over values, image, mask, profile and software.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    roi = models.ForeignKey(Roi, models.PROTECT, related_name="feature_sets")
    revision = models.PositiveIntegerField()
    profile = models.CharField(max_length=40)
    profile_sha256 = models.CharField(max_length=64)
    values = models.JSONField()
    image_sha256 = models.CharField(max_length=64)
    mask_sha256 = models.CharField(max_length=64)
    software = models.JSONField()
    software_sha256 = models.CharField(max_length=64)
    warnings = models.JSONField(default=list, blank=True)
    sha256 = models.CharField(max_length=64)
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(fields=["roi", "profile_sha256", "revision"], name="featureset_once"),
            *(
                models.CheckConstraint(name=f"featureset_{name}_hex", condition=Q(**{f"{name}__regex": r"^[0-9a-f]{64}$"}))
                for name in ("image_sha256", "mask_sha256", "profile_sha256", "software_sha256", "sha256")
            ),
        ]

    def __str__(self) -> str:
        return self.sha256

    @property
    def by_name(self) -> Mapping[str, str]:
        """Feature name → number string, in order."""
        return dict(self.values)
