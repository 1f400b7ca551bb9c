"""That the person at the keyboard is who signed in: asked again for every signature (AU-04, 21 CFR 11.200).

Each factor is one function of the person and what was typed: the password, and the code of a second factor where there is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import audit, second_factor
from accounts.models import AccessRecord, User

ATTEMPTS = 5
WINDOW = timedelta(minutes=15)
SUBJECT = "reauthentication"


@dataclass(frozen=True)
class Proof:
    """What a person types to show that it is still he."""

    password: str
    code: str = ""

    def __repr__(self) -> str:
        return "Proof(…)"


def _password(user: User, proof: Proof) -> str:
    """The sentence for a wrong password, or nothing."""
    if user.check_password(proof.password):
        return ""
    return _("The password is not right. Type your own password, with which you signed in.")


def _code(user: User, proof: Proof) -> str:
    """The sentence for a wrong code of who has, or must have, a second factor."""
    return second_factor.check(user, proof.code) if second_factor.has(user) or second_factor.is_missing(user) else ""


FACTORS: dict[str, Callable[[User, Proof], str]] = {"password": _password, "code": _code}
"""Field of the form → what checks it; a sentence means no."""


@sensitive_variables("proof")
def confirm(user: User, proof: Proof) -> None:
    """Let pass who proves it. Raises ValidationError at the field that fails, and records the failure (AU-01).

    After five failures within a quarter of an hour nothing is tried any more; attempts at the same time wait for each other, so that
    each is counted. Call it outside the write's transaction, so that the record of a failure stays.
    """
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        refused = _refused(user, proof)
    if refused:
        raise ValidationError(refused)


@sensitive_variables("proof")
def _refused(user: User, proof: Proof) -> dict[str, str]:
    """The field that fails, with its sentence; the failure is recorded."""
    recent = AccessRecord.objects.filter(username=user.username, subject=SUBJECT, at__gte=timezone.now() - WINDOW)
    if recent.count() >= ATTEMPTS:
        return {"password": _("Too many wrong passwords. Wait a quarter of an hour, or ask for a new password.")}
    for field, check in FACTORS.items():
        if sentence := check(user, proof):
            audit.record(kind=AccessRecord.Kind.REFUSAL, by=user, subject=SUBJECT, detail={"factor": field})
            return {field: sentence}
    return {}
