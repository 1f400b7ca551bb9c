"""`manage.py member {add,end,list,password}`: who can sign in, and who is what in a study, by the operator at the machine."""

import getpass
import json
import sys
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import people, second_factor
from accounts.models import User
from accounts.transitions import NotAllowedNow
from studies import setup
from studies.models import Center, Membership, Study
from studies.vocabulary import CENTER_ROLES, Role

REFUSALS = (PermissionDenied, ValidationError, NotAllowedNow)


class Command(BaseCommand):
    """Exit status 0: done; 1: refused, with the sentence; 2: usage, or nobody of that name."""

    help = "Make people who can sign in, give and end their roles in a study, list them, give a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="give a person a role; who is new is made first and needs a password")
        end = actions.add_parser("end", help="end a person's role after a day")
        listed = actions.add_parser("list", help="who is what, from when to when")
        factor = actions.add_parser("factor", help="take a person's second factor back, so that another device can be set up")
        password = actions.add_parser("password", help="give a person a new password, which ends every session")
        for action in (add, end, password, factor):
            action.add_argument("username")
        for action in (add, end):
            action.add_argument("--role", required=True, choices=Role.values)
            action.add_argument("--center", default="", help="two digits; for center roles")
        for action in (add, end, listed):
            action.add_argument("--study", help="code of the study (default: the only one)")
        for action in (add, password):
            action.add_argument("--password-file", type=Path, help="a file with the password in its first line (default: asked for)")
        add.add_argument("--name", default="", help="the name that pages show; for who is new")
        add.add_argument("--since", type=_day, help="first day, such as 2026-11-28 (default: today)")
        add.add_argument("--until", type=_day, help="last day (default: none)")
        add.add_argument("--delegated", action="store_true", help="enter the center's paper log: every task and training of the role")
        end.add_argument("--last-day", type=_day, required=True)
        end.add_argument("--reason", required=True)
        listed.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        do = {"add": self._add, "end": self._end, "list": self._list, "password": self._password, "factor": self._factor}[options["action"]]
        try:
            do(options)
        except REFUSALS as refusal:
            raise CommandError(" ".join(getattr(refusal, "messages", [str(refusal)])), returncode=1) from None

    @transaction.atomic
    def _add(self, options: dict[str, Any]) -> None:
        study = _study(options["study"])
        center, by = _center(study, options), User.objects.system()
        user = User.objects.filter(username=options["username"]).first() or people.create_user(
            username=options["username"], display_name=options["name"] or options["username"], password=_typed(options["password_file"]),
            by=by,
        )  # fmt: skip
        days = {"since": options["since"], "until": options["until"]}
        held = setup.add_member(study=study, user=user, role=options["role"], center=center, by=by, delegated=options["delegated"], **days)
        self.stdout.write(f"{user.username} is {held.role} in {study}{f' at {center}' if center else ''} from {held.since} on")

    def _end(self, options: dict[str, Any]) -> None:
        study = _study(options["study"])
        user, center = _user(options["username"]), _center(study, options)
        held = Membership.objects.filter(user=user, study=study, role=options["role"], center=center).order_by("-since", "-pk").first()
        if held is None:
            raise CommandError(f"{user.username} does not hold this role there.", returncode=2)
        setup.end_membership(membership=held, last_day=options["last_day"], reason=options["reason"], by=User.objects.system())
        self.stdout.write(f"{user.username} is {held.role} in {study} until {options['last_day']}")

    def _list(self, options: dict[str, Any]) -> None:
        today = timezone.localdate()
        rows = Membership.objects.filter(study=_study(options["study"])).select_related("user", "center")
        current = rows.filter(Q(until=None) | Q(until__gte=today)).order_by("center__code", "role", "user__username")
        said = [
            {
                "username": row.user.username, "name": row.user.display_name, "role": row.role,
                "center": row.center.code if row.center else "", "since": row.since.isoformat(),
                "until": row.until.isoformat() if row.until else "",
            }
            for row in current
        ]  # fmt: skip
        if options["json"]:
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=1))
        else:
            for each in said:
                self.stdout.write("\t".join(each.values()))

    def _factor(self, options: dict[str, Any]) -> None:
        user = _user(options["username"])
        second_factor.take_back(user=user, by=User.objects.system())
        self.stdout.write(f"{user.username} sets up another device at the next sign-in")

    def _password(self, options: dict[str, Any]) -> None:
        user = _user(options["username"])
        people.give_password(user=user, password=_typed(options["password_file"]), by=User.objects.system())
        self.stdout.write(f"{user.username} has a new password; every session of before has ended")


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _study(code: str | None) -> Study:
    found = Study.objects.filter(**({"code": code} if code else {}))
    if len(found) != 1:
        raise CommandError(
            "Name the study by --study: " + (", ".join(Study.objects.values_list("code", flat=True)) or "there is none"), returncode=2
        )
    return found[0]


def _center(study: Study, options: dict[str, Any]) -> Center | None:
    if (options["role"] in CENTER_ROLES) != bool(options["center"]):
        raise CommandError("A center role needs --center, a study role has none.", returncode=2)
    if not options["center"]:
        return None
    center = study.centers.filter(code=options["center"]).first()
    if center is None:
        raise CommandError(f"{study} has no center {options['center']}.", returncode=2)
    return center


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is nobody with the user name {username}.", returncode=2)
    return user


def _typed(file: Path | None) -> str:
    """The password, from a file or typed twice; never from the command line, which other users of the machine can read."""
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").splitlines()[0]
        except (OSError, IndexError):
            raise CommandError(f"{file} holds no password in its first line.", returncode=2) from None
    if not sys.stdin.isatty():
        raise CommandError("Give the password by --password-file, or run this at a terminal.", returncode=2)
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise CommandError("The two are not the same.", returncode=2)
    return password
