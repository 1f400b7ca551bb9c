"""`manage.py glossary`: docs/glossary.md, drawn from studies/governance/glossary.yaml; `--check` tells whether it is current."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from studies.governance.glossary import document

TARGET = Path(settings.BASE_DIR) / "docs" / "glossary.md"


class Command(BaseCommand):
    """Exit status 0: written, or current; 1: docs/glossary.md is stale."""

    help = "Write docs/glossary.md from the glossary; with --check only compare."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["check"]:
            TARGET.write_text(document(), encoding="utf-8")
        elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != document():
            self.stderr.write("docs/glossary.md is stale: run `manage.py glossary` and commit it.")
            sys.exit(1)
