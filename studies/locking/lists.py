"""The lists of this part: who is to be signed, what is locked, which requests wait. Counts are the lengths of the lists they open."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from studies import access
from studies.lists import choices
from studies.locking import locks, signing
from studies.locking.signing import SIGN, Standing
from studies.models import Lock, Meaning, Participant, Signature, Strength, UnlockRequest, UnlockStatus
from studies.paging import page_of

SIGN_FILTERS: dict[str, Promise] = {"open": _("To sign"), "void": _("Signature void"), "signed": _("Signed"), "all": _("All")}
_SIGN: dict[str, Q] = {
    "open": Q(is_signed=False),
    "void": Q(is_signed=False, was_signed=True),
    "signed": Q(is_signed=True),
    "all": Q(),
}
LOCK_FILTERS: dict[str, Promise] = {
    "waiting": _("Unlock requests"), "open": _("Open for a while"), "locked": _("Locked"), "frozen": _("Frozen"), "all": _("All"),
}  # fmt: skip


@dataclass(frozen=True)
class SignRow:
    """A participant and how the approval of all of his records stands."""

    participant: Participant
    standing: Standing | None

    @property
    def state(self) -> str:
        if self.standing is None:
            return "unsigned"
        return "signed" if self.standing.holds else "signature_void"


def to_sign(user: User) -> QuerySet[Participant]:
    """The participants a person may sign, or, who signs none, may see; annotated with whether an approval stands."""
    given = _approvals().filter(participant=OuterRef("pk"))
    return _whose(user).annotate(is_signed=Exists(given.filter(invalidated_at=None)), was_signed=Exists(given))


def sign_counts(user: User) -> dict[str, int]:
    """How long each of the lists of SIGN_FILTERS is, counted over the approvals that were given: two queries."""
    everybody = _whose(user)
    given = _approvals().filter(participant__in=everybody.values("pk"))
    ever = Count("participant", distinct=True)
    n = given.aggregate(ever=ever, standing=Count("participant", distinct=True, filter=Q(invalidated_at=None)))
    total = everybody.count()
    return {"all": total, "open": total - n["standing"], "void": n["ever"] - n["standing"], "signed": n["standing"]}


def _whose(user: User) -> QuerySet[Participant]:
    signs = access.centers_for(user, SIGN).exists()
    return access.participants_for(user, SIGN) if signs else access.participants_for(user)


def _approvals() -> QuerySet[Signature]:
    return Signature.objects.filter(record="", meaning=Meaning.APPROVED)


def unsigned(user: User) -> QuerySet[Participant]:
    """The participants who wait for a signature."""
    return to_sign(user).filter(_SIGN["open"])


def sign_list(user: User, *, state: str, after: str) -> dict[str, Any]:
    """What do I sign?"""
    rows, counts = to_sign(user), sign_counts(user)
    state, filters = choices(SIGN_FILTERS, counts, state)
    page = page_of(rows.filter(_SIGN[state]), after, total=counts[state])
    standing = signing.standings([row.pk for row in page.rows], meaning=Meaning.APPROVED)
    return {
        "rows": [SignRow(row, standing[row.pk]) for row in page.rows],
        "filters": filters,
        "total": page.total,
        "next_url": f"?state={state}&after={page.after}" if page.after else "",
        "first_url": "" if page.is_first else f"?state={state}",
    }


def requests_waiting(user: User) -> QuerySet[UnlockRequest]:
    """The unlock requests that wait for an answer."""
    return locks.requests_for(user).filter(status=UnlockStatus.OPEN, expires_at__gt=timezone.now())


def lock_list(user: User, *, state: str, after: str) -> dict[str, Any]:
    """What is locked, what is open, who asks?"""
    rows, opened = locks.locks_for(user).filter(released_at=None), Q(open_until__gt=timezone.now())
    conditions = {
        "open": opened,
        "locked": Q(strength=Strength.LOCK) & (Q(open_until=None) | ~opened),
        "frozen": Q(strength=Strength.FREEZE),
    }
    counts = rows.aggregate(all=Count("pk"), **{code: Count("pk", filter=rule) for code, rule in conditions.items()})
    waiting = requests_waiting(user)
    state, filters = choices(LOCK_FILTERS, counts | {"waiting": waiting.count()}, state)
    page = page_of(waiting if state == "waiting" else rows.filter(conditions.get(state, Q())), after)
    return {
        "rows": page.rows if state == "waiting" else [(row, state_of(row), address(row)) for row in page.rows],
        "requests": state == "waiting",
        "filters": filters,
        "total": page.total,
        "next_url": f"?state={state}&after={page.after}" if page.after else "",
        "first_url": "" if page.is_first else f"?state={state}",
    }


def address(lock: Lock) -> str:
    """The page of what a lock covers."""
    if lock.record_uuid or lock.participant:
        return reverse("lock", args=[lock.record_uuid or lock.participant.uuid])  # type: ignore[union-attr]
    return reverse("center-lock", args=[lock.center.uuid]) if lock.center else reverse("study-lock")


def state_of(lock: Lock) -> str:
    """The word of the status vocabulary for a lock."""
    if lock.strength == Strength.FREEZE:
        return "frozen"
    return "locked" if lock.in_force() else "unlocked"
