"""Who may do what, where: the only module that knows what a role means (default deny).

A permission is a string that the room which asks for it declares (`Permission` here; other rooms have their own StrEnum or
constants) and that `GRANTS` gives to roles. The `*_for(user)` querysets are the scope of every page and API: what is not in them
does not exist for that person (404, SE-04). `require` is asked once, inside the write function (403).
"""

from datetime import date
from enum import StrEnum

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from studies.models import Center, Membership, Participant, Screening, Study
from studies.vocabulary import Role

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


_SEES_PARTICIPANTS = frozenset(
    {"study.view", "screening.view", "participant.view", "image.view", "slide.view", "followup.view", "result.view"}
)
_ENTERS = frozenset(
    {
        "participant.screen", "consent.record", "participant.enroll", "participant.withdraw",
        "baseline.enter", "report.enter", "slide.enter", "phase.confirm", "roi.upload",
        "treatment.enter", "visit.enter", "event.enter", "query.answer",
    }
)  # fmt: skip

GRANTS: dict[Role, frozenset[str]] = {
    Role.COORDINATOR: _SEES_PARTICIPANTS | _ENTERS,
    Role.SITE_PI: _SEES_PARTICIPANTS | _ENTERS | {"form.sign", "audit.view_center"},
    Role.PACS_ADMIN: frozenset({"study.view", "gateway.view"}),
    Role.READER: frozenset({"image.view", "phase.confirm", "roi.upload"}),
    Role.INVESTIGATOR: frozenset({"study.view", "seal.view", "ledger.view", "result.view", "result.export"}),
    Role.DATA_MANAGER: _SEES_PARTICIPANTS
    | {
        "study.setup", "member.manage", "center.manage", "gateway.view", "query.raise", "query.close", "data.lock", "import.run",
        "export.run", "audit.view", "cut.make", "cut.view", "seal.view", "ledger.view", "result.export",
    },
    Role.MONITOR: _SEES_PARTICIPANTS | {"query.raise", "source.verify", "audit.view"},
    Role.ADJUDICATOR: frozenset({"case.adjudicate"}),
    Role.BLINDED_STATISTICIAN: frozenset(
        {"study.view", "cut.make", "cut.view", "ledger.view", "seal.view", "result.view", "result.export"}
    ),
    Role.UNBLINDED_STATISTICIAN: frozenset({"study.view"}),
    Role.DMC: frozenset({"study.view"}),
    Role.SPONSOR: frozenset({"study.view", "result.view", "result.export"}),
    Role.CUSTODIAN: frozenset({"study.view", "seal.view", "ledger.view", "opening.approve", "result.view"}),
    Role.MODEL_OWNER: frozenset({"study.view", "model.register", "model.view", "seal.view", "ledger.view", "result.view"}),
    Role.SYSADMIN: frozenset({"gateway.manage", "gateway.view", "system.view"}),
}  # fmt: skip
"""Role → permissions. Nothing here opens a prediction: before publication `result.view` leads to a refusal, for everybody."""


def roles_granted(permission: str) -> list[Role]:
    """The roles that hold `permission`. Raises ValueError for a code nobody holds: a misspelt one must not just deny."""
    roles = [role for role, granted in GRANTS.items() if permission in granted]
    if not roles:
        raise ValueError(f"no role in studies.access.GRANTS holds {permission!r}")
    return roles


def memberships_of(user: Person, on: date | None = None) -> QuerySet[Membership]:
    """The memberships in force on a day (today): begun, not ended, of an active person."""
    day = on or timezone.localdate()
    if not isinstance(user, User) or not user.is_active:
        return Membership.objects.none()
    return Membership.objects.filter(Q(until=None) | Q(until__gte=day), user=user, since__lte=day)


def roles_of(user: Person, study: Study | None = None) -> frozenset[Role]:
    """The roles a person holds today, in one study or in any; for navigation, never for a decision about a record."""
    held = memberships_of(user)
    if study is not None:
        held = held.filter(study=study)
    return frozenset(Role(role) for role in held.values_list("role", flat=True))


def permissions_of(user: Person, study: Study | None = None) -> frozenset[str]:
    """Every permission a person holds somewhere today; pages show their links and buttons by it."""
    return frozenset[str]().union(*(GRANTS[role] for role in roles_of(user, study)))


def studies_for(user: Person, permission: str = Permission.STUDY_VIEW) -> QuerySet[Study]:
    """The studies in which a person holds `permission`, at one center or over all."""
    held = memberships_of(user).filter(role__in=roles_granted(permission), study=OuterRef("pk"))
    return Study.objects.filter(Exists(held))


def centers_for(user: Person, permission: str = Permission.PARTICIPANT_VIEW) -> QuerySet[Center]:
    """The centers at which a person holds `permission`; a study role counts at every center of its study."""
    held = memberships_of(user).filter(role__in=roles_granted(permission), study=OuterRef("study"))
    return Center.objects.filter(Exists(held.filter(Q(center=OuterRef("pk")) | Q(center=None))))


def participants_for(user: Person, permission: str = Permission.PARTICIPANT_VIEW) -> QuerySet[Participant]:
    """The participants of those centers, with center, study and screening joined."""
    return Participant.objects.filter(center__in=centers_for(user, permission)).select_related("center", "study", "screening")


def screenings_for(user: Person, permission: str = Permission.SCREENING_VIEW) -> QuerySet[Screening]:
    """The screening log of those centers, with center and study joined."""
    return Screening.objects.filter(center__in=centers_for(user, permission)).select_related("center__study")


def may(user: Person, permission: str, where: Center | Study) -> bool:
    """Whether a person holds `permission` at a center, or anywhere in a study: the question a button asks."""
    scope: QuerySet[Center] | QuerySet[Study]
    scope = centers_for(user, permission) if isinstance(where, Center) else studies_for(user, permission)
    return scope.filter(pk=where.pk).exists()


def require(user: Person, permission: str, where: Center | Study) -> None:
    """Raise PermissionDenied, with a sentence for the person, unless he may."""
    if not may(user, permission, where):
        raise PermissionDenied(
            _("You may not do this at %(where)s (%(permission)s). Ask the data manager if your role should allow it.")
            % {"where": where, "permission": permission}
        )


def require_operator(user: Person, permission: str, study: Study | None) -> None:
    """Let pass the platform's own user, who stands for a command at the machine, and who holds `permission` in the study."""
    if isinstance(user, User) and user.pk == User.objects.system().pk:
        return
    if study is None:
        raise PermissionDenied(_("A study is created by the operator's command only."))
    require(user, permission, study)
