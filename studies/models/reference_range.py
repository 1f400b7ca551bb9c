"""Between which limits a laboratory reports a value as normal: by center, test, method and date."""

import uuid

from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, IntegerRangeField, RangeOperators
from django.db import models
from django.db.models import Case, F, Func, Q, Value, When
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import never_deleted
from studies.models.study import Center
from studies.vocabulary import Sex

_DAYS = Func(F("valid_from"), F("valid_until"), Value("[]"), function="daterange", output_field=DateRangeField())
_SEXES = Case(
    When(sex=Sex.MALE, then=Func(Value(0), Value(1), function="int4range")),
    When(sex=Sex.FEMALE, then=Func(Value(1), Value(2), function="int4range")),
    default=Func(Value(0), Value(2), function="int4range"),
    output_field=IntegerRangeField(),
)


@audit.tracked()
class ReferenceRange(models.Model):
    """The reference range of one test at a center from a day on; written by `studies.laboratory.ranges`.

    Limits are as the laboratory prints them, in `unit`. An empty `method` or `sex` means that the laboratory does not tell them
    apart; `valid_until` is the last day. On one day, of one method and sex, there is one range: the database refuses a second.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="reference_ranges")
    item = models.CharField(max_length=60)
    method = models.CharField(max_length=60, blank=True)
    sex = models.CharField(max_length=1, blank=True, choices=[(Sex.MALE, Sex.MALE.label), (Sex.FEMALE, Sex.FEMALE.label)])
    low = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    high = models.DecimalField(max_digits=18, decimal_places=6, null=True, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    valid_from = models.DateField()
    valid_until = models.DateField(null=True, blank=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["item", "method", "sex", "-valid_from"]
        triggers = [never_deleted()]
        constraints = [
            ExclusionConstraint(
                name="reference_range_once_a_day",
                expressions=[
                    ("center", RangeOperators.EQUAL),
                    ("item", RangeOperators.EQUAL),
                    ("method", RangeOperators.EQUAL),
                    (_SEXES, RangeOperators.OVERLAPS),
                    (_DAYS, RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("For this test, method and sex another range holds on some of these days. End that one first."),
            ),
            models.CheckConstraint(
                name="reference_range_has_a_limit",
                violation_error_message=_("A reference range has a lower or an upper limit."),
                condition=Q(low__isnull=False) | Q(high__isnull=False),
            ),
            models.CheckConstraint(
                name="reference_range_in_order",
                violation_error_message=_("The lower limit lies below the upper one."),
                condition=Q(low=None) | Q(high=None) | Q(low__lt=F("high")),
            ),
            models.CheckConstraint(
                name="reference_range_ends_after_it_begins",
                violation_error_message=_("A reference range ends on or after the day it begins."),
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
            ),
            models.CheckConstraint(
                name="reference_range_known_sex",
                violation_error_message=_("A reference range is for men, for women or for both."),
                condition=Q(sex__in=["", Sex.MALE, Sex.FEMALE]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item} from {self.valid_from}"
