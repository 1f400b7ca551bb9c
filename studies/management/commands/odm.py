"""`manage.py odm {rewrite,table}`: read an ODM-XML file of ours again, as the same file or as a table to import (docs/exchange.md)."""

import filecmp
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from studies.exchange import odm_model, odm_read, odm_values, odm_write, safe_csv
from studies.exchange.faults import Refused
from studies.models import Study


class Command(BaseCommand):
    """Exit status 0: done; 1: the file written again differs, or the file is refused; 2: usage or fault."""

    help = "Read an ODM-XML 1.3.2 export: write it again (the same bytes), or write its values as the table that Import takes."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        rewrite = actions.add_parser("rewrite", help="read the file whole and write it again")
        rewrite.add_argument("--created", default="", help="creation time to write (default: as in the file)")
        rewrite.add_argument("--file-oid", default="", help="FileOID to write (default: as in the file)")
        table = actions.add_parser("table", help="the values of a snapshot with true dates, one row per participant, as CSV")
        table.add_argument("--study", required=True, help="code of the study whose data dictionary is meant")
        for each in (rewrite, table):
            each.add_argument("file", type=Path)
            each.add_argument("out", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            same = self._rewrite(options) if options["action"] == "rewrite" else self._table(options)
        except Refused as refusal:
            self.stderr.write(refusal.say("en"))
            sys.exit(1)
        except (OSError, Study.DoesNotExist) as fault:
            self.stderr.write(str(fault))
            sys.exit(2)
        sys.exit(0 if same else 1)

    def _rewrite(self, options: dict[str, Any]) -> bool:
        file = odm_read.read(options["file"])
        wished = {"created": options["created"], "as_of": options["created"], "file_oid": options["file_oid"]}
        head = replace(file.head, **{name: text for name, text in wished.items() if text})
        with options["out"].open("xb") as out:
            out.writelines(odm_write.write(odm_model.File(head, file.subjects)))
        if head != file.head:
            self.stdout.write(f"{options['out']} is written with the identity that was given.")
            return True
        same = filecmp.cmp(options["file"], options["out"], shallow=False)
        self.stdout.write(f"{options['out']} is {'the same to the byte' if same else 'not the same'}.")
        return same

    def _table(self, options: dict[str, Any]) -> bool:
        header, rows = odm_values.table(options["file"], Study.objects.get(code=options["study"]).dictionary)
        with options["out"].open("xb") as out:
            out.writelines(safe_csv.lines(header, rows))
        self.stdout.write(f"{len(rows)} participants, {len(header) - 1} items in {options['out']}: send it to Import for its dry run.")
        return True
