"""Who looked at a patient, and who may do what: the access report of a participant (DI-09) and the review of users and roles."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import Right
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import AccessRecord, User
from studies import access
from studies.models import Membership, Participant, Study
from studies.trail import kinds

VIEW, VIEW_CENTER, REVIEW = "audit.view", "audit.view_center", "access.review"
UUID_LENGTH = 36
RECENT = timedelta(days=90)
WORDS: dict[str, Promise] = {
    AccessRecord.Kind.READ: _("read"),
    AccessRecord.Kind.EXPORT: _("exported"),
    AccessRecord.Kind.REFUSAL: _("refused"),
}


@dataclass(frozen=True)
class AccessRow:
    """One line of the report: when, who, whether it was read, exported or refused, and which page or file."""

    at: datetime
    by: str
    kind: Promise
    what: str
    is_refusal: bool


@dataclass(frozen=True)
class Held:
    """A role of a person, and how the person used the platform lately."""

    membership: Membership
    last_sign_in: datetime | None
    reads: int
    exports: int
    refusals: int
    current: bool


def participants_for(user: User) -> QuerySet[Participant]:
    """The participants whose access report a person may see: all of his studies, or those of his center."""
    rows = access.participants_for(user, VIEW) | access.participants_for(user, VIEW_CENTER)
    return rows.distinct()


def access_records(participant: Participant) -> QuerySet[AccessRecord]:
    """Every read, export and refusal that named the participant or one of his records, and every export of the whole study since."""
    named = [str(uuid) for uuid in kinds.subjects(participant)]
    of_study = Q(kind=AccessRecord.Kind.EXPORT, detail__study=participant.study.code, at__gte=participant.enrolled_at)
    whole = of_study & ~Q(detail__has_key="participant")  # a file of one participant names him by its subject
    rows = AccessRecord.objects.annotate(named=Right("subject", UUID_LENGTH))
    return rows.filter(Q(named__in=named) | whole).order_by("-at", "-pk")


def access_rows(records: list[AccessRecord]) -> list[AccessRow]:
    """The records in words."""
    names = {user.username: str(user) for user in User.objects.filter(username__in={record.username for record in records})}
    return [
        AccessRow(
            at=record.at,
            by=names.get(record.username, record.username or "–"),
            kind=WORDS.get(record.kind, record.kind),  # type: ignore[call-overload]
            what=_what(record),
            is_refusal=record.kind == AccessRecord.Kind.REFUSAL,
        )
        for record in records
    ]


def _what(record: AccessRecord) -> str:
    if record.kind == AccessRecord.Kind.REFUSAL:
        return f"{record.detail.get('view', '')} {record.detail.get('status', '')}".strip()
    return record.subject.removesuffix(record.subject[-UUID_LENGTH:]).strip() if _ends_with_uuid(record.subject) else record.subject


def _ends_with_uuid(subject: str) -> bool:
    return len(subject) >= UUID_LENGTH and subject[-UUID_LENGTH:].count("-") == 4


def memberships(study: Study) -> QuerySet[Membership]:
    """Every role that was ever given in a study, those in force first, then by person."""
    return Membership.objects.filter(study=study).select_related("user", "center").order_by("until", "user__username", "pk")


def review(rows: list[Membership]) -> list[Held]:
    """Roles with what their holders did lately; one query for all of them."""
    since, today = timezone.now() - RECENT, timezone.localdate()
    counts: dict[str, Any] = {
        "last": Max("at", filter=Q(kind=AccessRecord.Kind.SIGN_IN)),
        "reads": Count("pk", filter=Q(kind=AccessRecord.Kind.READ, at__gte=since)),
        "exports": Count("pk", filter=Q(kind=AccessRecord.Kind.EXPORT, at__gte=since)),
        "refusals": Count("pk", filter=Q(kind=AccessRecord.Kind.REFUSAL, at__gte=since)),
    }
    used = AccessRecord.objects.filter(username__in={row.user.username for row in rows}).values("username").annotate(**counts)
    by_name = {one["username"]: one for one in used}
    found = []
    for row in rows:
        one = by_name.get(row.user.username, {"last": None, "reads": 0, "exports": 0, "refusals": 0})
        current = row.user.is_active and row.since <= today and (row.until is None or row.until >= today)
        found.append(Held(row, one["last"], one["reads"], one["exports"], one["refusals"], current))
    return found
