"""`manage.py gateway add|list|revoke`: which hospital edges may hand in packages."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging import gateways
from imaging.models import Gateway
from studies.models import Study

MOST_BYTES = 16_384


class Command(BaseCommand):
    help = "Register, list or revoke the gateways of the hospitals. Exit status: 0 done, 1 refused, 2 usage or fault."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, parser_class=argparse.ArgumentParser)
        add = verbs.add_parser("add", help="register the gateway.json that `edge init` wrote at the hospital")
        add.add_argument("file", type=Path)
        add.add_argument("--study", default="", help="code of the study; may be left out while there is one")
        listing = verbs.add_parser("list", help="every gateway with its center and dates")
        revoke = verbs.add_parser("revoke", help="refuse a gateway from now on")
        revoke.add_argument("gateway", help="its id, such as 01-9f86d081")
        revoke.add_argument("--reason", required=True)
        for each in (add, listing, revoke):
            each.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answered = {"add": _add, "list": _list, "revoke": _revoke}[options["verb"]](options)
        except (ValidationError, NotAllowedNow) as refusal:
            reasons = refusal.messages if isinstance(refusal, ValidationError) else [str(refusal)]
            self.stderr.write(" ".join(reasons))
            sys.exit(1)
        if options["json"]:
            self.stdout.write(json.dumps(answered))
            return
        for one in answered:
            self.stdout.write("  ".join(f"{name}={value}" for name, value in one.items() if value))


def _add(options: dict[str, Any]) -> list[dict[str, str]]:
    study = _study(options["study"])
    gateway = gateways.register(study=study, document=_document(options["file"]), by=User.objects.system())
    return [_described(gateway)]


def _list(options: dict[str, Any]) -> list[dict[str, str]]:
    known = Gateway.objects.select_related("center__study").order_by("center__study__code", "code")
    return [_described(gateway) for gateway in known]


def _revoke(options: dict[str, Any]) -> list[dict[str, str]]:
    gateway = Gateway.objects.filter(code=options["gateway"]).select_related("center__study").first()
    if gateway is None:
        raise CommandError(f"There is no gateway {options['gateway']}; see `gateway list`.", returncode=2)
    return [_described(gateways.revoke(gateway=gateway, by=User.objects.system(), reason=options["reason"]))]


def _document(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError) as fault:
        raise CommandError(f"{path} cannot be read as the gateway.json of an edge: {fault}", returncode=2) from None
    if not isinstance(document, dict):
        raise CommandError(f"{path} is not the gateway.json of an edge.", returncode=2)
    return document


def _study(code: str) -> Study:
    studies = list(Study.objects.filter(code=code) if code else Study.objects.all())
    if len(studies) != 1:
        raise CommandError("Name the study with --study CODE." if not code else f"There is no study {code}.", returncode=2)
    return studies[0]


def _described(gateway: Gateway) -> dict[str, str]:
    return {
        "gateway": gateway.code,
        "study": gateway.center.study.code,
        "center": gateway.center.code,
        "software": gateway.software,
        "added_at": gateway.added_at.isoformat(timespec="seconds"),
        "revoked_at": gateway.revoked_at.isoformat(timespec="seconds") if gateway.revoked_at else "",
    }
