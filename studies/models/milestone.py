"""The one mechanism by which rooms above show a fact on a participant's or a center's timeline."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Participant
from studies.models.study import Center
from studies.vocabulary import CENTER_MILESTONES, PARTICIPANT_MILESTONES, MilestoneKind


@audit.tracked()
class Milestone(models.Model):
    """A dated fact of a participant or a center, written by the rooms above and never changed (docs/formats.md j).

    A row in `cancels` is out of force; a retraction takes it out without putting another in its place. `sealed` carries the
    batch date and nothing else: no reference and no link that could lead to a prediction.
    """

    participant = models.ForeignKey(Participant, models.PROTECT, null=True, blank=True, related_name="milestones")
    center = models.ForeignKey(Center, models.PROTECT, null=True, blank=True, related_name="milestones")
    kind = models.CharField(max_length=30, choices=MilestoneKind)
    on = models.DateField()
    ref_uuid = models.UUIDField(null=True, blank=True)
    url_name = models.CharField(max_length=100, blank=True)
    cancels = models.OneToOneField("self", models.PROTECT, null=True, blank=True, related_name="cancelled_by")
    retraction = models.BooleanField(default=False)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        indexes = [models.Index(fields=["participant", "on"]), models.Index(fields=["center", "on"])]
        constraints = [
            models.CheckConstraint(
                name="milestone_kind_fits_its_subject",
                violation_error_message=_("This kind of milestone does not belong to this subject."),
                condition=Q(participant__isnull=False, center=None, kind__in=PARTICIPANT_MILESTONES)
                | Q(participant=None, center__isnull=False, kind__in=CENTER_MILESTONES),
            ),
            models.CheckConstraint(
                name="milestone_sealed_leads_nowhere",
                violation_error_message=_("“Sealed” carries the batch date only."),
                condition=~Q(kind=MilestoneKind.SEALED) | Q(ref_uuid=None, url_name=""),
            ),
            models.CheckConstraint(
                name="milestone_retraction_cancels",
                violation_error_message=_("A retraction names the milestone that it takes back."),
                condition=Q(retraction=False) | Q(cancels__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.on}"
