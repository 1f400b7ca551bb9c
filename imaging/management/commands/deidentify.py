"""`manage.py deidentify IN OUT --center CODE`: de-identify files by hand, by the rules of the edge; no database is needed."""

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from imaging.edge import offline


class Command(BaseCommand):
    help = "De-identify a DICOM file or folder by the edge's rules and the center's key."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        offline.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(offline.run(argparse.Namespace(**options)))
