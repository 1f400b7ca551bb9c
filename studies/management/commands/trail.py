"""`manage.py trail`: the whole audit trail of a study as a file, and whether such a file is what was exported (AU-03)."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import audit, moment
from accounts.models import AccessRecord, User
from studies.models import Study
from studies.trail import bundle, export


class Command(BaseCommand):
    """Exit status 0: written, or whole; 1: the file is not what was exported; 2: usage."""

    help = "export: write the trail of a study into a ZIP with a manifest. verify: re-hash every file of such a ZIP; needs no database."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parts = parser.add_subparsers(dest="part", required=True)
        writing = parts.add_parser("export", help="write the trail of a study")
        writing.add_argument("--study", required=True, help="the study's code")
        writing.add_argument("--out", required=True, type=Path, help="the file to write; it must not exist")
        checking = parts.add_parser("verify", help="check a file that was exported")
        checking.add_argument("file", type=Path)
        checking.add_argument("--manifest", default="", help="SHA-256 of the manifest as the platform recorded it")
        for one in (writing, checking):
            one.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["part"] == "export":
            self.export(options["study"], options["out"], as_json=options["json"])
        else:
            self.verify(options["file"], options["manifest"], as_json=options["json"])

    @moment.one_moment()
    def export(self, code: str, out: Path, *, as_json: bool) -> None:
        """Write the file and record that it was taken."""
        study = Study.objects.filter(code=code).first()
        if study is None:
            raise CommandError(f"There is no study {code}.", returncode=2)
        try:
            with out.open("xb") as file:
                digest, events = export.write(study=study, file=file, by="operator", at=timezone.now())
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error}", returncode=2) from None
        said = {"study": code, "events": events, "manifest_sha256": digest}
        audit.record(kind=AccessRecord.Kind.EXPORT, by=User.objects.system(), subject="trail", detail=said)
        self.stdout.write(json.dumps(said) if as_json else f"{events} events of {code}; SHA-256 of the manifest {digest}")

    def verify(self, path: Path, manifest: str, *, as_json: bool) -> None:
        """Say every fault."""
        try:
            with path.open("rb") as file:
                faults = bundle.verify(file, manifest)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error}", returncode=2) from None
        if as_json:
            self.stdout.write(json.dumps({"faults": faults, "count": len(faults)}))
        else:
            for sentence in faults or ["this is the trail as it was exported"]:
                self.stdout.write(sentence)
        if faults:
            sys.exit(1)
