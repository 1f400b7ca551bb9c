"""`manage.py demo`: the synthetic study, and its phantoms."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from prime_platform.demo import cohort, images, opening, people, reading
from studies.models import Study

READING_ROUNDS, READING_PAUSE = 60, 5.0  # rounds, seconds


class Command(BaseCommand):
    help = (
        "Make the synthetic studies in an empty database (study), give the edge an operating list and phantoms and outline these (images),"
        " move a study's clock (advance)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="?", choices=["study", "images", "advance"], default="study", help="what to do (default: study)")
        parser.add_argument("--days", type=int, default=1, help="advance: by how many days (default: 1)")
        parser.add_argument("--study", default=cohort.ACCRUING, help="advance: which study (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "images":
            self.send_images()
        elif options["what"] == "advance":
            self.advance(options["study"], options["days"])
        elif Study.objects.exists():
            self.stdout.write("demo: there is a study already; nothing was changed")
        else:
            self.make_study()

    @transaction.atomic
    def make_study(self) -> None:
        """All or nothing: a half-made demonstration is none."""
        for study in (cohort.build_accruing(), cohort.build_past()):
            self.stdout.write(f"demo: study {study.code} with {study.centers.count()} centers, {study.participants.count()} participants")
        opening.open_past()
        self.stdout.write("demo: DEMO-PAST was opened by two demo custodians and published")
        self.stdout.write(f"demo: everything is SYNTHETIC; the password of its people is in {people.password_file()}")

    def send_images(self) -> None:
        """Take the operating list in and send what has not arrived, then read what arrives, for a few minutes at most."""
        try:
            for sentence in (*images.list_operations(Study.objects.get(code=cohort.ACCRUING).today()), *images.send()):
                self.stdout.write(f"demo: {sentence}")
        except ConnectionError as fault:
            raise CommandError(str(fault)) from None
        for _ in range(READING_ROUNDS):
            for sentence in reading.read():
                self.stdout.write(f"demo: {sentence}")
            if reading.finished():
                return
            time.sleep(READING_PAUSE)

    def advance(self, code: str, days: int) -> None:
        if not Study.objects.filter(code=code, synthetic=True).exists():
            raise CommandError(f"There is no synthetic study {code}.")
        if days < 1:
            raise CommandError("The clock of a study never runs backwards; give at least one day.")
        study = cohort.advance(code, days)
        self.stdout.write(f"demo: it is now {study.today()} in {code}")
