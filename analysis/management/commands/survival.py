"""`manage.py survival`: the survival statistics of any CSV file, or R's reference numbers against ours; without a database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from analysis import endpoint_notes, reference_check, survival_table, survival_text
from analysis.survival import survival_report
from analysis.survival_case import Plan

BAD_DATA, BAD_CALL = 1, 2


class Command(BaseCommand):
    help = (
        "Kaplan-Meier, log-rank, Cox, restricted means and competing risks of a CSV file; "
        "or of a folder of R's numbers, how many of them agree. "
        "Exit status: 0 done (read the notes), 1 the data cannot be analysed, 2 the call is wrong."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, metavar="FILE.csv", help="UTF-8 (with or without BOM) or GB 18030, one header line; or a folder `expected`"
        )
        parser.add_argument("--time", help="column of follow-up times, any one unit (needed with a file)")
        parser.add_argument("--event", help="column that is 1 for an event and 0 for a censoring (needed with a file)")
        parser.add_argument("--arm", help="column of groups to compare")
        parser.add_argument("--reference", help="the group others are compared with; by default the first in order")
        parser.add_argument("--strata", nargs="+", default=[], help="columns that stratify the log-rank test and the Cox model")
        parser.add_argument("--weights", help="column of weights (what a row stands for, not how often it was seen)")
        parser.add_argument("--landmark", type=float, help="leave out who had the event or was censored by then; times restart there")
        parser.add_argument(
            "--competing", help="column that is 1 for a competing event, or of causes 0, 1, 2, …; or the code of one in --event"
        )
        parser.add_argument("--horizon", type=float, help="end of the restricted mean; by default the longest all groups were observed")
        parser.add_argument("--death", nargs=2, metavar=("TIME", "EVENT"), help="columns of overall survival, to check the events against")
        parser.add_argument("--at", nargs="+", default=[], help="times to read curves at, as 180,365,…; by default every event time")
        parser.add_argument("--json", action="store_true", help="all digits, for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"].is_dir():
            return self._compare(options["file"])
        if missing := [f"--{name}" for name in ("time", "event") if options[name] is None]:
            raise CommandError(_("a file needs %(options)s") % {"options": ", ".join(missing)}, returncode=BAD_CALL)
        try:
            table = self._table(options)
            report = survival_report(self._sample(table, options), self._plan(options))
            report["warnings"][:0] = self._notes(table, options)
        except survival_table.UnknownColumn as refusal:
            raise CommandError(str(refusal), returncode=BAD_CALL) from refusal
        except ValueError as refusal:
            raise CommandError(str(refusal), returncode=BAD_DATA) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(report, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write("\n".join(survival_text.lines(report, _)))

    def _compare(self, folder: Path) -> None:
        """Every number of R in the folder against ours; status 1 when one differs."""
        try:
            found = reference_check.check(folder)
        except OSError as refusal:
            raise CommandError(
                _("cannot read %(file)s: %(reason)s") % {"file": refusal.filename, "reason": refusal.strerror}, returncode=BAD_CALL
            ) from refusal
        self.stdout.write("\n".join(reference_check.lines(found)))
        if found.wrong:
            raise CommandError(_("numbers differ from R's"), returncode=BAD_DATA)

    def _notes(self, table: survival_table.Table, options: dict[str, Any]) -> list[str]:
        """What the columns of overall survival say of the events."""
        if options["death"] is None:
            return []
        names = (options["time"], options["event"], *options["death"])
        return list(endpoint_notes.notes(*(survival_table.numbers_or_missing(table.column(name)) for name in names)))

    def _table(self, options: dict[str, Any]) -> survival_table.Table:
        try:
            raw = options["file"].read_bytes()
        except OSError as refusal:
            raise CommandError(
                _("cannot read %(file)s: %(reason)s") % {"file": options["file"], "reason": refusal.strerror}, returncode=BAD_CALL
            ) from refusal
        return survival_table.read(survival_table.decode(raw))

    def _sample(self, table: survival_table.Table, options: dict[str, Any]) -> survival_table.Sample:
        return survival_table.sample(
            table,
            time=options["time"],
            event=options["event"],
            arm=options["arm"],
            strata=_separated(options["strata"], table.columns),
            weights=options["weights"],
            competing=options["competing"],
        )

    def _plan(self, options: dict[str, Any]) -> Plan:
        try:
            at = tuple(sorted({float(time) for time in _separated(options["at"], ())}))
        except ValueError as refusal:
            raise CommandError(_("--at takes times such as 180,365"), returncode=BAD_CALL) from refusal
        for name in ("horizon", "landmark"):
            if options[name] is not None and not 0 <= options[name] < float("inf"):
                raise CommandError(_("--%s must be a time that is not negative") % name, returncode=BAD_CALL)
        if any(not 0 <= time < float("inf") for time in at):
            raise CommandError(_("--at takes times that are not negative"), returncode=BAD_CALL)
        return Plan(options["arm"] or "arm", options["reference"], options["landmark"], options["horizon"], at)


def _separated(words: list[str], whole: Any) -> list[str]:
    """Words split at commas, except those that are names as they stand."""
    return [part for word in words for part in ([word] if word in whole else word.split(",")) if part]
