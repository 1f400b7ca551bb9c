"""`manage.py dictionary {lint,redcap}`: is every data dictionary well formed, and what would one of REDCap's be as one of ours?"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from django.core.management.base import BaseCommand, CommandParser

from studies import dictionary, dictionary_lint, protocol, scores
from studies.exchange import redcap_dictionary
from studies.exchange.faults import Refused
from studies.exchange.tabular import open_table


class Command(BaseCommand):
    """Exit status 0: usable; 1: a fault; 2: a file could not be read."""

    help = "Check the data dictionaries: schema, codes, ranges, units, branches, order of dates, baseline items; or take one of REDCap's."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        lint = actions.add_parser("lint", help="check the given files, or all that are shipped")
        lint.add_argument("files", nargs="*", type=Path, metavar="FILE")
        lint.add_argument("--json", action="store_true", help="report as JSON")

        redcap = actions.add_parser("redcap", help="write a REDCap data dictionary (CSV) as a file of ours, and name what is not in it")
        redcap.add_argument("file", type=Path)
        redcap.add_argument("out", type=Path, help="the YAML file to write; a person translates its labels")
        redcap.add_argument("--id", required=True)
        redcap.add_argument("--version", dest="of_version", default="1.0")
        redcap.add_argument("--title", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "redcap":
            self._redcap(options)
            return
        try:
            reports = [_report(path) for path in options["files"] or dictionary.all_files()]
        except (OSError, ValueError) as error:
            self.stderr.write(f"{error}")
            sys.exit(2)
        if options["json"]:
            self.stdout.write(json.dumps(reports, ensure_ascii=False, indent=2))
        else:
            for report in reports:
                self._print(report)
        sys.exit(1 if any(report["faults"] for report in reports) else 0)

    def _redcap(self, options: dict[str, Any]) -> None:
        try:
            table = open_table(options["file"])
            taken = redcap_dictionary.read(table, dictionary_id=options["id"], version=options["of_version"], title=options["title"])
        except (OSError, Refused) as refusal:
            self.stderr.write(refusal.say("en") if isinstance(refusal, Refused) else str(refusal))
            sys.exit(2)
        faults = dictionary.schema_faults(taken.data)
        for note in taken.notes:
            self.stdout.write(f"{note.field or options['file'].name}: {note.what}")
        for fault in faults:
            self.stderr.write(f"fault: {fault}")
        if faults:
            sys.exit(1)
        options["out"].write_text(yaml.safe_dump(taken.data, allow_unicode=True, sort_keys=False, width=140), encoding="utf-8")
        items = sum(len(section["items"]) for form in taken.data["forms"] for section in form["sections"])
        self.stdout.write(f"{items} items on {len(taken.data['forms'])} forms in {options['out']}; {len(taken.notes)} notes above")

    def _print(self, report: dict[str, Any]) -> None:
        verdict = f"no fault, {report['items']} items on {report['forms']} forms" if not report["faults"] else "not usable"
        self.stdout.write(f"{report['file']}: {verdict}")
        for fault in report["faults"]:
            self.stdout.write(f"  fault: {fault}")


def _report(path: Path) -> dict[str, Any]:
    try:
        book = dictionary.from_file(path)
    except dictionary.DictionaryError as error:
        return {"file": path.name, "faults": [str(error)]}
    faults = dictionary_lint.faults(book, scores.CALCULATIONS)
    for wanted in (protocol.from_file(path) for path in protocol.all_files()):
        if wanted.dictionary == book.id:
            faults += [f"protocol {wanted.id} {wanted.version}: {fault}" for fault in dictionary_lint.protocol_faults(wanted, book)]
    facts = {"id": book.id, "version": book.version, "digest": book.digest}
    return {"file": path.name, **facts, "forms": len(book.forms), "items": len(list(book.items)), "faults": faults}
