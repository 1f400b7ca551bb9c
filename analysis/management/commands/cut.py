"""`manage.py cut`: freeze a study as of a day into a hashed table, and enter it on the ledger."""

from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts import release
from accounts.models import User
from analysis import cut
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Write the frozen table of a study: blinded, opening (encrypted to the custodians) or training."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--study", required=True, help="code of the study")
        parser.add_argument("--kind", required=True, choices=cut.KINDS)
        parser.add_argument("--on", type=date.fromisoformat, help="the day up to which facts count (default: the study's today)")
        parser.add_argument("--out", type=Path, required=True, help="a new directory for table and manifest")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(_("There is no study %(code)s.") % {"code": options["study"]}, returncode=FAULT)
        on = options["on"] or study.today()
        try:
            made = cut.make(study=study, kind=options["kind"], on=on, by=User.objects.system(), out=options["out"], commit=release.commit())
        except cut.CutRefused as refused:
            raise CommandError(_("Refused:") + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except OSError as error:
            raise CommandError(str(error), returncode=FAULT) from None
        self.stdout.write(
            _("%(rows)s rows as of %(on)s in %(folder)s") % {"rows": made.manifest["rows"], "on": on, "folder": options["out"]}
        )
        self.stdout.write(f"sha256 {made.manifest['cut']}")
