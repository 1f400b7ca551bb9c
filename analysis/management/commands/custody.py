"""`manage.py custody {challenge,activate,replace,bundle,enter}`: naming a study's three custodians, replacing one (docs/custodian.md)."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from accounts.models import User
from analysis import custody_change
from analysis.opening_bundle import BundleRefused
from predictions.sealing_keys import KeyRefused
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Challenge a custodian's key, name the three custodians, give a letter to another person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        parsers = {name: commands.add_parser(name) for name in ("challenge", "activate", "replace", "bundle", "enter")}
        parsers["challenge"].add_argument("key", type=Path, help="FILE.pub of the custodian")
        for letter in "ABC":
            parsers["activate"].add_argument(
                f"--{letter.lower()}",
                dest=letter,
                nargs=3,
                required=True,
                metavar=("PERSON", "FILE.pub", "PROOF"),
                help=f"custodian {letter}",
            )
        parsers["replace"].add_argument("--letter", choices=tuple("ABC"), required=True, help="whose part is handed on")
        parsers["replace"].add_argument("--person", required=True, help="username of the new custodian")
        parsers["replace"].add_argument("--key", type=Path, required=True, help="FILE.pub of the new custodian")
        parsers["replace"].add_argument("--proof", type=Path, required=True, help="answer to the challenge for this key")
        parsers["replace"].add_argument("--reason", required=True)
        parsers["replace"].add_argument("--requester", required=True, help="username of the person who asks")
        parsers["replace"].add_argument("--days", type=int, default=14)
        for name in ("bundle", "enter"):
            parsers[name].add_argument("--request", type=Path, required=True, help="request.json that `custody replace` wrote")
        parsers["bundle"].add_argument("--approvals", required=True, help="A.sig,B.sig: named for the letters of the two who stay")
        parsers["enter"].add_argument("wraps", type=Path, help="the file of the second custodian")
        for name in ("challenge", "replace", "bundle"):
            parsers[name].add_argument("--out", type=Path, required=True, help="the file to write")
        for name in ("activate", "replace", "bundle", "enter"):
            parsers[name].add_argument("--study", required=True, help="code of the study")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, options["command"])(options)
        except BundleRefused as refused:
            raise CommandError("Refused:" + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except ValidationError as refused:
            raise CommandError("; ".join(refused.messages), returncode=NO) from None
        except (OSError, ValueError, KeyError, KeyRefused) as error:
            raise CommandError(str(error), returncode=FAULT) from None

    def challenge(self, options: dict[str, Any]) -> None:
        key = custody_change.read_key(options["key"])
        options["out"].write_bytes(custody_change.challenge(key))
        self.stdout.write(f"Challenge for {key.fingerprint} in {options['out']}")

    def activate(self, options: dict[str, Any]) -> None:
        persons = {letter: (options[letter][0], Path(options[letter][1]), Path(options[letter][2])) for letter in "ABC"}
        custody_change.activate(study=_study(options["study"]), persons=persons, by=User.objects.system())
        self.stdout.write("Custodians named: " + ", ".join(f"{letter} {person}" for letter, (person, _, _) in persons.items()))

    def replace(self, options: dict[str, Any]) -> None:
        key = custody_change.read_key(options["key"])
        if not custody_change.proves(key, json.loads(options["proof"].read_bytes())):
            raise CommandError("The proof does not answer the challenge for this key.", returncode=NO)
        asked = custody_change.request(
            study=_study(options["study"]), replaced=options["letter"], person=options["person"], key=key, reason=options["reason"],
            requester=options["requester"], days=options["days"], by=User.objects.system(),
        )  # fmt: skip
        options["out"].write_bytes(custody_change.written(asked))
        self.stdout.write(f"Request for {len(asked['seals'])} seals in {options['out']}; custodians {asked['pair']} sign it")

    def bundle(self, options: dict[str, Any]) -> None:
        approvals = {path.stem: path.read_bytes() for path in map(Path, options["approvals"].split(","))}
        asked = json.loads(options["request"].read_bytes())
        made = custody_change.bundle(study=_study(options["study"]), asked=asked, approvals=approvals, by=User.objects.system())
        options["out"].write_bytes(made)
        self.stdout.write(f"Bundle written to {options['out']}; it is for custodian {asked['pair'][0]} first")

    def enter(self, options: dict[str, Any]) -> None:
        asked = json.loads(options["request"].read_bytes())
        custody_change.enter(study=_study(options["study"]), asked=asked, result=options["wraps"].read_bytes(), by=User.objects.system())
        self.stdout.write(f"Custodian {asked['replaced']} is {asked['new']['person']} from now on")


def _study(code: str) -> Study:
    study = Study.objects.filter(code=code).first()
    if study is None:
        raise CommandError(f"There is no study {code}.", returncode=FAULT)
    return study
