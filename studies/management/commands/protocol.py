"""`manage.py protocol lint`: is every file of a protocol and of its conduct well formed and consistent, and what is still undecided?"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from studies import protocol, protocol_lint
from studies.governance import conduct, deviation_rules
from studies.protocol import Decision
from studies.vocabulary import Task


class Command(BaseCommand):
    """Exit status 0: usable and decided; 1: a fault, or with --decided an undecided point; 2: a file could not be read."""

    help = "Check the files of protocols and of their conduct: schema, codes, order of clinical time, undecided points."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        lint = actions.add_parser("lint", help="check the given files, or all that are shipped")
        lint.add_argument("files", nargs="*", type=Path, metavar="FILE")
        lint.add_argument("--decided", action="store_true", help="count undecided points as faults, as activation does")
        lint.add_argument("--json", action="store_true", help="report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reports = [_report(path) for path in options["files"] or [*protocol.all_files(), *conduct.all_files()]]
        except (OSError, ValueError) as error:
            self.stderr.write(f"{error}")
            sys.exit(2)
        if options["json"]:
            self.stdout.write(json.dumps(reports, ensure_ascii=False, indent=2))
        else:
            for report in reports:
                self._print(report)
        bad = any(report["faults"] or (options["decided"] and report["undecided"]) for report in reports)
        sys.exit(1 if bad else 0)

    def _print(self, report: dict[str, Any]) -> None:
        self.stdout.write(f"{report['file']}: {'no fault' if not report['faults'] else 'not usable'}")
        for fault in report["faults"]:
            self.stdout.write(f"  fault: {fault}")
        for item in report["undecided"]:
            self.stdout.write(f"  undecided: {item['code']}: {item['question']} Proposed: {item['answer']}. {item['question_zh']}")


def _report(path: Path) -> dict[str, Any]:
    return _report_conduct(path) if path.parent.name == conduct.FOLDER.name else _report_protocol(path)


def _report_protocol(path: Path) -> dict[str, Any]:
    try:
        loaded = protocol.from_file(path)
    except protocol.ProtocolError as error:
        return {"file": path.name, "faults": [str(error)], "undecided": []}
    facts = {"id": loaded.id, "version": loaded.version, "digest": loaded.digest}
    return {"file": path.name, **facts, "faults": protocol_lint.faults(loaded), "undecided": _said(loaded.undecided)}


def _report_conduct(path: Path) -> dict[str, Any]:
    """The rules of conduct block the activation of a study as its protocol does, so they are held to the same."""
    name = f"conduct/{path.name}"
    try:
        rules = conduct.from_file(path)
    except (conduct.ConductError, ValueError) as error:
        return {"file": name, "faults": [str(error)], "undecided": []}
    facts = {"id": rules.protocol, "version": rules.version, "digest": rules.digest}
    faults = conduct.faults(rules, tasks=frozenset(Task.values), facts=deviation_rules.FACTS)
    return {"file": name, **facts, "faults": faults, "undecided": _said(rules.undecided)}


def _said(decisions: Iterable[Decision]) -> list[dict[str, str]]:
    return [
        {"code": item.code, "question": item.question.en, "question_zh": item.question.zh, "answer": item.answer.en, "source": item.source}
        for item in decisions
    ]
