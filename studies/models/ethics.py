"""What an ethics committee allowed a center: the periods of its approvals, and the versions of the consent form."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from accounts import audit
from studies.models.participant import Consent, never_deleted
from studies.models.study import Center
from studies.vocabulary import EthicsKind, Resigning

USER = settings.AUTH_USER_MODEL


@audit.tracked()
class EthicsApproval(models.Model):
    """One approval of a center's ethics committee, with its first and last day; a review that goes on is another row (EN-03)."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="ethics_approvals")
    kind = models.CharField(max_length=20, choices=EthicsKind, default=EthicsKind.INITIAL)
    number = models.CharField(max_length=100)
    valid_from = models.DateField()
    valid_until = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["valid_from", "pk"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "number"],
                name="ethics_number_once_per_center",
                violation_error_message=_("An approval of this number is on file for this center already."),
            ),
            models.CheckConstraint(
                name="ethics_ends_after_it_begins",
                violation_error_message=_("An approval ends on or after the day it begins."),
                condition=Q(valid_until__gte=F("valid_from")),
            ),
            models.CheckConstraint(
                name="ethics_known_kind",
                violation_error_message=_("An approval is the first one, a continuing review or an amendment."),
                condition=Q(kind__in=EthicsKind.values),
            ),
        ]

    def __str__(self) -> str:
        return self.number


@audit.tracked()
class ConsentVersion(models.Model):
    """A version of the consent form that a center's ethics committee approved, and who has to sign it again.

    `covers_earlier` says whether a signature on it also covers what was collected before that day.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    center = models.ForeignKey(Center, models.PROTECT, related_name="consent_versions")
    code = models.CharField(max_length=40)
    approval = models.ForeignKey(EthicsApproval, models.PROTECT, related_name="consent_versions")
    valid_from = models.DateField()
    valid_until = models.DateField(null=True, blank=True)
    reconsent = models.CharField(max_length=20, choices=Resigning, default=Resigning.NONE)
    reconsent_by = models.DateField(null=True, blank=True)
    covers_earlier = models.BooleanField(default=True)
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["valid_from", "pk"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(
                fields=["center", "code"],
                name="consentversion_code_once_per_center",
                violation_error_message=_("This center has a version of that name already."),
            ),
            models.CheckConstraint(
                name="consentversion_ends_after_it_begins",
                violation_error_message=_("A version ends on or after the day it begins."),
                condition=Q(valid_until=None) | Q(valid_until__gte=F("valid_from")),
            ),
            models.CheckConstraint(
                name="consentversion_date_iff_all_sign_again",
                violation_error_message=_("Where everybody signs again there is a day by which; otherwise there is none."),
                condition=Q(reconsent=Resigning.ALL, reconsent_by__gte=F("valid_from"))
                | Q(reconsent__in=[Resigning.ON_NEXT_VISIT, Resigning.NONE], reconsent_by=None),
            ),
        ]

    def __str__(self) -> str:
        return self.code


@audit.tracked()
class Reconsent(models.Model):
    """A newer version of the form, signed later by who consented before; the first consent stays as it was."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    consent = models.ForeignKey(Consent, models.PROTECT, related_name="renewals")
    version = models.ForeignKey(ConsentVersion, models.PROTECT, related_name="renewals")
    signed_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by = models.ForeignKey(USER, models.PROTECT, related_name="+")

    class Meta:
        ordering = ["signed_on", "pk"]
        triggers = [never_deleted()]
        constraints = [
            models.UniqueConstraint(
                fields=["consent", "version"],
                name="reconsent_once_per_version",
                violation_error_message=_("This version is recorded as signed already."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.version} {self.signed_on}"
