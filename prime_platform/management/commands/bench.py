"""`manage.py bench`: how fast the parts are, as ratios against a peer in the same run. Never part of the tests."""

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

import analysis.benchmarks
import imaging.benchmarks
import imaging.ingest_bench
import predictions.benchmarks
import prime_platform.benchmarks

BENCHMARKS: dict[str, Callable[[], Any]] = {
    "ingest": imaging.ingest_bench.ingest,
    "survival": analysis.benchmarks.survival,
    "models": predictions.benchmarks.models,
    "radiomics": imaging.benchmarks.radiomics,
    "pages": prime_platform.benchmarks.pages,
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
        self.stdout.write(table(rows))


def table(rows: list[dict[str, Any]]) -> str:
    """Rows in columns; a row that tells other things than the one before begins with their names."""
    text = [{name: str(value) for name, value in row.items()} for row in rows]
    widths: dict[str, int] = {}
    for row in text:
        widths |= {name: max(widths.get(name, 0), len(name), len(value)) for name, value in row.items()}
    lines, names = [], []
    for row in text:
        if list(row) != names:
            names = list(row)
            lines.append("  ".join(name.ljust(widths[name]) for name in names))
        lines.append("  ".join(value.ljust(widths[name]) for name, value in row.items()))
    return "\n".join(line.rstrip() for line in lines)
