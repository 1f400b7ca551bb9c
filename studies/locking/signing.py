"""Signing: a person's printed name, the time and a meaning, bound to the content it was given for (AU-04).

A signature holds while its content is what it was. It ends in two independent ways: a trigger marks it in the transaction of the
first change, and whoever looks compares the hashes, so that a change that went past the trigger shows too.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from accounts import audit
from accounts.models import User
from accounts.reauthentication import Proof, confirm
from studies.access import require
from studies.locking import content
from studies.locking.content import Content, Difference
from studies.locking.holding import hold
from studies.models import Center, Meaning, Participant, Signature

SIGN = "form.sign"
AT_ONCE = 200
"""How many participants one act signs at most."""


@dataclass(frozen=True)
class Standing:
    """A signature and what became of it: nothing in `changed` and no mark means that it holds."""

    signature: Signature
    changed: list[Difference]

    @property
    def holds(self) -> bool:
        return self.signature.invalidated_at is None and not self.changed


@sensitive_variables("proof")
def sign(*, participant: Participant, meaning: str, proof: Proof, by: User, seen: str = "", record: str = "", key: str = "") -> Signature:
    """Sign all records of a participant, or the one record named by its label and public id.

    `seen` is the digest that the signer's page showed; when it is given and the content has changed since, nothing is signed.
    Raises ValidationError (wrong password, changed meanwhile, nothing there), PermissionDenied.
    """
    require(by, SIGN, participant.center)
    confirm(by, proof)
    return _sign([participant], meaning=meaning, by=by, seen=seen, record=record, key=key)[0]


@sensitive_variables("proof")
def sign_center(*, center: Center, meaning: str, proof: Proof, by: User) -> list[Signature]:
    """Sign the casebook of a center: each participant without a signature of this meaning that holds, with one proof.

    At most AT_ONCE at a time. Raises ValidationError when there is none to sign, PermissionDenied.
    """
    require(by, SIGN, center)
    confirm(by, proof)
    found = unsigned(list(center.participants.order_by("pk").values_list("pk", flat=True)), meaning)[:AT_ONCE]
    if not found:
        raise ValidationError(_("Everything here is signed already."))
    return _sign(list(Participant.objects.filter(pk__in=found).order_by("pk")), meaning=meaning, by=by)


@transaction.atomic
def _sign(
    participants: Sequence[Participant], *, meaning: str, by: User, seen: str = "", record: str = "", key: str = ""
) -> list[Signature]:
    if meaning not in Meaning.values:
        raise ValidationError({"meaning": _("Say what your signature means.")})
    center = participants[0].center
    list(Participant.objects.select_for_update(no_key=True).filter(pk__in=[person.pk for person in participants]).order_by("pk"))
    hold(study=center.study_id, center=center.pk)
    present = content.of_participants([person.pk for person in participants])
    together = uuid4() if len(participants) > 1 else None
    made = []
    with audit.act(by=by, action="signature.given", center=center.code):
        for person in participants:
            signed = present[person.pk] if not record else content.of_record(present[person.pk], record, key)
            _check(signed, seen)
            made.append(_signature(person, signed, meaning=meaning, by=by, together=together, record=record, key=key))
    return made


def _check(signed: Content, seen: str) -> None:
    if not signed["records"]:
        raise ValidationError(_("There is nothing here to sign."))
    if seen and seen != content.digest(signed):
        raise ValidationError(_("The data changed while you looked at them. Look at them again, then sign."))


def _signature(person: Participant, signed: Content, *, meaning: str, by: User, together: UUID | None, record: str, key: str) -> Signature:
    signature = Signature(
        study_id=person.study_id,
        center_id=person.center_id,
        participant=person,
        record=record,
        record_uuid=UUID(key) if key else None,
        together=together,
        meaning=meaning,
        printed_name=by.display_name or by.username,
        content=signed,
        digest=content.digest(signed),
        signed_at=timezone.now(),
        signed_by=by,
    )
    signature.full_clean(exclude={"content"})
    signature.save()
    return signature


def standings(participants: Iterable[int], *, meaning: str = "", record: str = "", key: str = "") -> dict[int, Standing | None]:
    """The last signature of each participant (by key), of that meaning where one is named, and whether it holds; two queries in all."""
    wanted = list(participants)
    rows = Signature.objects.filter(participant__in=wanted, record=record, record_uuid=UUID(key) if key else None)
    rows = rows.filter(meaning=meaning) if meaning else rows
    last = {row.participant_id: row for row in rows.select_related("signed_by").order_by("signed_at", "pk")}
    present = content.of_participants(last)
    return {pk: _standing(last[pk], present[pk]) if pk in last else None for pk in wanted}


def unsigned(participants: Sequence[int], meaning: str = Meaning.APPROVED) -> list[int]:
    """Those of the participants (by key) who have no signature of this meaning that holds."""
    rows = Signature.objects.filter(participant__in=participants, record="", meaning=meaning, invalidated_at=None)
    last = {row.participant_id: row for row in rows.order_by("signed_at", "pk")}
    present = content.of_participants(last)
    held = {pk for pk, row in last.items() if _standing(row, present[pk]).holds}
    return [pk for pk in participants if pk not in held]


def given(participant: Participant, *, record: str = "", key: str = "") -> list[Signature]:
    """Every signature over the participant, or over one record of his, newest first."""
    rows = Signature.objects.filter(participant=participant, record=record, record_uuid=UUID(key) if key else None)
    return list(rows.select_related("signed_by").order_by("-signed_at", "-pk"))


def _standing(signature: Signature, present: Content) -> Standing:
    now = content.of_record(present, signature.record, str(signature.record_uuid)) if signature.record else present
    return Standing(signature, content.differences(signature.content, now))


def verify() -> Iterator[str]:
    """Whether each stored content still hashes to what was signed; a sentence per fault."""
    for signature in Signature.objects.order_by("pk").iterator():
        if content.digest(signature.content) != signature.digest:
            yield f"signature {signature.uuid}: what is stored as signed is not what the hash was made of"
