"""`manage.py opening {request,bundle}`: ask two custodians to open the seals, and give them everything they need in one file."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts.canonical import digest
from accounts.models import User
from analysis import opening_request
from analysis.opening_bundle import BundleRefused
from predictions.sealing_envelope import PAIRS
from predictions.sealing_keys import KeyRefused, PublicKey
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Request an opening, or assemble the bundle of an approved request."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        asks = commands.add_parser("request", help="write request.json and enter it on the ledger")
        asks.add_argument("--study", required=True, help="code of the study")
        asks.add_argument("--cut", type=Path, required=True, help="the directory of an opening cut")
        asks.add_argument("--reason", required=True)
        asks.add_argument("--requester", required=True, help="username of the person who asks")
        asks.add_argument("--pair", required=True, choices=PAIRS, help="the two custodians")
        asks.add_argument("--days", type=int, required=True, help="how long the request is valid")
        asks.add_argument("--recipients", default="", help="name=FILE.pub,…: to whom the result is encrypted; without, it stays in clear")
        asks.add_argument("--out", type=Path, required=True, help="a new directory")
        bundles = commands.add_parser("bundle", help="assemble the file for the custodians")
        bundles.add_argument("--request", type=Path, required=True, help="the directory that `opening request` wrote")
        bundles.add_argument("--approvals", required=True, help="A.sig,B.sig: named for the custodians' letters")
        bundles.add_argument("--artefact", required=True, help="model.json,…: the sealed models, from escrow")
        bundles.add_argument("--out", type=Path, required=True, help="the file to write")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["command"])(options)
        except BundleRefused as refused:
            raise CommandError(_("Refused:") + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except (OSError, ValueError, KeyError, KeyRefused) as error:
            raise CommandError(str(error), returncode=FAULT) from None

    def request(self, options: dict[str, Any]) -> None:
        asked = opening_request.request(
            study=_study(options["study"]),
            cut_folder=options["cut"],
            reason=options["reason"],
            requester=options["requester"],
            pair=options["pair"],
            days=options["days"],
            recipients=_recipients(options["recipients"]),
            by=User.objects.system(),
            out=options["out"],
        )
        self.stdout.write(_("Request for %(count)s seals in %(folder)s") % {"count": len(asked["seals"]), "folder": options["out"]})
        self.stdout.write(f"sha256 {digest(asked)}")

    def bundle(self, options: dict[str, Any]) -> None:
        asked = json.loads((options["request"] / opening_request.REQUEST_FILE).read_bytes())
        data = opening_request.bundle(
            study=_study(asked["study"]),
            folder=options["request"],
            approvals={path.stem: path.read_bytes() for path in map(Path, options["approvals"].split(","))},
            artefacts=[Path(name).read_bytes() for name in options["artefact"].split(",")],
            by=User.objects.system(),
        )
        with options["out"].open("xb") as file:
            file.write(data)
        self.stdout.write(_("Bundle written to %(file)s; it is for the first custodian.") % {"file": options["out"]})


def _study(code: str) -> Study:
    study = Study.objects.filter(code=code).first()
    if study is None:
        raise CommandError(_("There is no study %(code)s.") % {"code": code}, returncode=FAULT)
    return study


def _recipients(text: str) -> dict[str, PublicKey]:
    named = [part.partition("=") for part in text.split(",") if part]
    return {name: PublicKey.from_json(json.loads(Path(file).read_bytes())) for name, _equals, file in named}
