"""`manage.py export {csv,parquet,odm,redcap,verify}`: a study as files with a manifest, and the check of such files (docs/exchange.md)."""

import json
import sys
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts import release
from accounts.models import User
from prime_platform.exchange import parts_of
from studies.exchange import export
from studies.exchange.export import KINDS, Wish
from studies.models import Study


class Command(BaseCommand):
    """Exit status 0: written, or as written; 1: refused, or a file differs; 2: usage or fault."""

    help = "Export a study with a manifest (dates shifted), or check exported files against their manifest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=[*KINDS, "verify"])
        parser.add_argument("out", type=Path, help="a new directory; for verify the directory to check")
        parser.add_argument("--study", help="code of the study (default: the only one)")
        parser.add_argument("--created", help="creation time to write, such as 2026-11-28T10:00:00Z (default: now)")
        parser.add_argument("--file-oid", default="", help="ODM's FileOID (default: study and time)")
        parser.add_argument("--history", action="store_true", help="ODM with every change, not only the last")
        parser.add_argument("--true-dates", action="store_true", help="do not shift dates; needs --reason")
        parser.add_argument("--reason", default="", help="why true dates leave")
        parser.add_argument("--json", action="store_true", help="the manifest as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["kind"] == "verify":
            self._verify(options)
            return
        wish = Wish(
            options["kind"],
            _created(options["created"]),
            release.commit(),
            options["file_oid"],
            shifted=not options["true_dates"],
            history=options["history"],
            reason=options["reason"],
        )
        study = _study(options["study"])
        try:
            manifest = export.make(study=study, parts=parts_of(study), wish=wish, out=options["out"], by=User.objects.system())
        except (PermissionDenied, ValidationError) as refusal:
            raise CommandError(" ".join(getattr(refusal, "messages", [str(refusal)])), returncode=1) from None
        except FileExistsError:
            raise CommandError(f"{options['out']} is there already; name a new directory.", returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(manifest, ensure_ascii=False, indent=1))
        else:
            self.stdout.write(
                f"{len(manifest['files'])} files of {manifest['participants']} participants in {options['out']}, dates {manifest['dates']}"
            )

    def _verify(self, options: dict[str, Any]) -> None:
        try:
            wrong = export.verify(options["out"])
        except (OSError, ValueError, KeyError):
            raise CommandError(f"{options['out']} holds no export with a manifest.", returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps({"differing": wrong}))
        for name in wrong if not options["json"] else []:
            self.stdout.write(f"{name} is not what was exported")
        if wrong:
            sys.exit(1)
        if not options["json"]:
            self.stdout.write("Every file is as it was exported.")


def _created(text: str | None) -> datetime:
    made = parse_datetime(text) if text else timezone.now()
    if made is None or timezone.is_naive(made):
        raise CommandError("Write --created as 2026-11-28T10:00:00Z, with its zone.", returncode=2)
    return made


def _study(code: str | None) -> Study:
    found = list(Study.objects.filter(code=code) if code else Study.objects.order_by("pk")[:2])
    if len(found) != 1:
        raise CommandError("There is no such study." if code else "Say which study: --study CODE.", returncode=2)
    return found[0]
