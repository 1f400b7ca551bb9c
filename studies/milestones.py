"""Milestones: how a room above tells the participant's or the center's timeline that something happened (docs/formats.md j).

These functions are steps of a larger write: the caller opened the transaction and `audit.act`, and asked for permission.
"""

from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow
from studies.models import Center, Milestone, Participant


def in_force() -> QuerySet[Milestone]:
    """The milestones that pages show: not cancelled, and no mere retraction of another."""
    return Milestone.objects.filter(cancelled_by=None, retraction=False)


@transaction.atomic
def record(
    *,
    kind: str,
    on: date,
    by: User,
    participant: Participant | None = None,
    center: Center | None = None,
    ref: UUID | None = None,
    url_name: str = "",
    cancels: Milestone | None = None,
) -> Milestone:
    """Record that something happened to one participant or one center on a day; recorded twice, it stands once.

    `ref` and `url_name` let a page link to the record it came from (never for `sealed`); `cancels` names the milestone that
    this one replaces. Raises ValidationError for a kind that does not fit its subject, NotAllowedNow when already cancelled.
    """
    now = _lock(participant, center)
    same = in_force().filter(participant=participant, center=center, kind=kind, on=on, ref_uuid=ref)
    if cancels is None and (known := same.first()):
        return known
    milestone = Milestone(
        participant=participant,
        center=center,
        kind=kind,
        on=on,
        ref_uuid=ref,
        url_name=url_name,
        cancels=cancels,
        recorded_at=now,
        recorded_by=by,
    )
    return _save(milestone)


@transaction.atomic
def retract(*, milestone: Milestone, by: User) -> Milestone:
    """Take a milestone out of force without another in its place: it was entered in error."""
    now = _lock(milestone.participant, milestone.center)
    retraction = Milestone(
        participant=milestone.participant,
        center=milestone.center,
        kind=milestone.kind,
        on=milestone.on,
        cancels=milestone,
        retraction=True,
        recorded_at=now,
        recorded_by=by,
    )
    return _save(retraction)


def _lock(participant: Participant | None, center: Center | None) -> datetime:
    """Hold the subject's timeline until the transaction ends; return when that transaction began.

    An advisory lock, because a login that may only add milestones may not lock rows; the transaction's time, so that a
    batch of seals carries one time stamp (docs/blinding.md §3).
    """
    subject = f"participant/{participant.pk}" if participant is not None else f"center/{center.pk if center else None}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() FROM pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"prime/milestones/{subject}"])
        (began,) = cursor.fetchone()
    return began


def _save(milestone: Milestone) -> Milestone:
    if milestone.cancels is not None and Milestone.objects.filter(cancels=milestone.cancels).exists():
        raise NotAllowedNow(_("This entry of the timeline was replaced before. Reload the page to see its present state."))
    save_checked(milestone)
    return milestone
