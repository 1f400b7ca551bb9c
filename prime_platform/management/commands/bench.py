"""`manage.py bench`: how fast the parts are, as ratios against a peer in the same run. Never part of the tests."""

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

import analysis.benchmarks
import imaging.benchmarks

BENCHMARKS: dict[str, Callable[[], Any]] = {
    "survival": analysis.benchmarks.survival,
    "radiomics": imaging.benchmarks.radiomics,
}


class Command(BaseCommand):
    help = "Measure one part against its peers in the same run; absolute times drift with the machine, ratios do not."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="?", choices=sorted(BENCHMARKS), help="what to measure (default: everything)")
        parser.add_argument("--json", action="store_true", help="print one JSON array of rows")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [options["what"]] if options["what"] else sorted(BENCHMARKS)
        rows = [row for name in names for row in BENCHMARKS[name]()]
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        for row in rows:
            self.stdout.write("  ".join(f"{name}={value}" for name, value in row.items()))
