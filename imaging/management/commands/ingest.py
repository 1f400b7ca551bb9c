"""`manage.py ingest`: open what lies in the inbox and assess what is due, once, as the worker's sweeps do all the time."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from imaging import assessment, ingest
from imaging.models import Package


class Command(BaseCommand):
    help = "Open the packages in the inbox and assess their series once. Exit status: 0 done, 1 packages are left."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        answered, assessed = ingest.sweep(), assessment.sweep()
        left = Package.objects.filter(state=Package.State.STORED).count()
        if options["json"]:
            self.stdout.write(json.dumps({"answered": answered, "assessed": assessed, "left": left}))
        else:
            self.stdout.write(f"packages answered: {answered}; series assessed: {assessed}; packages left: {left}")
        if left:
            sys.exit(1)
