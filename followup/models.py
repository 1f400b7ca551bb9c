"""What happened after surgery: treatment, visits, assessments, recurrence, death, contacts.

Dates are ISO 8601 text that may stop at the month or year, as CDISC's --DTC columns do: `2026`, `2026-05`, `2026-05-03`
(EP-09). Nothing is ever deleted: a row entered in error is voided with a reason and stays to be read (AU-03).
"""

import uuid

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from accounts import audit
from followup.targets import LARGEST_MM, MOST_PER_ORGAN, MOST_TARGETS, SMALLEST_MM
from followup.vocabulary import (
    ALIVE,
    Channel,
    Conclusion,
    Confirmation,
    ContactOutcome,
    DeathCause,
    DrugClass,
    Finding,
    Intent,
    Modality,
    NonTargets,
    NotAssessable,
    Place,
    RecurrenceNumber,
    RecurrencePattern,
    RecurrenceSite,
    TargetOrgan,
    Treatment,
    Vital,
)
from studies.models import Participant

USER = settings.AUTH_USER_MODEL
PARTIAL_DATE = r"^[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?$"
MONTH_AT_LEAST = r"^[0-9]{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?$"


class PartialDateField(models.CharField):
    """An ISO 8601 date with the precision it was known in."""

    def __init__(self, **options: object) -> None:
        options.setdefault("max_length", 10)
        options.setdefault("validators", [RegexValidator(PARTIAL_DATE)])
        super().__init__(**options)


class InForce(models.QuerySet):
    """Rows that were not entered in error."""

    def in_force(self) -> "InForce":
        return self.filter(voided_at=None)


def entered(name: str, *conditions: models.CheckConstraint) -> list[models.BaseConstraint]:
    """The constraints of every table here: a voided row says who and when, besides the table's own `conditions`."""
    pair = Q(voided_at=None, voided_by=None) | Q(voided_at__isnull=False, voided_by__isnull=False)
    return [models.CheckConstraint(name=f"{name}_voided_pair", condition=pair), *conditions]


class Entry(models.Model):
    """What every row of this room has: whose it is, who typed it when, and whether it was entered in error."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")
    voided_at = models.DateTimeField(null=True, blank=True)
    voided_by = models.ForeignKey(USER, models.PROTECT, null=True, blank=True, related_name="+")

    objects = InForce.as_manager()

    class Meta:
        abstract = True
        triggers = [pgtrigger.Protect(name="never_deleted", operation=pgtrigger.Delete)]


@audit.tracked()
class TreatmentCourse(Entry):
    """One course of treatment (TX-01); `decided_on` is the recorded decision, where the file has one (docs/sealing.md)."""

    kind = models.CharField(max_length=20, choices=Treatment)
    drug = models.CharField(max_length=100, blank=True)
    drug_class = models.CharField(max_length=20, choices=DrugClass, blank=True)
    intent = models.CharField(max_length=20, choices=Intent)
    start = PartialDateField()
    end = PartialDateField(blank=True)
    decided_on = models.DateField(null=True, blank=True)
    place = models.CharField(max_length=20, choices=Place, default=Place.HERE)
    source = models.CharField(max_length=200)

    class Meta(Entry.Meta):
        constraints = entered(
            "course",
            models.CheckConstraint(name="course_known_kind", condition=Q(kind__in=Treatment.values, intent__in=Intent.values)),
            models.CheckConstraint(name="course_start_is_a_date", condition=Q(start__regex=PARTIAL_DATE)),
            models.CheckConstraint(
                name="course_ends_after_it_starts", condition=Q(end="") | Q(end__regex=PARTIAL_DATE, end__gte=models.F("start"))
            ),
            models.CheckConstraint(
                name="course_systemic_has_its_drug",
                violation_error_message="Systemic therapy needs its drug and the class of the drug.",
                condition=~Q(kind=Treatment.SYSTEMIC) | (~Q(drug="") & ~Q(drug_class="")),
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.start}"


@audit.tracked()
class NoAdjuvantDeclaration(Entry):
    """The positive statement that no adjuvant therapy was given in the window, here or elsewhere, with its source."""

    declared_on = models.DateField()
    source = models.CharField(max_length=200)

    class Meta(Entry.Meta):
        constraints = entered(
            "noadjuvant", models.UniqueConstraint(fields=["participant"], condition=Q(voided_at=None), name="noadjuvant_declared_once")
        )

    def __str__(self) -> str:
        return f"no adjuvant therapy, {self.declared_on}"


@audit.tracked()
class Assessment(Entry):
    """An imaging (or biopsy) look at whether the tumour came back, at a planned visit or between visits."""

    visit = models.CharField(max_length=10, blank=True, help_text="code of the planned visit, for example M3; empty when unscheduled")
    on = models.DateField()
    modality = models.CharField(max_length=10, choices=Modality)
    adequate = models.BooleanField(help_text="whether it could have shown a recurrence (EP-03)")
    finding = models.CharField(max_length=20, choices=Finding)
    place = models.CharField(max_length=20, choices=Place, default=Place.HERE)

    class Meta(Entry.Meta):
        constraints = entered(
            "assessment",
            models.UniqueConstraint(
                fields=["participant", "visit"], condition=Q(voided_at=None) & ~Q(visit=""), name="assessment_once_per_visit"
            ),
            models.CheckConstraint(name="assessment_known_finding", condition=Q(finding__in=Finding.values, modality__in=Modality.values)),
            models.CheckConstraint(
                name="assessment_inadequate_shows_nothing",
                violation_error_message="A check that could not have shown a recurrence cannot show its absence: choose “not assessable”.",
                condition=Q(adequate=True) | ~Q(finding=Finding.FREE),
            ),
        )

    def __str__(self) -> str:
        return f"{self.visit or self.modality} {self.on}"


@audit.tracked()
class Recurrence(Entry):
    """The first recurrence: first seen, later confirmed. Its date is the first sight (EP-02)."""

    first_seen_on = models.DateField()
    confirmed_on = models.DateField(null=True, blank=True)
    site = models.CharField(max_length=20, choices=RecurrenceSite)
    modality = models.CharField(max_length=10, choices=Modality)
    number = models.CharField(max_length=10, choices=RecurrenceNumber, blank=True)
    pattern = models.CharField(max_length=20, choices=RecurrencePattern, blank=True)
    confirmed_by = models.CharField(max_length=10, choices=Confirmation, blank=True)

    class Meta(Entry.Meta):
        constraints = entered(
            "recurrence",
            models.UniqueConstraint(fields=["participant"], condition=Q(voided_at=None), name="recurrence_first_only"),
            models.CheckConstraint(
                name="recurrence_confirmed_after_seen", condition=Q(confirmed_on=None) | Q(confirmed_on__gte=models.F("first_seen_on"))
            ),
            models.CheckConstraint(
                name="recurrence_confirmed_by_something_on_a_day",
                violation_error_message="What confirmed a recurrence has a day: give the day of confirmation.",
                condition=Q(confirmed_by="") | Q(confirmed_on__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return f"recurrence {self.first_seen_on}"


@audit.tracked()
class Death(Entry):
    """The death of a participant, known to the month at least (EP-09)."""

    on = PartialDateField(validators=[RegexValidator(MONTH_AT_LEAST)])
    cause = models.CharField(max_length=20, choices=DeathCause)
    source = models.CharField(max_length=200, blank=True)

    class Meta(Entry.Meta):
        constraints = entered(
            "death",
            models.UniqueConstraint(fields=["participant"], condition=Q(voided_at=None), name="death_once"),
            models.CheckConstraint(name="death_month_at_least", condition=Q(on__regex=MONTH_AT_LEAST)),
        )

    def __str__(self) -> str:
        return f"death {self.on}"


@audit.tracked()
class Contact(Entry):
    """A call, letter or visit that tells, or fails to tell, whether the participant lives (EP-06, EP-11).

    `vital` is empty in rows from before it was asked: then the outcome says it (`vocabulary.SIGN_OF_LIFE`).
    """

    on = models.DateField()
    outcome = models.CharField(max_length=20, choices=ContactOutcome)
    channel = models.CharField(max_length=10, choices=Channel, default=Channel.CALL)
    vital = models.CharField(max_length=10, choices=Vital, blank=True)

    class Meta(Entry.Meta):
        constraints = entered(
            "contact",
            models.CheckConstraint(name="contact_known_outcome", condition=Q(outcome__in=ContactOutcome.values)),
            models.CheckConstraint(name="contact_known_channel", condition=Q(channel__in=Channel.values, vital__in=["", *Vital.values])),
            models.CheckConstraint(
                name="contact_learns_from_somebody",
                violation_error_message="Nobody was reached, so nothing was learned of the participant: choose “not learned”.",
                condition=Q(vital__in=["", Vital.UNKNOWN]) | Q(outcome__in=ALIVE) | Q(channel=Channel.REGISTRY),
            ),
        )

    def __str__(self) -> str:
        return f"{self.outcome} {self.on}"


class AdjudicationCase(models.Model):
    """A course after surgery as known on `cutoff`, to be read by the committee; `code` is all that tells a reader which it is (EP-12)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    participant = models.ForeignKey(Participant, models.PROTECT, related_name="+")
    code = models.CharField(max_length=8, unique=True)
    cutoff = models.DateField()
    opened_at = models.DateTimeField()
    opened_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        triggers = [audit.append_only()]
        constraints = [models.UniqueConstraint(fields=["participant", "cutoff"], name="adjudicationcase_once_a_day")]

    def __str__(self) -> str:
        return self.code


class CaseReading(models.Model):
    """What one reader concluded of a case, as the first, second or third; `first_seen_day` counts from surgery. Never changed."""

    case = models.ForeignKey(AdjudicationCase, models.PROTECT, related_name="readings")
    place = models.PositiveSmallIntegerField()
    reader = models.ForeignKey(USER, models.PROTECT, related_name="+")
    conclusion = models.CharField(max_length=20, choices=Conclusion)
    first_seen_day = models.PositiveIntegerField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(fields=["case", "place"], name="casereading_place_once"),
            models.UniqueConstraint(fields=["case", "reader"], name="casereading_reader_once"),
            models.CheckConstraint(name="casereading_at_most_three", condition=Q(place__in=[1, 2, 3])),
            models.CheckConstraint(
                name="casereading_recurrence_has_its_day",
                violation_error_message="A recurrence has the examination that showed it first, and nothing else has one.",
                condition=Q(conclusion=Conclusion.RECURRENCE, first_seen_day__isnull=False)
                | (Q(conclusion__in=[Conclusion.FREE, Conclusion.NOT_EVALUABLE]) & Q(first_seen_day=None)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} {self.place}"


def _between(edge: str, sign: str) -> models.Func:
    """Whether a day lies before (`<`) or after (`>`) all of the scans between."""
    every = {"arg_joiner": f" {sign} ALL (", "template": "(%(expressions)s))"}  # in the order of the alphabet, as a migration writes it
    return models.Func(models.F(edge), models.F("between"), output_field=models.BooleanField(), **every)


@audit.tracked()
class ResponseCase(Entry):
    """How tumours answered treatment at a scan, compared with baseline and the scans between, is asked; readers know the `code` alone."""

    code = models.CharField(max_length=8, unique=True)
    baseline_on = models.DateField()
    between = ArrayField(models.DateField(), default=list, blank=True)
    scan_on = models.DateField()

    class Meta(Entry.Meta):
        constraints = entered(
            "responsecase",
            models.UniqueConstraint(
                fields=["participant", "baseline_on", "scan_on"],
                condition=Q(voided_at=None),
                name="responsecase_asked_once",
                violation_error_message="The response at this scan has been asked for already.",
            ),
            models.CheckConstraint(
                name="responsecase_scan_after_baseline",
                violation_error_message="The scan comes after baseline.",
                condition=Q(scan_on__gt=models.F("baseline_on")),
            ),
            models.CheckConstraint(name="responsecase_between_after_baseline", condition=_between("baseline_on", "<")),
            models.CheckConstraint(name="responsecase_between_before_scan", condition=_between("scan_on", ">")),
        )

    def __str__(self) -> str:
        return f"response {self.scan_on}"


class ResponseReading(models.Model):
    """What one reader found at a scan, as the first, second or third; its category follows from it (`targets.assess`). Never changed."""

    case = models.ForeignKey(ResponseCase, models.PROTECT, related_name="readings")
    place = models.PositiveSmallIntegerField()
    reader = models.ForeignKey(USER, models.PROTECT, related_name="+")
    not_assessable = models.CharField(max_length=20, choices=NotAssessable, blank=True)
    new_lesion = models.BooleanField()
    non_target = models.CharField(max_length=20, choices=NonTargets)
    note = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField()

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(fields=["case", "place"], name="responsereading_place_once"),
            models.UniqueConstraint(fields=["case", "reader"], name="responsereading_reader_once"),
            models.CheckConstraint(name="responsereading_at_most_three", condition=Q(place__in=[1, 2, 3])),
            models.CheckConstraint(
                name="responsereading_known_words",
                condition=Q(non_target__in=NonTargets.values, not_assessable__in=["", *NotAssessable.values]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.case} {self.place}"


class ResponseTarget(models.Model):
    """One lesion that a reader measured, in mm; `of_organ` counts the lesions of its organ. Never changed."""

    reading = models.ForeignKey(ResponseReading, models.PROTECT, related_name="targets")
    place = models.PositiveSmallIntegerField()
    organ = models.CharField(max_length=20, choices=TargetOrgan)
    of_organ = models.PositiveSmallIntegerField()
    baseline_mm = models.DecimalField(max_digits=4, decimal_places=1)
    between_mm = ArrayField(models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True), default=list, blank=True)
    scan_mm = models.DecimalField(max_digits=4, decimal_places=1, null=True, blank=True)

    class Meta:
        triggers = [audit.append_only()]
        constraints = [
            models.UniqueConstraint(fields=["reading", "place"], name="responsetarget_place_once"),
            models.UniqueConstraint(fields=["reading", "organ", "of_organ"], name="responsetarget_organ_place_once"),
            models.CheckConstraint(name="responsetarget_at_most_five", condition=Q(place__range=(1, MOST_TARGETS))),
            models.CheckConstraint(
                name="responsetarget_two_of_an_organ", condition=Q(of_organ__range=(1, MOST_PER_ORGAN), organ__in=TargetOrgan.values)
            ),
            models.CheckConstraint(name="responsetarget_measurable", condition=Q(baseline_mm__range=(SMALLEST_MM, LARGEST_MM))),
            models.CheckConstraint(name="responsetarget_size", condition=Q(scan_mm=None) | Q(scan_mm__range=(0, LARGEST_MM))),
        ]

    def __str__(self) -> str:
        return f"{self.reading} target {self.place}"
