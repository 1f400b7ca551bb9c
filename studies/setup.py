"""Setting up a study: its centers, their ethics approvals, its people, its phases (used by commands, the demo and pages)."""

from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, ledger
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import activation, dictionary, milestones
from studies import protocol as protocols
from studies.access import Permission, require_operator
from studies.governance import conduct, delegation, gate
from studies.locking.holding import hold
from studies.models import Center, Membership, Study
from studies.screening import lock
from studies.vocabulary import ACTING_ROLES, KNOWING_ROLES, MilestoneKind, Phase, Role, StudyKind


@transaction.atomic
def create_study(
    *,
    code: str,
    title_zh: str,
    title_en: str,
    protocol_id: str,
    accrual_from: date,
    by: User,
    accrual_until: date | None = None,
    overrun_days: int = 0,
    synthetic: bool = False,
    clock_days: int = 0,
    kind: str = StudyKind.PROSPECTIVE,
) -> Study:
    """Create a study on the highest version of a protocol and of the dictionary it names, and begin its ledger; the operator alone may.

    `clock_days` sets the clock of a SYNTHETIC study behind (negative) or ahead of the world's. A retrospective study is refused
    where a real prospective one is. Raises ProtocolError, ValidationError, PermissionDenied, NotAllowedNow.
    """
    require_operator(by, Permission.STUDY_SETUP, None)
    if kind == StudyKind.RETROSPECTIVE:
        _check_apart(StudyKind.PROSPECTIVE)
    chosen = protocols.load(protocol_id)
    book = dictionary.load(chosen.dictionary)
    study = Study(
        code=code,
        title_zh=title_zh,
        title_en=title_en,
        protocol_id=chosen.id,
        protocol_version=chosen.version,
        protocol_digest=chosen.digest,
        dictionary_id=book.id,
        dictionary_version=book.version,
        dictionary_digest=book.digest,
        synthetic=synthetic,
        kind=kind,
        accrual_from=accrual_from,
        accrual_until=accrual_until,
        overrun_days=overrun_days,
        clock_days=clock_days,
    )
    if kind == StudyKind.PROSPECTIVE and not synthetic and (against := activation.against_founding(study)):
        raise NotAllowedNow(" ".join(against))
    with audit.act(by=by, action="study.created"):
        save_checked(study)
        files = {"protocol": chosen, "dictionary": book}
        body = {"study": code, "synthetic": synthetic} | {
            name: {"id": file.id, "version": file.version, "digest": file.digest} for name, file in files.items()
        }
        ledger.append(study=code, kind="genesis", body=body, at=study.ledger_time())
    return study


@transaction.atomic
def advance_phase(*, study: Study, to: str, by: User, reason: str = "") -> Study:
    """Move a study to its next phase. A real study does not leave draft while its protocol has an undecided point or
    anything stands against the way this installation is run (`studies.activation`).
    """
    require_operator(by, Permission.STUDY_SETUP, study)
    with audit.act(by=by, action="study.phase", reason=reason):
        study = advance(study, to, field="phase")
        if to == Phase.LOCKED:
            hold(study=study.pk)  # no write that has begun ends after the lock
        prospective = study.kind == StudyKind.PROSPECTIVE and not study.synthetic
        if to == Phase.ACCRUAL and prospective:
            _check_apart(StudyKind.RETROSPECTIVE)
        if to == Phase.ACCRUAL and prospective and (points := undecided(study)):
            raise NotAllowedNow(_("The protocol has undecided points: %(codes)s.") % {"codes": ", ".join(points)})
        if to == Phase.ACCRUAL and prospective and (against := activation.against_starting(study)):
            raise NotAllowedNow(" ".join(against))
        study.save()
    return study


def undecided(study: Study) -> list[str]:
    """The points that a person of the study has still to sign: of the protocol, and of the rules of its conduct."""
    decisions = (*study.protocol.undecided, *conduct.load(study.protocol_id).undecided)
    return [decision.code for decision in decisions]


@transaction.atomic
def close_accrual(*, study: Study, last_day: date, overrun_days: int, reason: str, by: User) -> Study:
    """Declare the last day of accrual and for how many days those who consented by then may still be enrolled (EN-03)."""
    require_operator(by, Permission.STUDY_SETUP, study)
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    study.accrual_until, study.overrun_days = last_day, overrun_days
    return _save(study, by=by, action="study.accrual_closed", reason=reason)


@transaction.atomic
def adopt_protocol(*, study: Study, version: str, reason: str, by: User) -> Study:
    """Follow another version of the protocol from now on; who is enrolled keeps the snapshot he was enrolled by (EL-01)."""
    require_operator(by, Permission.STUDY_SETUP, study)
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    chosen = protocols.load(study.protocol_id, version)
    study.protocol_version, study.protocol_digest = chosen.version, chosen.digest
    return _save(study, by=by, action="study.protocol_adopted", reason=reason)


@transaction.atomic
def advance_clock(*, study: Study, days: int, by: User) -> Study:
    """Move a synthetic study's clock ahead by some days (at least one); no other study's clock moves."""
    require_operator(by, Permission.STUDY_SETUP, study)
    study = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if days < 1:
        raise ValidationError(_("The clock of a study never runs backwards."))
    study.clock_days += days
    return _save(study, by=by, action="study.clock_advanced")


@transaction.atomic
def add_center(*, study: Study, code: str, name_zh: str, name_en: str, by: User) -> Center:
    """Add a hospital to a study; it takes no patient before `open_center`."""
    require_operator(by, Permission.CENTER_MANAGE, study)
    return _save(Center(study=study, code=code, name_zh=name_zh, name_en=name_en), by=by, action="center.added")


@transaction.atomic
def open_center(*, center: Center, on: date, by: User) -> Center:
    """Open a center to screening and enrolment. Raises NotAllowedNow naming everything that its gate lacks on that day.

    The one center of a retrospective study treats nobody: of its gate only the approval, the waiver of consent, is asked.
    """
    require_operator(by, Permission.CENTER_MANAGE, center.study)
    center = lock(center)
    if center.opened_on is not None:
        raise NotAllowedNow(_("Center %(center)s is open already.") % {"center": center})
    lacking = gate.lacking(center, on)
    if center.study.kind == StudyKind.RETROSPECTIVE:
        lacking = [state for state in lacking if state.item.code == "ethics"]
    if lacking:
        what = _("; ").join(f"{state.name} ({state.why})" for state in lacking)
        raise NotAllowedNow(_("Center %(center)s cannot open on %(day)s. Lacking: %(what)s.") % {"center": center, "day": on, "what": what})
    center.opened_on = on
    return _report(center, MilestoneKind.ACTIVATED, on=on, by=by, action="center.opened")


@transaction.atomic
def close_center(*, center: Center, on: date, reason: str, by: User) -> Center:
    """Close a center to new patients after a day; those it has are followed on. Raises NotAllowedNow unless it is open."""
    require_operator(by, Permission.CENTER_MANAGE, center.study)
    center = lock(center)
    if center.opened_on is None or center.closed_on is not None:
        raise NotAllowedNow(_("Center %(center)s is not open.") % {"center": center})
    center.closed_on = on
    return _report(center, MilestoneKind.CLOSED, on=on, by=by, action="center.closed", reason=reason)


@transaction.atomic
def add_member(
    *,
    study: Study,
    user: User,
    role: str,
    by: User,
    center: Center | None = None,
    since: date | None = None,
    until: date | None = None,
    delegated: bool = False,
) -> Membership:
    """Give a person a role, at a center for center roles. Raises ValidationError when the person holds or held a role that
    excludes it (docs/blinding.md §7); the database refuses the same for everybody.

    A center role lets nobody enter anything before the site PI delegates (`governance.delegation`); `delegated` enters the whole log of
    the role with it, for the operator alone.
    """
    require_operator(by, Permission.MEMBER_MANAGE, study)
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    _check_conflict(user, role)
    membership = Membership(study=study, user=user, role=role, center=center, since=since or timezone.localdate(), until=until)
    _save(membership, by=by, action="member.added")
    if delegated:
        delegation.enter_log(membership=membership, by=by)
    return membership


@transaction.atomic
def end_membership(*, membership: Membership, last_day: date, reason: str, by: User) -> Membership:
    """End a person's role after a day, saying why; never prolong it. Raises ValidationError without a reason or when it ended before."""
    require_operator(by, Permission.MEMBER_MANAGE, membership.study)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    membership = Membership.objects.select_for_update(of=("self",)).select_related("study").get(pk=membership.pk)
    if membership.until is not None and membership.until <= last_day:
        raise ValidationError({"last_day": _("This role ends on %(until)s already.") % {"until": membership.until}})
    membership.until = last_day
    return _save(membership, by=by, action="member.ended", reason=reason)


def _check_apart(kind: str) -> None:
    """Refuse while a study of the other kind shares the database: model inputs and prospective follow-up never lie together (h)."""
    other = Study.objects.filter(kind=kind, synthetic=False).first()
    if other is not None:
        raise NotAllowedNow(
            _("Study %(study)s is here. A retrospective cohort lives in an installation of its own: set one up for it.") % {"study": other}
        )


def _check_conflict(user: User, role: str) -> None:
    other_side = ACTING_ROLES if role in KNOWING_ROLES else KNOWING_ROLES if role in ACTING_ROLES else ()
    held = Membership.objects.filter(user=user, role__in=other_side).values_list("role", flat=True).first()
    if held:
        raise ValidationError(
            _("%(user)s holds or held the role “%(held)s”, which excludes “%(role)s”: choose another person."),
            code="roles_in_conflict",
            params={"user": user, "held": Role(held).label, "role": Role(role).label},
        )


def _report(center: Center, kind: MilestoneKind, *, on: date, by: User, action: str, reason: str = "") -> Center:
    with audit.act(by=by, action=action, reason=reason):
        save_checked(center)
        milestones.record(center=center, kind=kind, on=on, by=by)
    return center


def _save(record: Any, *, by: User, action: str, reason: str = "") -> Any:
    with audit.act(by=by, action=action, reason=reason):
        save_checked(record)
    return record
