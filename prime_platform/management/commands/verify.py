"""`manage.py verify`: re-read ledgers and archive and name every byte that is not what it was."""

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import audit
from accounts.models import User
from prime_platform import posture, verification
from studies.models import Study


class Command(BaseCommand):
    help = "Recompute every ledger and re-hash every archived file. Exit status 0: all holds; 1: faults, each named."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
        parser.add_argument("--heads", type=Path, metavar="DIR", help="heads that came back from outside (docs/outside.md)")
        parser.add_argument("--posture", action="store_true", help="say only what of this installation a real study must not have")
        parser.add_argument("--study", help="with --posture: also the custodians and anchors of this study")
        parser.add_argument("--gap", type=int, default=3, help="name gaps of more days than this between heads (default: 3)")

    def handle(self, *args: Any, **options: Any) -> None:
        found = verification.faults() if not options["posture"] else {"posture": _posture(options["study"])}
        if options["heads"]:
            found["heads"] = _held_against(options["heads"], options["gap"])
        count = sum(len(faults) for faults in found.values())
        if not options["posture"]:
            audit.record(kind="read", by=User.objects.system(), subject="verify", detail={"faults": count, "heads": bool(options["heads"])})
        if options["json"]:
            self.stdout.write(json.dumps({"faults": found, "count": count}, ensure_ascii=False))
        else:
            self.report(found, count)
        if count:
            sys.exit(1)

    def report(self, found: dict[str, list[str]], count: int) -> None:
        """One line per check, one sentence per fault."""
        for name, faults in found.items():
            self.stdout.write(f"{name}: {'holds' if not faults else f'{len(faults)} fault(s)'}")
            for fault in faults:
                self.stdout.write(f"  {fault}")
        self.stdout.write("verify: everything holds" if not count else f"verify: {count} fault(s) found")


def _held_against(folder: Path, gap: int) -> list[str]:
    try:
        return verification.against(folder, gap)
    except (ValueError, OSError) as error:
        raise CommandError(str(error), returncode=2) from None


def _posture(code: str | None) -> list[str]:
    study = Study.objects.filter(code=code).first() if code else None
    if code and study is None:
        raise CommandError(f"There is no study {code}.", returncode=2)
    return [f"{each}: {sentence}" for each, sentence in posture.violations(posture.facts(study)).items()]
