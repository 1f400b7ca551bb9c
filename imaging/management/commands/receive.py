"""`manage.py receive DIR`: take in the packages that were carried here on a disk, and write their receipts beside them."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from imaging import carried
from imaging.edge.keys import KeyFault

POLL_SECONDS = 2.0


class Command(BaseCommand):
    help = (
        "Take in the packages of a disk by the same checks as over the network, and write their receipts to it. Run it again, or with "
        "--wait, for the receipts of what was opened meanwhile. Exit status: 0 all are archived, 1 some are not, 2 usage or fault."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR", help="the folder with the packages and their notes")
        parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="wait so long for the worker to open them")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        if not directory.is_dir():
            raise CommandError(f"There is no folder {directory}.", returncode=2)
        end = time.monotonic() + min(options["wait"], 86_400)
        try:
            results = carried.receive(directory)
            while any(one.state == "stored" for one in results) and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
                results = carried.receive(directory)
        except (OSError, KeyFault) as fault:
            raise CommandError(f"The disk or the keys cannot be used: {fault}", returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps([vars(one) for one in results]))
        else:
            for one in results:
                self.stdout.write(f"{one.package}\t{one.state}\t{one.why}".rstrip())
        if any(one.state != "archived" for one in results):
            sys.exit(1)
