"""`manage.py roles`: docs/roles.md, drawn from `studies.access.GRANTS`; `--check` tells whether it is current."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from studies.access import GRANTS
from studies.vocabulary import Role

TARGET = Path(settings.BASE_DIR) / "docs" / "roles.md"
HEAD = """# Roles and what they may do

Written by `manage.py roles` from `studies.access.GRANTS`; `make check` refuses a stale copy. A person holds a role at one center or in
a whole study, from a day until a day. What is not marked is denied; records of centers outside a person's scope answer 404.
No permission opens a prediction: before publication `result.view` leads to a refusal, for everybody.
"""


class Command(BaseCommand):
    """Exit status 0: written, or current; 1: docs/roles.md is stale."""

    help = "Write docs/roles.md from the roles' permissions; with --check only compare."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is stale")

    def handle(self, *args: Any, **options: Any) -> None:
        text = document(GRANTS)
        if not options["check"]:
            TARGET.write_text(text, encoding="utf-8")
        elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
            self.stderr.write("docs/roles.md is stale: run `manage.py roles` and commit it.")
            sys.exit(1)


def document(grants: Mapping[Role, frozenset[str]]) -> str:
    """The Markdown: each role with its permissions, then each permission with its roles."""
    permissions = sorted(frozenset[str]().union(*grants.values()))
    lines = [HEAD, "## By role", "", "| role | may |", "|---|---|"]
    lines += [f"| {role.value} | {' · '.join(sorted(granted))} |" for role, granted in grants.items()]
    lines += ["", "## By permission", "", "| permission | held by |", "|---|---|"]
    lines += [f"| {code} | {' · '.join(role.value for role, granted in grants.items() if code in granted)} |" for code in permissions]
    return "\n".join(lines) + "\n"
