"""`manage.py outside {export,verifier}`: what a holder outside needs to check a study's ledger without the platform (docs/outside.md)."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import audit, prime_verify
from accounts.models import User
from predictions import outside

FAULT = 2


class Command(BaseCommand):
    help = "Write a study's whole outside bundle, or the one-file program that checks it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        exports = commands.add_parser("export", help="write the whole bundles and the newest head, for a holder who has none yet")
        exports.add_argument("--study", required=True, help="code of the study")
        verifier = commands.add_parser("verifier", help="write prime_verify.py, which needs Python and nothing else")
        for one in (exports, verifier):
            one.add_argument("--out", type=Path, required=True, help="a directory")

    def handle(self, *args: Any, **options: Any) -> None:
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

    def verifier(self, options: dict[str, Any]) -> list[Path]:
        source = Path(prime_verify.__file__)
        target = options["out"] / source.name
        target.write_bytes(source.read_bytes())
        return [target]
