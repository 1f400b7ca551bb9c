"""`manage.py roles`: docs/roles.md, drawn from `studies.access.GRANTS`; `--check` tells whether it is current."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from studies.access import GRANTS, PHASES, matrix
from studies.vocabulary import Phase, Role

TARGET = Path(settings.BASE_DIR) / "docs" / "roles.md"
TABLE = Path(settings.BASE_DIR) / "docs" / "roles.csv"
HEAD = """# Roles and what they may do

Written by `manage.py roles` from `studies.access.GRANTS`; `make check` refuses a stale copy. A person holds a role at one center or in
a whole study, from a day until a day. What is not marked is denied; records of centers outside a person's scope answer 404.
[roles.csv](roles.csv) is the same for programs: role, permission, phase.
No permission opens a prediction: before publication `result.view` leads to a refusal, for everybody.
"""


class Command(BaseCommand):
    """Exit status 0: written, or current; 1: docs/roles.md is stale."""

    help = "Write docs/roles.md from the roles' permissions; with --check only compare."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        for target, text in ((TARGET, document(GRANTS)), (TABLE, table())):
            if not options["check"]:
                target.write_text(text, encoding="utf-8")
            elif not target.exists() or target.read_text(encoding="utf-8") != text:
                self.stderr.write(f"docs/{target.name} is stale: run `manage.py roles` and commit it.")
                sys.exit(1)


def table() -> str:
    """The matrix for programs: one line for each role, permission and phase."""
    return "role,permission,phase\n" + "".join(f"{role.value},{code},{phase.value}\n" for role, code, phase in matrix())


def _phases(code: str) -> str:
    return " · ".join(phase.value for phase in Phase if phase in PHASES[code]) if code in PHASES else "any"


def document(grants: Mapping[Role, frozenset[str]]) -> str:
    """The Markdown: each role with its permissions, then each permission with its roles."""
    permissions = sorted(frozenset[str]().union(*grants.values()))
    lines = [HEAD, "## By role", "", "| role | may |", "|---|---|"]
    lines += [f"| {role.value} | {' · '.join(sorted(granted))} |" for role, granted in grants.items()]
    lines += ["", "## By permission", "", "| permission | in phase | held by |", "|---|---|---|"]
    lines += [
        f"| {code} | {_phases(code)} | {' · '.join(role.value for role, granted in grants.items() if code in granted)} |"
        for code in permissions
    ]
    return "\n".join(lines) + "\n"
