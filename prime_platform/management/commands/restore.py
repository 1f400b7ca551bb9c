"""`manage.py restore {check,take-back,fork-request,fork}`: go on after a restored database without forking the ledger (docs/outside.md)."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import anchors, heads
from accounts.canonical import canonical
from accounts.models import User
from predictions import restoring
from predictions.sealing_envelope import PAIRS
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "After the database was restored from a backup: hold it against heads, take back what is missing, or enter an approved fork."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        parsers = {name: commands.add_parser(name) for name in ("check", "take-back", "fork-request", "fork")}
        for one in parsers.values():
            one.add_argument("--study", required=True, help="code of the study")
        for name in ("check", "take-back"):
            parsers[name].add_argument("--heads", type=Path, help="heads that came back from outside")
        parsers["take-back"].add_argument("bundles", type=Path, nargs="+", help="restricted bundles, from an outside holder")
        parsers["fork-request"].add_argument("--requester", required=True)
        parsers["fork-request"].add_argument("--reason", required=True)
        parsers["fork-request"].add_argument("--pair", choices=PAIRS, required=True)
        parsers["fork-request"].add_argument("--days", type=int, default=7)
        parsers["fork-request"].add_argument("--out", type=Path, required=True)
        parsers["fork"].add_argument("request", type=Path)
        parsers["fork"].add_argument("--approvals", required=True, help="A.sig,B.sig: named for the custodians' letters")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(f"There is no study {options['study']}.", returncode=FAULT)
        try:
            getattr(self, options["command"].replace("-", "_"))(study, options)
        except restoring.RestoreRefused as refused:
            raise CommandError("Refused:" + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except (OSError, ValueError, KeyError) as error:
            raise CommandError(str(error), returncode=FAULT) from None

    def check(self, study: Study, options: dict[str, Any]) -> None:
        faults = restoring.behind(study.code, _heads(options))
        if faults:
            anchors.mark_behind(study.code, faults)
            raise restoring.RestoreRefused(faults)
        anchors.clear(study.code)
        self.stdout.write("The ledger contains every head; the study goes on.")

    def take_back(self, study: Study, options: dict[str, Any]) -> None:
        bundles, received = options["bundles"], _heads(options)
        for sentence in restoring.take_back(study=study, bundles=bundles, received=received, by=User.objects.system()):
            self.stdout.write(sentence)
        self.stdout.write("The ledger contains every head again; the study goes on.")

    def fork_request(self, study: Study, options: dict[str, Any]) -> None:
        given = {name: options[name] for name in ("requester", "reason", "pair", "days")}
        options["out"].write_bytes(canonical(restoring.fork_request(study=study, **given)) + b"\n")
        self.stdout.write(f"Request in {options['out']}; custodians {options['pair']} sign it, or do not")

    def fork(self, study: Study, options: dict[str, Any]) -> None:
        approvals = {path.stem: path.read_bytes() for path in map(Path, options["approvals"].split(","))}
        restoring.fork(study=study, asked=json.loads(options["request"].read_bytes()), approvals=approvals, by=User.objects.system())
        self.stdout.write("The fork is entered on the ledger; the heads that were given up are kept beside it.")


def _heads(options: dict[str, Any]) -> list[heads.Head]:
    return heads.read(options["heads"]) if options["heads"] else []
