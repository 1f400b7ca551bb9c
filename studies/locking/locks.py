"""Freezing and locking, and opening a lock again by two persons (AU-05).

A lock is true in the database: the triggers of `guards` refuse every write under it, whoever writes. Opening keeps signatures; only a
change of what was signed ends them. A lock is never lost: the time it was opened for runs out, and it is in force again.
"""

from datetime import timedelta

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import audit, ledger
from accounts.canonical import digest
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import setup
from studies.access import Permission, centers_for, may, require, studies_for
from studies.locking import content, obstacles, signing
from studies.locking.holding import hold
from studies.locking.obstacles import Obstacle, Target
from studies.models import Center, Lock, Meaning, Participant, Query, Strength, Study, UnlockRequest, UnlockStatus
from studies.vocabulary import Phase, QueryStatus

VIEW, LOCK = "lock.view", "data.lock"
ASK, DECIDE, DECIDE_STUDY = "unlock.request", "unlock.approve", "unlock.approve_study"
REQUEST_LASTS = timedelta(days=7)


@transaction.atomic
def freeze(*, target: Target, reason: str, by: User) -> Lock:
    """Stop every change under it for now; one person lifts it again. Raises NotAllowedNow when frozen or locked already."""
    _begin(target, by)
    _say_why(reason)
    return _save(target, Strength.FREEZE, reason=reason, by=by)


@transaction.atomic
def unfreeze(*, lock: Lock, reason: str, by: User) -> Lock:
    """Lift a freeze, saying why. A lock is not lifted: it is opened by two persons (`request_unlock`)."""
    require(by, LOCK, lock.center or lock.study)
    _say_why(reason)
    lock = Lock.objects.select_for_update(of=("self",)).get(pk=lock.pk)
    if lock.strength != Strength.FREEZE or lock.released_at is not None:
        raise NotAllowedNow(_("Only a freeze that stands can be lifted; a lock is opened by two persons."))
    with audit.act(by=by, action="freeze.lifted", reason=reason):
        lock.released_at, lock.released_by = timezone.now(), by
        save_checked(lock)
    return lock


@transaction.atomic
def lock(*, target: Target, by: User, reason: str = "") -> Lock:
    """Lock a record, a participant, a center or the study; a freeze of the same becomes the lock.

    Raises NotAllowedNow with everything that stands against it. Locking the study moves it to the phase “locked” and goes on its ledger.
    """
    _begin(target, by)
    if found := obstacles.against(target):
        raise NotAllowedNow(" ".join(obstacle.sentence for obstacle in found))
    if standing := _standing(target).filter(strength=Strength.FREEZE).first():
        unfreeze(lock=standing, reason=reason or _("becomes a lock"), by=by)
    if target.center is None and target.study.phase != Phase.FOLLOW_UP:
        raise NotAllowedNow(_("A study is locked after its follow-up."))
    made = _save(target, Strength.LOCK, reason=reason, by=by)
    if target.center is None:
        setup.advance_phase(study=target.study, to=Phase.LOCKED, by=by, reason=reason or _("study locked"))
        _to_ledger(target.study, made)
    return made


@transaction.atomic
def request_unlock(*, lock: Lock, days: int, reason: str, by: User) -> UnlockRequest:
    """Ask that a lock be opened for some days; another person decides within a week. Signatures stay until something changes."""
    require(by, ASK, lock.center or lock.study)
    _say_why(reason)
    lock = Lock.objects.select_for_update(of=("self",), no_key=True).get(pk=lock.pk)
    if lock.strength != Strength.LOCK or not lock.in_force():
        raise NotAllowedNow(_("This is not locked now."))
    expire(lock)
    now = timezone.now()
    request = UnlockRequest(
        lock=lock, center=lock.center, days=days, reason=reason, requested_at=now, requested_by=by, expires_at=now + REQUEST_LASTS
    )
    with audit.act(by=by, action="unlock.requested", reason=reason):
        save_checked(request)
    return request


@transaction.atomic
def decide_unlock(*, request: UnlockRequest, approve: bool, answer: str, by: User) -> UnlockRequest:
    """The second person approves or refuses, saying why. At least one of the two holds the right to lock.

    Raises PermissionDenied for who asked himself, NotAllowedNow when it was decided or has expired.
    """
    _require_decider(request, by)
    _say_why(answer)
    locked = Lock.objects.select_for_update(of=("self",)).get(pk=request.lock_id)
    if UnlockRequest.objects.filter(pk=request.pk, expires_at__lte=timezone.now()).exists():
        raise NotAllowedNow(_("This request has expired; ask again."))
    status = UnlockStatus.APPROVED if approve else UnlockStatus.REFUSED
    with audit.act(by=by, action=f"unlock.{status.value}", reason=answer):
        request = advance(request, status)
        request.answer, request.decided_at, request.decided_by = answer, timezone.now(), by
        save_checked(request)
        if approve:
            locked.open_until = timezone.now() + timedelta(days=request.days)
            locked.save()
    return request


@transaction.atomic
def relock(*, lock: Lock, by: User) -> Lock:
    """End the time a lock was opened for: it is in force again at once."""
    require(by, LOCK, lock.center or lock.study)
    hold(study=lock.study_id, center=lock.center_id)
    lock = Lock.objects.select_for_update(of=("self",)).get(pk=lock.pk)
    if lock.open_until is None or lock.in_force():
        raise NotAllowedNow(_("This lock is not open."))
    with audit.act(by=by, action="lock.closed_again"):
        lock.open_until = None
        lock.save()
    return lock


def expire(lock: Lock) -> None:
    """Note which requests nobody answered in time; within the caller's transaction."""
    system = User.objects.system()
    for request in lock.requests.filter(status=UnlockStatus.OPEN, expires_at__lte=timezone.now()):
        with audit.act(by=system, action="unlock.expired"):
            late = advance(request, UnlockStatus.EXPIRED)
            late.save()


def locks_for(user: User) -> QuerySet[Lock]:
    """The locks a person may see: those of his centers, and of the studies he sees as a whole."""
    centers = centers_for(user, Permission.PARTICIPANT_VIEW)
    studies = studies_for(user, VIEW)
    rows = Lock.objects.filter(Q(center__in=centers) | Q(center=None, study__in=studies))
    return rows.select_related("study", "center", "participant", "locked_by")


def requests_for(user: User) -> QuerySet[UnlockRequest]:
    """The unlock requests for those locks."""
    rows = UnlockRequest.objects.filter(lock__in=locks_for(user))
    return rows.select_related("lock__study", "lock__center", "lock__participant", "requested_by", "decided_by")


def may_decide(request: UnlockRequest, user: User) -> bool:
    """Whether a person may be the second one for this request."""
    if request.status != UnlockStatus.OPEN or request.requested_by_id == user.pk or request.expires_at <= timezone.now():
        return False
    where: Center | Study = request.lock.center or request.lock.study
    if not may(user, DECIDE if request.lock.center_id else DECIDE_STUDY, where):
        return False
    return may(user, LOCK, where) or may(request.requested_by, LOCK, where)


def unsigned_participants(target: Target) -> list[Obstacle]:
    """What this room knows against a lock: data that nobody approved by signature."""
    if target.record and _record_signed(target):
        return []
    people = list(target.participants.values_list("pk", flat=True))
    missing = len(signing.unsigned(people))
    if not missing:
        return []
    sentence = ngettext(
        "%(n)s participant has no valid approving signature.", "%(n)s participants have no valid approving signature.", missing
    )
    return [Obstacle(sentence % {"n": missing}, "sign-list")]


def open_centers(target: Target) -> list[Obstacle]:
    """Against the lock of a study: centers with participants that are not locked."""
    if target.center is not None:
        return []
    shut = Q(open_until=None) | Q(open_until__lte=timezone.now())  # a lock that was opened for a while is in force again by itself
    locked = Lock.objects.filter(shut, study=target.study, participant=None, strength=Strength.LOCK, released_at=None)
    loose = target.study.centers.filter(participants__isnull=False).exclude(pk__in=locked.filter(center__isnull=False).values("center"))
    codes = sorted(set(loose.values_list("code", flat=True)))
    return [Obstacle(_("Centers not locked: %(codes)s.") % {"codes": ", ".join(codes)}, "locks")] if codes else []


def open_queries(target: Target) -> list[Obstacle]:
    """Against a lock: questions about its data that nobody has closed."""
    rows = Query.objects.exclude(status=QueryStatus.CLOSED).filter(center__study=target.study)
    if target.participant is not None:
        rows = rows.filter(participant=target.participant)
    elif target.center is not None:
        rows = rows.filter(center=target.center)
    if target.record:
        rows = rows.filter(record=target.record, record_uuid=target.record_uuid)
    found = rows.count()
    sentence = ngettext("%(n)s query is not closed.", "%(n)s queries are not closed.", found) % {"n": found}
    return [Obstacle(sentence, "queries")] if found else []


obstacles.register(open_queries)
obstacles.register(unsigned_participants)
obstacles.register(open_centers)


def _record_signed(target: Target) -> bool:
    person = target.participant
    if person is None:
        return False
    held = signing.standings([person.pk], meaning=Meaning.APPROVED, record=target.record, key=target.record_uuid)[person.pk]
    return held is not None and held.holds


def _begin(target: Target, by: User) -> None:
    """Ask the permission and stand in front of every write under the target, its row first, so that nobody waits in a circle."""
    require(by, LOCK, target.center or target.study)
    if target.participant is not None:
        Participant.objects.select_for_update(no_key=True, of=("self",)).get(pk=target.participant.pk)
    elif target.center is None:
        Study.objects.select_for_update(no_key=True).get(pk=target.study.pk)
    hold(study=target.study.pk, center=target.center.pk if target.center is not None else None)


def _standing(target: Target) -> QuerySet[Lock]:
    return Lock.objects.filter(
        study=target.study, center=target.center, participant=target.participant, record=target.record,
        record_uuid=target.record_uuid or None, released_at=None,
    )  # fmt: skip


def _save(target: Target, strength: str, *, reason: str, by: User) -> Lock:
    if _standing(target).exists():
        raise NotAllowedNow(_("This is frozen or locked already."))
    made = Lock(
        study=target.study, center=target.center, participant=target.participant, record=target.record,
        record_uuid=target.record_uuid or None, strength=strength, reason=reason, locked_at=timezone.now(), locked_by=by,
    )  # fmt: skip
    with audit.act(by=by, action=f"{strength}.set", reason=reason):
        save_checked(made)
    return made


def _to_ledger(study: Study, made: Lock) -> None:
    """The hash of everything that was locked, so that nobody can later say it was something else."""
    people = dict(Participant.objects.filter(study=study).order_by("pk").values_list("pk", "study_number"))
    present = content.of_participants(people)
    records = {number: content.digest(present[pk]) for pk, number in people.items()}
    body = {"study": study.code, "lock": made.uuid.hex, "participants": len(records), "records": digest(records)}
    ledger.append(study=study.code, kind="lock", body=body, at=study.ledger_time())


def _require_decider(request: UnlockRequest, by: User) -> None:
    if request.requested_by_id == by.pk:
        raise PermissionDenied(_("Another person than who asked decides."))
    where: Center | Study = request.lock.center or request.lock.study
    require(by, DECIDE if request.lock.center_id else DECIDE_STUDY, where)
    if not (may(by, LOCK, where) or may(request.requested_by, LOCK, where)):
        raise PermissionDenied(_("One of the two persons is a data manager."))


def _say_why(reason: str) -> None:
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: the reason stays in the history.")})
