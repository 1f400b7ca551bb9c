"""Whether a person has a task in hand at a center on a day and is trained for it: a condition for querysets, and the sentence why not.

The site PI answers for every task by the role itself and is delegated none; the training is asked of everybody.
"""

from datetime import date

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.once import once
from studies.governance import conduct
from studies.models import Center, Delegation, Membership, Study, Training
from studies.vocabulary import Role, Task


def _running(day: date) -> Q:
    return Q(until=None) | Q(until__gte=day)


def _valid(day: date) -> Q:
    return Q(expires_on=None) | Q(expires_on__gte=day)


def delegated(user: User, task: str, day: date) -> Q:
    """Of centers: this person leads there, or has the task in hand there on that day, and is trained for it."""
    leads = Membership.objects.filter(_running(day), user=user, role=Role.SITE_PI, since__lte=day, center=OuterRef("pk"))
    holds = Delegation.objects.filter(_running(day), user=user, task=task, since__lte=day, center=OuterRef("pk"))
    return (Q(Exists(leads)) | Q(Exists(holds))) & _trained(user, task, day)


def _trained(user: User, task: str, day: date) -> Q:
    condition = Q()
    for rules in conduct.in_force():
        for needed in rules.trainings_for(task):
            held = Training.objects.filter(_valid(day), user=user, code=needed.code, trained_on__lte=day, study=OuterRef("study"))
            condition &= ~Q(study__protocol_id=rules.protocol) | Q(Exists(held))
    return condition


@once
def in_hand(user: User, task: str, center: Center, day: date) -> bool:
    """The same of one center, which every write asks: two small questions, or three, in place of a long one."""
    holds = Delegation.objects.filter(_running(day), user=user, task=task, since__lte=day, center=center)
    return (holds.exists() or _leads(user, center, day)) and not lacking(user, task, center, day)


def _leads(user: User, center: Center, day: date) -> bool:
    return Membership.objects.filter(_running(day), user=user, role=Role.SITE_PI, since__lte=day, center=center).exists()


def why_not(user: User, task: str, center: Center, day: date) -> str:
    """The sentence for a person who holds the role but may not do the task at a center on a day."""
    words = {"task": Task(task).label, "center": center}
    held = list(Delegation.objects.filter(user=user, task=task, center=center).order_by("since", "pk"))
    if not _leads(user, center, day) and not any(_covers(row, day) for row in held):
        return _not_in_hand(held, day, words)
    names = _(", ").join(item.text.say(get_language()) for item in lacking(user, task, center, day))
    return _("Before you work on “%(task)s” at center %(center)s this training must be on record and valid: %(names)s.") % {
        **words,
        "names": names,
    }


def lacking(user: User, task: str, center: Center, day: date) -> list[conduct.Training]:
    """The trainings for a task that a person has not, or no longer, on a day."""
    rules = of_protocol(center.study.protocol_id)
    needed = rules.trainings_for(task) if rules else ()
    if not needed:
        return []
    valid = Training.objects.filter(_valid(day), user=user, study=center.study_id, trained_on__lte=day)
    codes = set(valid.values_list("code", flat=True))
    return [item for item in needed if item.code not in codes]


def of_protocol(protocol_id: str) -> conduct.Conduct | None:
    """The rules of conduct of a protocol, or None where it has none."""
    return next((rules for rules in conduct.in_force() if rules.protocol == protocol_id), None)


def _covers(row: Delegation, day: date) -> bool:
    return row.since <= day and (row.until is None or row.until >= day)


def _not_in_hand(held: list[Delegation], day: date, words: dict[str, object]) -> str:
    coming = [row.since for row in held if row.since > day]
    ended = [row.until for row in held if row.until is not None and row.until < day]
    if coming:
        return _("“%(task)s” at center %(center)s is delegated to you from %(since)s on, not before.") % {**words, "since": min(coming)}
    if ended:
        return _("Your delegation of “%(task)s” at center %(center)s ended on %(ended)s. Ask the site PI to renew it.") % {
            **words,
            "ended": max(ended),
        }
    return _("“%(task)s” at center %(center)s is not delegated to you. Ask the site PI to enter it in the delegation log.") % words


def trained(study: Study, day: date) -> dict[int, set[str]]:
    """The trainings valid on a day in a study, by the key of the person."""
    held: dict[int, set[str]] = {}
    for user, code in Training.objects.filter(_valid(day), study=study, trained_on__lte=day).values_list("user", "code"):
        held.setdefault(user, set()).add(code)
    return held
