"""`manage.py outside {export,verifier,receive,stamp}`: what a holder needs to check a ledger, and confirms (docs/outside.md)."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts import audit, chain, prime_verify
from accounts.models import User
from predictions import outside, stamping
from predictions.sealing_keys import PublicKey

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Write a study's whole outside bundle, or the one-file program that checks it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        exports = commands.add_parser("export", help="write the whole bundles and the newest head, for a holder who has none yet")
        exports.add_argument("--study", required=True, help="code of the study")
        verifier = commands.add_parser("verifier", help="write prime_verify.py, which needs Python and nothing else")
        receives = commands.add_parser("receive", help="keep a holder's receipt (custodian confirm) as an outside anchor")
        receives.add_argument("receipt", type=Path)
        receives.add_argument("--holder", required=True, help="one word that names the holder")
        receives.add_argument("--key", type=Path, required=True, help="FILE.pub of the holder, compared by voice")
        receives.add_argument("--study", required=True, help="code of the study")
        stamps = commands.add_parser("stamp", help="get a time stamp (RFC 3161) on the newest head: over HTTP, or by two files")
        stamps.add_argument("--study", required=True, help="code of the study")
        stamps.add_argument("--query", type=Path, help="only write the query here, for a machine that may ask")
        stamps.add_argument("--answer", type=Path, help="the answer that was fetched elsewhere")
        for one in (exports, verifier):
            one.add_argument("--out", type=Path, required=True, help="a directory")

    def handle(self, *args: Any, **options: Any) -> None:
        if "out" in options:
            options["out"].mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in getattr(self, options["command"])(options):
            self.stdout.write(str(path))

    def export(self, options: dict[str, Any]) -> list[Path]:
        try:
            written = outside.export(study=options["study"], out=options["out"])
        except ValueError as error:
            raise CommandError(str(error), returncode=FAULT) from None
        audit.record(kind="export", by=User.objects.system(), subject="outside bundle", detail={"study": options["study"]})
        return written

    def receive(self, options: dict[str, Any]) -> list[Path]:
        try:
            public = PublicKey.from_json(json.loads(options["key"].read_bytes()))
            return [
                outside.receive(study=options["study"], holder=options["holder"], public=public, receipt=options["receipt"].read_bytes())
            ]
        except outside.ReceiptRefused as refused:
            raise CommandError(str(refused), returncode=NO) from None
        except (ValueError, KeyError, OSError) as error:
            raise CommandError(str(error), returncode=FAULT) from None

    def stamp(self, options: dict[str, Any]) -> list[Path]:
        study = options["study"]
        try:
            anchor, asked = stamping.query(study)
            if options["query"]:
                options["query"].write_bytes(asked)
                return [options["query"]]
            answer = options["answer"].read_bytes() if options["answer"] else stamping.post(settings.PRIME_TSA_URL, asked)
            if not settings.PRIME_TSA_CA:
                raise CommandError("PRIME_TSA_CA is not set: whose signature would count?", returncode=FAULT)
            kept = stamping.keep(study=study, anchor=anchor, answer=answer, certificates=Path(settings.PRIME_TSA_CA))
        except stamping.StampRefused as refused:
            raise CommandError(str(refused), returncode=NO) from None
        except OSError as error:
            raise CommandError(str(error), returncode=FAULT) from None
        self.stdout.write(f"row {kept.index}: stamped {chain.instant(kept.at).isoformat()}")
        return []

    def verifier(self, options: dict[str, Any]) -> list[Path]:
        source = Path(prime_verify.__file__)
        target = options["out"] / source.name
        target.write_bytes(source.read_bytes())
        return [target]
