"""`manage.py import_cohort`: take a retrospective cohort over by a mapping file, try it first, or take it back (docs/exchange.md)."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import translation

from accounts.models import User
from accounts.transitions import NotAllowedNow
from prime_platform.exchange import KINDS, TABLES
from studies.exchange import cohort, cohort_setup, cohort_undo, joining, mapping
from studies.exchange.cohort_report import Report
from studies.exchange.faults import Refused
from studies.models import Study

EVERY = 100


class Command(BaseCommand):
    """Exit status 0: done, or a dry run without rejected cells; 1: cells were rejected, or refused; 2: usage or fault."""

    help = "Import a retrospective cohort by a mapping file; --dry-run shows what would happen, --undo takes an import back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="the first file of the mapping; the others lie beside it")
        parser.add_argument("--mapping", help="a mapping file, or the name of a shipped one, such as tcga_lihc-1.0")
        parser.add_argument("--dry-run", action="store_true", help="do everything and take it back; names every rejected cell")
        parser.add_argument("--plan", default="", help="the plan that a dry run showed: anything else is refused")
        parser.add_argument("--undo", type=Path, help="the undo file of an import; with --reason")
        parser.add_argument("--reason", default="", help="why an import is taken back")
        parser.add_argument("--undo-to", type=Path, help="where to write the undo file (default: beside the platform's state)")
        parser.add_argument("--synthetic", action="store_true", help="set the study up as a demonstration")
        parser.add_argument("--json", action="store_true", help="report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with translation.override("en"):
                self._undo(options) if options["undo"] else self._import(options)
        except (Refused, NotAllowedNow, PermissionDenied) as refusal:
            raise CommandError(str(refusal), returncode=1) from None

    def _undo(self, options: dict[str, Any]) -> None:
        if not options["reason"].strip():
            raise CommandError("Say why: --reason TEXT.", returncode=2)
        content = options["undo"].read_bytes()
        run = cohort_undo.undo(content=content, tables=TABLES, reason=options["reason"], by=User.objects.system())
        self.stdout.write(json.dumps({"undone": str(run.uuid)}) if options["json"] else f"Taken back: import {run.uuid}.")

    def _import(self, options: dict[str, Any]) -> None:
        if options["file"] is None or not options["mapping"]:
            raise CommandError("Give a file and --mapping, or --undo.", returncode=2)
        plan = mapping.from_file(_mapping(options["mapping"]))
        sources = joining.open_files(plan, options["file"])
        with transaction.atomic():
            center = cohort_setup.prepare(plan, by=User.objects.system(), synthetic=options["synthetic"])
            report = cohort.run(
                center=center,
                sources=sources,
                kinds=KINDS,
                by=User.objects.system(),
                execute=not options["dry_run"],
                expected=options["plan"],
                progress=self._progress(options["json"]),
            )
            undo = None if options["dry_run"] or not report.written else self._keep(center.study, sources, report, options)
            if options["dry_run"]:
                transaction.set_rollback(True)  # the study that the dry run set up goes too
        self._tell(plan, report, options, undo)
        if report.rejected:
            sys.exit(1)

    def _progress(self, quiet: bool) -> Any:
        def tell(report: Report) -> None:
            if report.rows % EVERY == 0:
                self.stderr.write(f"{report.rows} rows, {report.screened} new, {len(report.rejected)} cells rejected")

        return (lambda report: None) if quiet else tell

    def _keep(self, study: Study, sources: joining.Sources, report: Report, options: dict[str, Any]) -> Path:
        """Enter the run, and write the undo file before the transaction commits."""
        run, content = cohort_undo.keep(study=study, sources=sources, report=report, tables=TABLES, by=User.objects.system())
        path: Path = options["undo_to"] or Path(f"undo-{study.code}-{run.uuid}.json")
        path.write_bytes(content)
        return path

    def _tell(self, plan: mapping.Plan, report: Report, options: dict[str, Any], undo: Path | None) -> None:
        if options["json"]:
            said = report.as_json() | {"dry_run": options["dry_run"], "undo": str(undo) if undo else None}
            said["assumptions"] = [each.en for each in plan.assumptions]
            self.stdout.write(json.dumps(said, ensure_ascii=False, indent=1))
            return
        for each in (*plan.assumptions, *plan.not_mapped):
            self.stdout.write(f"! {each.en}")
        for cell in report.rejected:
            self.stdout.write(f"line {cell.line} {cell.subject} {cell.column} → {cell.target}: “{cell.text}” rejected. {cell.sentence}")
        cells = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.counts.items()))
        events = ", ".join(f"{count} {kind}" for kind, count in sorted(report.events.items()))
        self.stdout.write(
            f"{report.rows} rows: {report.screened} new, {report.known} known; cells: {cells or 'none'}; events: {events or 'none'}"
        )
        for step in report.flow["steps"]:
            through = "; ".join(f"{count} by {inputs}" for inputs, count in step["through"].items())
            self.stdout.write(
                f"{step['criterion']}: −{step['fail']} → {step['remain']}  {step['text']['en']} ({through or 'nobody fails'})"
            )
        for unknown, count in report.flow["left"].items():
            self.stdout.write(f"left: {count}, {'unknown ' + unknown if unknown else 'every criterion met'}")
        self.stdout.write(f"plan {report.plan}" if options["dry_run"] else f"undo file {undo or 'none: nothing was written'}")


def _mapping(name: str) -> Path:
    path = Path(name)
    return path if path.exists() or path.suffix else mapping.FOLDER / f"{name}.yaml"
