"""`manage.py custodian`: the custodian's program where the platform is; elsewhere `python -m analysis.custody` (docs/custodian.md)."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from analysis.custody import program, words
from analysis.custody.acts import Stopped


class Command(BaseCommand):
    help = "Make a custodian's key, prove its possession, approve a request, take part in an opening, a drill or a handover; offline."
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        program.add_acts(parser.add_subparsers(dest="command", required=True))

    def handle(self, *args: Any, **options: Any) -> None:
        words.speak(words.of_this_machine())
        try:
            program.perform(options, self.stdout.write)
        except Stopped as stopped:
            raise CommandError(str(stopped), returncode=stopped.status) from None
