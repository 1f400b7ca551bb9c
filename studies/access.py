"""Who may do what, where: the only module that knows what a role means (default deny).

A permission is a string that the room which asks for it declares (`Permission` here; other rooms have their own StrEnum or
constants) and that `GRANTS` gives to roles. The `*_for(user)` querysets are the scope of every page and API: what is not in them
does not exist for that person (404, SE-04). `require` is asked once, inside the write function (403).

At a center a role alone lets nobody write: `TASK_OF` names the task behind each entry permission, and who holds the role must have that
task delegated on the day, and be trained for it (`studies.governance.standing`). A study role needs no delegation.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from enum import StrEnum
from functools import cache

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.once import once
from studies.governance import standing
from studies.models import Center, Membership, Participant, Screening, Study
from studies.vocabulary import Phase, Role, Task

Person = AbstractBaseUser | AnonymousUser


class Permission(StrEnum):
    """What this room asks for."""

    STUDY_VIEW = "study.view"
    """Pooled accrual and completeness; no participant."""
    STUDY_SETUP = "study.setup"
    MEMBER_MANAGE = "member.manage"
    CENTER_MANAGE = "center.manage"
    SCREENING_VIEW = "screening.view"
    SCREEN = "participant.screen"
    CONSENT_RECORD = "consent.record"
    ENROLL = "participant.enroll"
    WITHDRAW = "participant.withdraw"
    PARTICIPANT_VIEW = "participant.view"
    CENTER_VIEW = "center.view"
    """A center's gate, ethics periods, consent versions, delegation log and deviations."""
    DELEGATE = "task.delegate"
    IMPORT_RUN = "import.run"
    EXPORT_RUN = "export.run"
    EXPORT_UNSHIFTED = "export.unshifted"
    """True dates of participants in a file that leaves, with a reason."""
    TRAINING_RECORD = "training.record"
    SURGERIES_REPORT = "surgeries.report"
    """Say how many resections the center did in a month."""
    ERASURE_DECIDE = "erasure.decide"
    DEVIATION_REPORT = "deviation.report"
    DEVIATION_ASSESS = "deviation.assess"
    DEVIATION_CLOSE = "deviation.close"


TASK_OF: dict[str, Task] = {
    "participant.screen": Task.ELIGIBILITY,
    "surgeries.report": Task.ELIGIBILITY,
    "participant.enroll": Task.ELIGIBILITY,
    "consent.record": Task.CONSENT,
    "participant.withdraw": Task.CONSENT,
    "entry.record": Task.DATA_ENTRY,
    "report.enter": Task.DATA_ENTRY,
    "query.answer": Task.DATA_ENTRY,
    "range.enter": Task.DATA_ENTRY,
    "source.upload": Task.DATA_ENTRY,
    "slide.enter": Task.IMAGING,
    "phase.confirm": Task.IMAGING,
    "roi.upload": Task.IMAGING,
    "treatment.enter": Task.TREATMENT,
    "visit.enter": Task.FOLLOW_UP,
    "event.enter": Task.FOLLOW_UP,
}
"""The task behind each permission by which somebody at a center enters something; a new one names its task here."""

_SEES_PARTICIPANTS = frozenset(
    {
        "study.view", "screening.view", "participant.view", "image.view", "slide.view", "followup.view", "result.view",
        "query.view", "center.view", "range.view", "lock.view", "agreement.view",
    }
)  # fmt: skip
_ENTERS = frozenset(TASK_OF)

GRANTS: dict[Role, frozenset[str]] = {
    Role.COORDINATOR: _SEES_PARTICIPANTS | _ENTERS | {"unlock.request", "list.hand_over", "deviation.report", "receipt.view"},
    Role.SITE_PI: _SEES_PARTICIPANTS
    | _ENTERS
    | {
        "form.sign", "audit.view_center", "task.delegate", "training.record", "erasure.decide", "unlock.request", "unlock.approve",
        "list.hand_over", "deviation.report", "deviation.assess", "receipt.view",
    },
    Role.PACS_ADMIN: frozenset({"study.view", "gateway.view"}),
    Role.READER: frozenset({"image.view", "phase.confirm", "roi.upload", "agreement.view"}),
    Role.INVESTIGATOR: frozenset(
        {"study.view", "seal.view", "ledger.view", "result.view", "result.export", "unlock.approve_study", "lock.view", "agreement.view"}
    ),
    Role.DATA_MANAGER: _SEES_PARTICIPANTS
    | {
        "study.setup", "member.manage", "center.manage", "training.record", "gateway.view", "query.raise", "query.close", "data.lock",
        "import.run", "export.run", "audit.view", "cut.make", "cut.view", "seal.view", "ledger.view", "result.export",
        "unlock.request", "unlock.approve", "unlock.approve_study", "audit.export", "access.review", "range.enter",
        "erasure.decide", "check.run", "payment.view", "risk.view", "list.hand_over",
        "deviation.report", "deviation.assess", "deviation.close",
        "export.unshifted", "agreement.make", "blinding.view", "case.open",
    },
    Role.MONITOR: _SEES_PARTICIPANTS | {"query.raise", "query.close", "source.verify", "risk.view", "audit.view", "deviation.report"},
    Role.ADJUDICATOR: frozenset({"case.adjudicate"}),
    Role.BLINDED_STATISTICIAN: frozenset(
        {"study.view", "cut.make", "cut.view", "ledger.view", "seal.view", "result.view", "result.export"}
    ),
    Role.UNBLINDED_STATISTICIAN: frozenset({"study.view"}),
    Role.DMC: frozenset({"study.view"}),
    Role.SPONSOR: frozenset({"study.view", "blinding.view", "result.view", "result.export"}),
    Role.CUSTODIAN: frozenset({"study.view", "blinding.view", "seal.view", "ledger.view", "opening.approve", "result.view"}),
    Role.MODEL_OWNER: frozenset(
        {"study.view", "agreement.view", "model.register", "model.view", "seal.view", "ledger.view", "result.view"}
    ),
    Role.SYSADMIN: frozenset({"gateway.manage", "gateway.view", "system.view"}),
}  # fmt: skip
"""Role → permissions. Nothing here opens a prediction: before publication `result.view` leads to a refusal, for everybody."""


PHASES: dict[str, frozenset[Phase]] = {
    "result.view": frozenset({Phase.PUBLISHED}),
    "result.export": frozenset({Phase.PUBLISHED}),
}
"""Permissions that hold in some phases of a study only; every other one holds in all. What a phase forbids everybody, such as writing
after the lock, the database refuses by itself (docs/locking.md)."""


def matrix() -> list[tuple[Role, str, Phase]]:
    """Who holds what when: every role, permission and phase for which `may` says yes to somebody with that role alone."""
    return [
        (role, permission, phase)
        for role, granted in GRANTS.items()
        for permission in sorted(granted)
        for phase in Phase
        if phase in PHASES.get(permission, Phase)
    ]


_import: ContextVar[tuple[int, int] | None] = ContextVar("import", default=None)
"""Who imports into which study at this moment, in this thread: see `importing`."""


def roles_granted(permission: str) -> list[Role]:
    """The roles that hold `permission`. Raises ValueError for a code nobody holds: a misspelt one must not just deny."""
    roles = [role for role, granted in GRANTS.items() if permission in granted]
    if not roles:
        raise ValueError(f"no role in studies.access.GRANTS holds {permission!r}")
    return roles


@cache
def held_alike(permission: str) -> str:
    """The first of the permissions to read that the same roles hold as this one: what is counted for one is counted for both."""
    reading = sorted(frozenset[str]().union(*GRANTS.values()) - TASK_OF.keys())
    return next(each for each in reading if roles_granted(each) == roles_granted(permission))


def memberships_of(user: Person, on: date | None = None) -> QuerySet[Membership]:
    """The memberships in force on a day (today): begun, not ended, of an active person."""
    day = on or timezone.localdate()
    if not isinstance(user, User) or not user.is_active:
        return Membership.objects.none()
    return Membership.objects.filter(Q(until=None) | Q(until__gte=day), user=user, since__lte=day)


@once
def held_by(user: Person) -> tuple[Membership, ...]:
    """The memberships in force today with their studies and centers, read once for a page; for what it shows, never for a decision."""
    return tuple(memberships_of(user).select_related("study", "center").order_by("pk"))


def roles_of(user: Person, study: Study | None = None) -> frozenset[Role]:
    """The roles a person holds today, in one study or in any; for navigation, never for a decision about a record."""
    return frozenset(Role(held.role) for held in held_by(user) if study is None or held.study_id == study.pk)


def holds(username: str, role: str, study: Study) -> bool:
    """Whether a person holds a role in a study today."""
    user = User.objects.filter(username=username, is_active=True).first()
    return user is not None and memberships_of(user).filter(study=study, role=role).exists()


def studies_of(user: Person, permission: str) -> list[Study]:
    """The studies in which a person holds `permission`, for counts and lists that ask study by study."""
    roles = roles_granted(permission)
    return list({held.study_id: held.study for held in held_by(user) if held.role in roles}.values())


def permissions_of(user: Person, study: Study | None = None) -> frozenset[str]:
    """Every permission a person holds somewhere today; pages show their links and buttons by it."""
    return frozenset[str]().union(*(GRANTS[role] for role in roles_of(user, study)))


def studies_for(user: Person, permission: str = Permission.STUDY_VIEW) -> QuerySet[Study]:
    """The studies in which a person holds `permission`, at one center or over all."""
    held = memberships_of(user).filter(role__in=roles_granted(permission), study=OuterRef("pk"))
    return Study.objects.filter(Exists(held))


def centers_for(user: Person, permission: str = Permission.PARTICIPANT_VIEW) -> QuerySet[Center]:
    """The centers at which a person holds `permission`; a study role counts at every center of its study, a center role at its own,
    and for entering only while the task is delegated to him.
    """
    roles = roles_granted(permission)
    held = [membership for membership in held_by(user) if membership.role in roles]
    here = Q(pk__in={membership.center_id for membership in held if membership.center_id})
    if permission in TASK_OF and isinstance(user, User):
        here &= standing.delegated(user, TASK_OF[permission], timezone.localdate())
    return Center.objects.filter(Q(study__in={membership.study_id for membership in held if not membership.center_id}) | here)


def reach(user: Person, permission: str) -> Q:
    """The condition on rows with a study and a center that a person reads by `permission`, as `centers_for` without its join: for counts.

    Raises ValueError for a permission to enter, which the delegation log decides center by center.
    """
    if permission in TASK_OF:
        raise ValueError(f"{permission!r} depends on what was delegated; ask centers_for")
    held = [membership for membership in held_by(user) if membership.role in roles_granted(permission)]
    here = Q(center__in={membership.center_id for membership in held if membership.center_id})
    return Q(study__in={membership.study_id for membership in held if not membership.center_id}) | here


def tasks_of(role: str) -> tuple[Task, ...]:
    """The tasks that may be delegated to who holds a role."""
    return tuple(dict.fromkeys(TASK_OF[permission] for permission in TASK_OF if permission in GRANTS[Role(role)]))


def participants_for(user: Person, permission: str = Permission.PARTICIPANT_VIEW) -> QuerySet[Participant]:
    """The participants of those centers, with center, study and screening joined."""
    return Participant.objects.filter(center__in=centers_for(user, permission)).select_related("center", "study", "screening")


def screenings_for(user: Person, permission: str = Permission.SCREENING_VIEW) -> QuerySet[Screening]:
    """The screening log of those centers, with center and study joined."""
    return Screening.objects.filter(center__in=centers_for(user, permission)).select_related("center__study")


def may(user: Person, permission: str, where: Center | Study) -> bool:
    """Whether a person holds `permission` at a center, or anywhere in a study: the question a button asks."""
    study = where.study if isinstance(where, Center) else where
    if permission in PHASES and study.phase not in PHASES[permission]:
        return False
    held = [membership for membership in held_by(user) if membership.study_id == study.pk and membership.role in roles_granted(permission)]
    if isinstance(where, Study) or not all(membership.center_id for membership in held):
        return bool(held)
    return any(membership.center_id == where.pk for membership in held) and _delegated(user, permission, where)


def _delegated(user: Person, permission: str, center: Center) -> bool:
    """Whether the task behind a permission to enter, if there is one, is delegated to a person of this center today."""
    if permission not in TASK_OF:
        return True
    if not isinstance(user, User):
        return False
    return standing.in_hand(user, TASK_OF[permission], center, timezone.localdate())


def require(user: Person, permission: str, where: Center | Study) -> None:
    """Raise PermissionDenied, with a sentence for the person, unless he may."""
    if not _through_import(user, permission, where) and not may(user, permission, where):
        raise PermissionDenied(_why_not(user, permission, where))


@contextmanager
def importing(user: User, study: Study) -> Iterator[None]:
    """Within, the write functions take from who may import into a study what a person at a center would enter there.

    Nothing else is let pass, and nothing of another study. Raises PermissionDenied for who may not import.
    """
    require_operator(user, Permission.IMPORT_RUN, study)
    token = _import.set((user.pk, study.pk))
    try:
        yield
    finally:
        _import.reset(token)


def _through_import(user: Person, permission: str, where: Center | Study) -> bool:
    study = where.study_id if isinstance(where, Center) else where.pk
    return permission in TASK_OF and _import.get() == (user.pk, study)


def require_somewhere(user: Person, permission: str) -> QuerySet[Center]:
    """The centers at which a person holds `permission`. Raises PermissionDenied, with a sentence, where there is none."""
    centers = centers_for(user, permission)
    if not centers.exists():
        held = memberships_of(user).filter(role__in=roles_granted(permission)).select_related("center__study").exclude(center=None).first()
        raise PermissionDenied(_why_not(user, permission, held.center) if held and held.center else "")
    return centers


def _why_not(user: Person, permission: str, where: Center | Study) -> str:
    """What keeps a person from it: the delegation log, where his role would let him, otherwise the role."""
    if isinstance(where, Center) and permission in TASK_OF and isinstance(user, User):
        day = timezone.localdate()
        if memberships_of(user, day).filter(role__in=roles_granted(permission), center=where).exists():
            return standing.why_not(user, TASK_OF[permission], where, day)
    return _("You may not do this at %(where)s (%(permission)s). Ask the data manager if your role should allow it.") % {
        "where": where,
        "permission": permission,
    }


def require_operator(user: Person, permission: str, where: Center | Study | None) -> None:
    """Let pass the platform's own user, who stands for a command at the machine, and who holds `permission` there."""
    if isinstance(user, User) and user.pk == User.objects.system().pk:
        return
    if where is None:
        raise PermissionDenied(_("A study is created by the operator's command only."))
    require(user, permission, where)
