"""How far every line of the screening log is now, beside the records it is derived from: what lists filter, sort and count by."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Greatest

from studies import progress_lists
from studies.models.participant import Participant, Screening
from studies.models.study import Center, Study
from studies.vocabulary import ParticipantStatus, ScreeningStatus, Withdrawal


class Progress(models.Model):
    """One narrow row for each line, and for the participant who came of it: kept by triggers in the transaction of every write.

    Nothing here is entered and nothing changes with the day: what a list says about today compares `surgery_date` with it. The functions
    of the database behind it are in migration 0021; `studies.progress` holds them against the records. `visits_made` are codes
    between commas: `,M1,M3,`; `lists` are the bits of the lists in which the row stands; `known_alive` is the latest of the surgery,
    of an assessment and of a contact that was a sign of life.
    """

    screening = models.OneToOneField(Screening, models.PROTECT, related_name="progress")
    participant = models.OneToOneField(Participant, models.PROTECT, null=True, related_name="progress")
    study = models.ForeignKey(Study, models.PROTECT, related_name="+")
    center = models.ForeignKey(Center, models.PROTECT, related_name="+")
    surgery_date = models.DateField()
    status = models.CharField(max_length=20, choices=ScreeningStatus)
    verdict = models.CharField(max_length=20, blank=True)
    awaits_pathology = models.BooleanField()
    has_consent = models.BooleanField()
    exclusion_reason = models.CharField(max_length=40, blank=True)
    person_status = models.CharField(max_length=20, choices=ParticipantStatus, blank=True)
    withdrawal = models.CharField(max_length=20, choices=Withdrawal, blank=True)
    has_series = models.BooleanField()
    has_phases = models.BooleanField()
    has_slide = models.BooleanField()
    has_pathology = models.BooleanField()
    has_seal = models.BooleanField()
    has_treatment = models.BooleanField()
    has_closed_window = models.BooleanField()
    has_death = models.BooleanField()
    has_input_missing = models.BooleanField()
    forms_submitted = models.PositiveIntegerField()
    has_adjuvant = models.BooleanField(db_default=False)
    has_declaration = models.BooleanField(db_default=False)
    is_dead = models.BooleanField(db_default=False)
    visits_made = models.TextField(db_default="", blank=True)
    last_seen_alive = models.DateField(null=True)
    known_alive = models.GeneratedField(
        expression=Greatest("surgery_date", "last_seen_alive"), output_field=models.DateField(), db_persist=True
    )
    lists = models.GeneratedField(expression=progress_lists.standing(), output_field=models.IntegerField(), db_persist=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["study", "center", "surgery_date", "visits_made"], condition=progress_lists.FOLLOWED, name="progress_followed"
            ),
            models.Index(fields=["study", "center", "surgery_date", "lists"], name="progress_counted"),
            models.Index(fields=["study", "known_alive", "center"], condition=progress_lists.FOLLOWED, name="progress_silent"),
            models.Index(fields=["center", "surgery_date"]),
            models.Index(fields=["center", "verdict"], condition=Q(status=ScreeningStatus.SCREENED), name="progress_open_lines"),
        ]

    def __str__(self) -> str:
        return f"progress of {self.screening_id}"
