"""`manage.py states`: docs/states.md, drawn from the TRANSITIONS table of every model; `--check` tells whether it is current."""

import sys
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import models

TARGET = Path(settings.BASE_DIR) / "docs" / "states.md"
HEAD = """# States

Written by `manage.py states` from the `TRANSITIONS` table next to each model; `make check` refuses a stale copy.
A record changes state only along these arrows, by `accounts.transitions.advance`.
"""


class Command(BaseCommand):
    """Exit status 0: written, or current; 1: docs/states.md is stale."""

    help = "Write docs/states.md from the TRANSITIONS tables; with --check only compare."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        text = document(list(apps.get_models()))
        if not options["check"]:
            TARGET.write_text(text, encoding="utf-8")
        elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            self.stderr.write("docs/states.md is stale: run `manage.py states` and commit it.")
            sys.exit(1)


def document(candidates: list[type[models.Model]]) -> str:
    """The Markdown of all models that have a TRANSITIONS table, by label."""
    machines = sorted((model for model in candidates if hasattr(model, "TRANSITIONS")), key=lambda model: model._meta.label)
    return "\n".join([HEAD, *(_machine(model) for model in machines)])


def _machine(model: type[models.Model]) -> str:
    table: dict[str, set[str]] = model.TRANSITIONS  # type: ignore[attr-defined] # asked for by the caller
    states = {str(state) for state in table}
    field = next(field for field in model._meta.fields if field.choices and {value for value, _ in field.flatchoices} >= states)
    lines = [f"## {model._meta.label}", "", "```mermaid", "stateDiagram-v2"]
    if field.has_default():
        lines.append(f"    [*] --> {field.default}")
    lines += [f"    {start} --> {end}" for start in table for end in sorted(table[start])]
    lines += [f"    {state} --> [*]" for state in table if not table[state]]
    return "\n".join([*lines, "```", ""])
