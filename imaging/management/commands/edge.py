"""`manage.py edge …`: the hospital edge. The work is done in `imaging.edge`, which knows nothing of Django."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from imaging.edge import commands


class Command(BaseCommand):
    help = "The hospital edge: init, run, peer, link, import, status, heartbeat."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        commands.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(commands.dispatch(argparse.Namespace(**options)))
