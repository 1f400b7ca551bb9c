"""`manage.py publish DIR --study CODE`: check the result of an opening against the ledger, store it and move the study to P4."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts.models import User
from analysis import publishing
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Publish the result of an opening; it stays for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the directory that `custodian open` or `custodian read` wrote")
        parser.add_argument("--study", required=True, help="code of the study")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(_("There is no study %(code)s.") % {"code": options["study"]}, returncode=FAULT)
        try:
            made = publishing.publish(study=study, folder=options["folder"], by=User.objects.system())
        except publishing.PublicationRefused as refused:
            raise CommandError(_("Refused:") + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except OSError as error:
            raise CommandError(str(error), returncode=FAULT) from None
        self.stdout.write(_("Published: request %(request)s, cut %(cut)s") % {"request": made.request_sha256, "cut": made.cut_sha256})
