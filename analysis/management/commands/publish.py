"""`manage.py publish DIR --study CODE [--by USERNAME]`: check the result of an opening against the ledger, store it, move the study to P4.

A person answers for it and proves at the terminal that it is he, by password and second factor (SE-02); a SYNTHETIC study needs nobody.
"""

from argparse import ArgumentParser
from getpass import getpass
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from accounts import second_factor
from accounts.models import User
from accounts.reauthentication import Proof, confirm
from analysis import publishing
from studies.models import Study

NO, FAULT = 1, 2


class Command(BaseCommand):
    help = "Publish the result of an opening; it stays for good."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", type=Path, help="the directory that `custodian open` or `custodian read` wrote")
        parser.add_argument("--study", required=True, help="code of the study")
        parser.add_argument("--by", default="", help="username of the person who answers for it; asked for password and code")

    def handle(self, *args: Any, **options: Any) -> None:
        study = Study.objects.filter(code=options["study"]).first()
        if study is None:
            raise CommandError(_("There is no study %(code)s.") % {"code": options["study"]}, returncode=FAULT)
        try:
            made = publishing.publish(study=study, folder=options["folder"], by=_person(study, options["by"]))
        except (PermissionDenied, ValidationError) as refused:
            raise CommandError(" ".join(getattr(refused, "messages", [str(refused)])), returncode=NO) from None
        except publishing.PublicationRefused as refused:
            raise CommandError(_("Refused:") + "".join(f"\n  - {reason}" for reason in refused.reasons), returncode=NO) from None
        except OSError as error:
            raise CommandError(str(error), returncode=FAULT) from None
        self.stdout.write(_("Published: request %(request)s, cut %(cut)s") % {"request": made.request_sha256, "cut": made.cut_sha256})


def _person(study: Study, name: str) -> User:
    """Who answers for the publication, proven. Raises ValidationError."""
    if not name and study.synthetic:
        return User.objects.system()
    person = User.objects.filter(username=name, is_active=True).first()
    if person is None:
        raise ValidationError(_("Say who answers for the publication: --by USERNAME, of a person who may set up the study."))
    needs_code = second_factor.has(person) or second_factor.is_missing(person)
    password = getpass(_("Password: "))
    confirm(person, Proof(password, getpass(_("Code of your second factor: ")) if needs_code else ""))
    return person
