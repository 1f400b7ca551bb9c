"""`manage.py demo`: the synthetic study, and its phantoms."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from prime_platform.demo import cohort, images, people
from studies.models import Study


class Command(BaseCommand):
    help = "Make the synthetic demonstration study in an empty database, or send its phantom images."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="?", choices=["study", "images"], default="study", help="what to make (default: the study)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "images":
            self.send_images()
        elif Study.objects.exists():
            self.stdout.write("demo: there is a study already; nothing was changed")
        else:
            self.make_study()

    @transaction.atomic
    def make_study(self) -> None:
        """All or nothing: a half-made demonstration is none."""
        for study in (cohort.build_accruing(), cohort.build_past()):
            self.stdout.write(f"demo: study {study.code} with {study.centers.count()} centers, {study.participants.count()} participants")
        self.stdout.write(f"demo: everything is SYNTHETIC; the password of its people is in {people.password_file()}")

    def send_images(self) -> None:
        try:
            for sentence in images.send():
                self.stdout.write(f"demo: {sentence}")
        except ConnectionError as fault:
            raise CommandError(str(fault)) from None
