"""The delegation log of a center (授权分工表) and the trainings before it: who hands which task to whom, from when to when.

What is written here takes effect in `studies.access`, for every write function of every room.
"""

from collections.abc import Iterable
from datetime import date

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from studies.access import Permission, require_operator, tasks_of
from studies.governance import standing
from studies.models import Center, Delegation, Membership, Study, Training
from studies.vocabulary import Role, Task


@transaction.atomic
def delegate(*, center: Center, user: User, tasks: Iterable[str], since: date, by: User, until: date | None = None) -> list[Delegation]:
    """Hand tasks to a person who works at the center; the site PI does. A training that is missing does not stop it: the entry waits.

    Raises ValidationError for a task that the person's role does not include or that is in his hands already, PermissionDenied.
    """
    require_operator(by, Permission.DELEGATE, center)
    wanted = list(dict.fromkeys(tasks))
    _check_role(center, user, wanted, since)
    made = [Delegation(center=center, user=user, task=task, since=since, until=until) for task in wanted]
    with audit.act(by=by, action="task.delegated", center=center.code):
        for row in made:
            row.recorded_at, row.recorded_by = timezone.now(), by
            save_checked(row)
    return made


@transaction.atomic
def end(*, delegation: Delegation, last_day: date, reason: str, by: User) -> Delegation:
    """Take a task back after a day, saying why. Raises ValidationError when it ended before that day already."""
    require_operator(by, Permission.DELEGATE, delegation.center)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why: a change after the first entry needs a reason.")})
    delegation = Delegation.objects.select_for_update(of=("self",)).select_related("center").get(pk=delegation.pk)
    if delegation.until is not None and delegation.until <= last_day:
        raise ValidationError({"last_day": _("This delegation ends on %(until)s already.") % {"until": delegation.until}})
    delegation.until = last_day
    with audit.act(by=by, action="task.delegation_ended", reason=reason, center=delegation.center.code):
        save_checked(delegation)
    return delegation


@transaction.atomic
def record_training(
    *, center: Center, user: User, code: str, trained_on: date, certificate: str, by: User, expires_on: date | None = None
) -> Training:
    """Put a training of a person who works at the center on record. Raises ValidationError for an unknown one or a day ahead."""
    require_operator(by, Permission.TRAINING_RECORD, center)
    rules = standing.of_protocol(center.study.protocol_id)
    if rules is None or rules.training(code) is None:
        raise ValidationError({"code": _("Choose a training of the list.")})
    if trained_on > timezone.localdate():
        raise ValidationError({"trained_on": _("The training is dated in the future.")})
    here = Q(center=center) | Q(study=center.study_id, center=None)
    if not Membership.objects.filter(here, user=user).exists():
        raise ValidationError({"user": _("This person has no role at this center.")})
    training = Training(study=center.study, user=user, code=code, trained_on=trained_on, expires_on=expires_on, certificate=certificate)
    training.recorded_at, training.recorded_by = timezone.now(), by
    with audit.act(by=by, action="training.recorded", center=center.code):
        save_checked(training)
    return training


@transaction.atomic
def enter_log(*, membership: Membership, by: User) -> None:
    """Enter, as held from the role's first day on, every task of a center role and the trainings these ask for.

    For the operator alone, who brings in the log that a center keeps on paper (and who sets up a demonstration).
    """
    if by.pk != User.objects.system().pk:
        raise PermissionDenied(_("Only the operator enters a whole log; the site PI delegates task by task."))
    tasks, center, now = tasks_of(membership.role), membership.center, timezone.now()
    if center is None or not tasks:
        return
    who = {"user": membership.user, "recorded_at": now, "recorded_by": by}
    with audit.act(by=by, action="task.log_entered", center=center.code):
        Training.objects.bulk_create(
            Training(study=membership.study, code=code, trained_on=membership.since, certificate="center log", **who)
            for code in _missing(membership.user, membership.study, tasks, membership.since)
        )
        if membership.role != Role.SITE_PI:
            held = set(Delegation.objects.filter(center=center, user=membership.user, until=None).values_list("task", flat=True))
            Delegation.objects.bulk_create(
                Delegation(center=center, task=task, since=membership.since, until=membership.until, **who)
                for task in tasks
                if task not in held
            )


def _missing(user: User, study: Study, tasks: Iterable[str], since: date) -> list[str]:
    rules = standing.of_protocol(study.protocol_id)
    needed = dict.fromkeys(item.code for task in tasks for item in (rules.trainings_for(task) if rules else ()))
    held = set(Training.objects.filter(user=user, study=study, trained_on__lte=since, expires_on=None).values_list("code", flat=True))
    return [code for code in needed if code not in held]


def _check_role(center: Center, user: User, tasks: list[str], since: date) -> None:
    if not tasks or not set(tasks) <= set(Task.values):
        raise ValidationError({"tasks": _("Choose at least one task of the list.")})
    running = Membership.objects.filter(Q(until=None) | Q(until__gte=since), center=center, user=user).values_list("role", flat=True)
    possible = {task for role in running for task in tasks_of(role)}
    beyond = [Task(task).label for task in tasks if task not in possible]
    if beyond:
        raise ValidationError(
            {
                "tasks": _("The role of %(user)s at this center does not include: %(tasks)s.")
                % {"user": user, "tasks": _(", ").join(map(str, beyond))}
            }
        )
