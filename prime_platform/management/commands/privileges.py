"""`manage.py privileges`: docs/privileges.md, drawn from what `manage.py grants` puts in force; `--check` tells whether it is current."""

import sys
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from accounts import ledger
from prime_platform import privileges

TARGET = Path(settings.BASE_DIR) / "docs" / "privileges.md"
HEAD = """# Privileges of the database logins

Written by `manage.py privileges` from `prime_platform/privileges.py`; `make check` refuses a stale copy. `manage.py grants` puts
exactly this in force after every migrate, and a test compares the server's catalogue with it.

`prime_owner` owns every table, migrates and grants; no process of the site uses it. S select, I insert, U update, D delete, – nothing.
Tables that nobody is granted are listed at the end: there only the owner, and triggers that run as the owner, read or write.
"""
LEDGER_HEAD = """
## The ledger

No login inserts into the ledger. `ledger_append` runs as the owner and asks which login may write which kind:

| login | kinds |
|---|---|"""


class Command(BaseCommand):
    """Exit status 0: written, or current; 1: docs/privileges.md is stale."""

    help = "Write docs/privileges.md from the table of grants; with --check only compare."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        text = document(privileges.tables(), ledger.WRITERS)
        if not options["check"]:
            TARGET.write_text(text, encoding="utf-8")
        elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            self.stderr.write("docs/privileges.md is stale: run `manage.py privileges` and commit it.")
            sys.exit(1)


def document(tables: dict[str, privileges.Rule], writers: dict[str, Any]) -> str:
    """The Markdown: one table per room, then what nobody is granted, then who writes the ledger."""
    rooms = {model._meta.db_table: model._meta.app_label for model in apps.get_models(include_auto_created=True)}
    granted = {table: rule for table, rule in tables.items() if any(rule.values())}
    lines = [HEAD]
    for room in sorted({rooms[table] for table in granted}):
        lines += _room(room, {table: rule for table, rule in granted.items() if rooms[table] == room})
    lines += ["## Granted to nobody", "", *(f"- `{table}`" for table in sorted(tables.keys() - granted.keys())), LEDGER_HEAD]
    lines += [f"| `{login}` | {', '.join(sorted(str(kind) for kind in kinds))} |" for login, kinds in sorted(writers.items())]
    return "\n".join(lines) + "\n"


def _room(room: str, tables: dict[str, privileges.Rule]) -> list[str]:
    head = "| table | " + " | ".join(f"`{login}`" for login in privileges.LOGINS) + " |"
    rows = [
        f"| `{table}` | " + " | ".join(tables[table].get(login) or "–" for login in privileges.LOGINS) + " |" for table in sorted(tables)
    ]
    return [f"## {room}", "", head, "|---" * (1 + len(privileges.LOGINS)) + "|", *rows, ""]
