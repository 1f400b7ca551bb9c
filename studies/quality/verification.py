"""Which fields are to be compared with the hospital's record, and marking them as compared (AU-06).

Critical fields are verified for every participant, sampled ones for a share that a keyed draw decides, the same for ever. A mark
holds for one value: when the value changes, the field is due again. The rows are brought in line by every save and by every run of
the edit checks.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import Installation, User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from studies.access import participants_for, require
from studies.models import Participant, Verification
from studies.quality import rules, sources
from studies.quality.pointer import Pointer
from studies.quality.sources import Held
from studies.vocabulary import VerificationClass

VERIFY = "source.verify"
DUE = ~Q(value_hash="") & ~Q(verified_hash=F("value_hash"))
"""The condition on fields that hold a value nobody has compared yet."""
FILTERS: dict[str, Q] = {
    "due": Q(has_due=True),
    "critical": Q(has_critical=True),
    "sampled": Q(has_sampled=True),
    "complete": Q(has_due=False),
    "all": Q(),
}
"""The lists of participants by what is due, conditions on rows annotated by `annotated`."""


def annotated(user: User) -> QuerySet[Participant]:
    """The participants whose fields a person verifies, with whether something of each class is due."""
    due = Verification.objects.filter(DUE, participant=OuterRef("pk"))
    rows = participants_for(user, VERIFY)
    return rows.annotate(
        has_due=Exists(due),
        has_critical=Exists(due.filter(why=VerificationClass.CRITICAL)),
        has_sampled=Exists(due.filter(why=VerificationClass.SAMPLED)),
    )


def due(user: User) -> QuerySet[Participant]:
    """The participants with something to compare: whom one row of theirs waits for is found from those rows."""
    return participants_for(user, VERIFY).filter(pk__in=Verification.objects.filter(DUE).values("participant"))


def is_sampled(participant: Participant, form: str, percent: int, key: str) -> bool:
    """Whether the sampled fields of a form are drawn for a participant: keyed, and the same whenever it is asked."""
    drawn = hashlib.sha256(f"prime/sample/1\0{key}\0{participant.uuid}\0{form}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") * 100 < percent * 2**64


def fingerprint(stored: str) -> str:
    """What a mark holds for: the hash of a stored value."""
    return hashlib.sha256(stored.encode()).hexdigest()


@transaction.atomic
def refresh(participants: Sequence[Participant], held: Iterable[Held]) -> None:
    """Bring the rows of these participants in line with what the rooms hold of them; the caller holds their locks."""
    wanted = {each.pointer: each for each in _to_verify(participants, held)}
    rows = {_pointer(row): row for row in Verification.objects.filter(participant__in=participants)}
    people = {each.pk: each for each in participants}
    fresh = [_new(held, people[held.participant]) for at, held in wanted.items() if at not in rows]
    changed = []
    for at, row in rows.items():
        now = fingerprint(wanted[at].stored) if at in wanted else ""
        if row.value_hash != now:
            row.value_hash = now
            changed.append(row)
    if fresh or changed:
        with audit.act(by=User.objects.system(), action="verification.listed"):
            Verification.objects.bulk_create(fresh)
            Verification.objects.bulk_update(changed, ["value_hash"])


@transaction.atomic
def verify(*, participant: Participant, seen: Mapping[UUID, str], source: str, by: User) -> list[Verification]:
    """Mark fields as compared with a source: row uuid → hash of the value that was looked at.

    Raises ValidationError without a source or a field, NotAllowedNow when a value changed since it was shown.
    """
    require(by, VERIFY, participant.center)
    if not source.strip():
        raise ValidationError({"source": _("Say against which source: operation note, pathology report, laboratory print.")})
    if not seen:
        raise ValidationError({"field": _("Mark the fields that were compared.")})
    participant = (
        Participant.objects.select_for_update(no_key=True, of=("self",))
        .select_related("study", "center", "screening")
        .get(pk=participant.pk)
    )
    refresh([participant], sources.held([participant]))
    rows = list(Verification.objects.filter(participant=participant, uuid__in=seen).exclude(value_hash="").order_by("pk"))
    if len(rows) != len(seen) or any(row.value_hash != seen[row.uuid] for row in rows):
        raise NotAllowedNow(_("A value changed while you looked at it. Reload the page and compare it again."))
    with audit.act(by=by, action="source.verified", reason=source.strip()):
        for row in rows:
            row.verified_hash, row.source, row.verified_at, row.verified_by = row.value_hash, source.strip(), timezone.now(), by
            save_checked(row)
    return rows


@transaction.atomic
def take_back(*, row: Verification, reason: str, by: User) -> Verification:
    """Take a mark back that was set in error, saying why."""
    require(by, VERIFY, row.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why the mark is taken back; the reason stays in the history.")})
    row = Verification.objects.select_for_update(of=("self",)).get(pk=row.pk)
    if not row.verified_hash:
        raise NotAllowedNow(_("This field is not marked as compared."))
    row.verified_hash, row.source, row.verified_at, row.verified_by = "", "", None, None
    with audit.act(by=by, action="source.mark_taken_back", reason=reason.strip()):
        row.save()
    return row


def _to_verify(participants: Sequence[Participant], held: Iterable[Held]) -> Iterable[Held]:
    key = str(Installation.objects.values_list("uuid", flat=True).get())
    people = {each.pk: (each, rules.in_force(each.study.protocol_id).sampled_percent) for each in participants}
    for each in held:
        person, percent = people[each.participant]
        if each.verification == "critical" or (each.verification == "sampled" and is_sampled(person, each.form, percent, key)):
            yield each


def _new(held: Held, participant: Participant) -> Verification:
    at = held.pointer
    return Verification(
        center_id=participant.center_id, participant=participant, record=at.record, record_uuid=at.uuid, field=at.field,
        why=held.verification, value_hash=fingerprint(held.stored),
    )  # fmt: skip


def _pointer(row: Verification) -> Pointer:
    return Pointer(row.record, row.record_uuid, row.field)
