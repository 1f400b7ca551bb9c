"""How many resections a center did in a month: what the screening log is held against (EN-01)."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.study import Center


@audit.tracked()
class SurgeryCount(models.Model):
    """The center's own count of HCC resections in one month; `month` is its first day."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="surgery_counts")
    month = models.DateField()
    resections = models.PositiveIntegerField()
    reported_at = models.DateTimeField()
    reported_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["center__code", "month"]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "month"],
                name="surgerycount_once_a_month",
                violation_error_message=_("The count of this month is reported already."),
            ),
            models.CheckConstraint(
                name="surgerycount_first_of_month",
                violation_error_message=_("A month is named by its first day."),
                condition=Q(month__day=1),
            ),
            models.CheckConstraint(
                name="surgerycount_possible",
                violation_error_message=_("A center does at most 2,000 resections in a month."),
                condition=Q(resections__lte=2000),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.center.code} {self.month:%Y-%m}"
