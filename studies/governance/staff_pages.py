"""What the page of a center's delegation log shows: its lines, and of each person the roles and trainings."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import get_language

from accounts.models import User
from studies.governance import standing
from studies.models import Center, Delegation, Membership, Training
from studies.paging import page_of
from studies.vocabulary import Role, Task


@dataclass(frozen=True)
class Line:
    """One line of the log as shown: its state today, and the trainings that keep it from taking effect."""

    delegation: Delegation
    task: str
    state: str
    lacking: str
    runs: bool


@dataclass(frozen=True)
class Colleague:
    """One person of the center: the roles, and each training with its days."""

    user: User
    roles: str
    trainings: list[dict[str, Any]]


def page(center: Center, roles: dict[User, list[str]], after: str) -> dict[str, Any]:
    """The log of a center, newest line first, fifty at a time, and everybody who works there."""
    today = timezone.localdate()
    trainings = _trainings(center)
    shown = page_of(Delegation.objects.filter(center=center).select_related("user"), after)
    return {
        "lines": [_line(row, trainings, center, today) for row in shown.rows],
        "rows": shown.rows,
        "total": shown.total,
        "next_url": f"?after={shown.after}" if shown.after else "",
        "first_url": "" if shown.is_first else "?",
        "colleagues": [
            Colleague(user, ", ".join(held), [_training(center, each, today) for each in trainings[user.pk]])
            for user, held in roles.items()
        ],
    }


def people(center: Center) -> dict[User, list[str]]:
    """Everybody who holds a role at a center today, by name, with the names of the roles."""
    today = timezone.localdate()
    roles: dict[User, list[str]] = defaultdict(list)
    for row in Membership.objects.filter(center=center, since__lte=today).select_related("user").order_by("role", "pk"):
        if row.until is None or row.until >= today:
            roles[row.user].append(str(Role(row.role).label))
    return {user: roles[user] for user in sorted(roles, key=str)}


def _trainings(center: Center) -> dict[int, list[Training]]:
    at_center = Membership.objects.filter(center=center).values("user")
    found: dict[int, list[Training]] = defaultdict(list)
    for row in Training.objects.filter(study=center.study_id, user__in=at_center).order_by("code", "trained_on", "pk"):
        found[row.user_id].append(row)
    return found


def _training(center: Center, row: Training, today: date) -> dict[str, Any]:
    rules = standing.of_protocol(center.study.protocol_id)
    known = rules.training(row.code) if rules else None
    expired = row.expires_on is not None and row.expires_on < today
    return {"row": row, "name": known.text.say(get_language()) if known else row.code, "expired": expired}


def _line(row: Delegation, trainings: dict[int, list[Training]], center: Center, today: date) -> Line:
    rules = standing.of_protocol(center.study.protocol_id)
    valid = {
        each.code for each in trainings[row.user_id] if each.trained_on <= today and (each.expires_on is None or each.expires_on >= today)
    }
    lacking = [item.text.say(get_language()) for item in (rules.trainings_for(row.task) if rules else ()) if item.code not in valid]
    ended = row.until is not None and row.until < today
    state = "ended" if ended else "begins_later" if row.since > today else "training_missing" if lacking else "in_force"
    return Line(row, str(Task(row.task).label), state, ", ".join(lacking) if state == "training_missing" else "", not ended)
