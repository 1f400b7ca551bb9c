"""Importing values from a table: a dry run that names what becomes of every cell, the same thing done, and taken back (peers B9).

The dry run does everything and takes it back, so that it says what the writing says. Its plan is the digest of the table, the
choices made and what would become of each cell beside what is held; it is executed as it was shown or not at all.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import access, entry
from studies.access import Permission
from studies.exchange import value_table
from studies.exchange.cells import WRITTEN, Cell, Verdict, judge, shown
from studies.exchange.tabular import open_table
from studies.exchange.value_table import Content
from studies.exchange.writing import write
from studies.locking import standing
from studies.models import Entry, ImportRun, Participant, Study
from studies.quality import checking
from studies.values import NotUnderstood, Value, understand
from studies.vocabulary import ImportKind, ImportStatus

Changes = list[dict[str, Any]]


@transaction.atomic
def plan(*, study: Study, path: Path, by: User, overwrite: bool = False, reason: str = "", encoding: str = "") -> ImportRun:
    """Read a table, say what would become of every cell, and keep that as a planned run.

    Only empty fields are filled unless `overwrite` is asked for with a reason. Raises Refused for a file that is no such table,
    ValidationError, PermissionDenied.
    """
    access.require(by, Permission.IMPORT_RUN, study)
    if overwrite and not reason.strip():
        raise ValidationError({"reason": _("Say why values are overwritten; the reason stays in the history of each.")})
    table = open_table(path, encoding=encoding)
    content = value_table.understand(table, study.dictionary, get_language())
    run = ImportRun(
        study=study,
        kind=ImportKind.VALUES,
        file_sha256=table.sha256,
        encoding=table.encoding or table.kind,
        overwrite=overwrite,
        reason=reason.strip(),
        content=content.as_json(),
        planned_at=timezone.now(),
        planned_by=by,
    )
    cells, _changes = _dry(run, content, by)
    run.cells, run.plan = [cell.as_json() for cell in cells], _digest(run, cells)
    run.counts = dict(Counter(cell.verdict.value for cell in cells))
    with audit.act(by=by, action="import.planned", reason=run.reason):
        save_checked(run)
    return run


@transaction.atomic
def execute(*, run: ImportRun, by: User) -> ImportRun:
    """Do what the dry run showed, in one transaction. Raises NotAllowedNow when anything it depends on has changed since."""
    access.require(by, Permission.IMPORT_RUN, run.study)
    with audit.act(by=by, action="import.executed", reason=run.reason):
        run = advance(run, ImportStatus.EXECUTED)
        with access.importing(by, run.study):
            cells, changes = _go(run, Content.from_json(run.content), by)
        if _digest(run, cells) != run.plan:
            raise NotAllowedNow(_("Something has changed since the dry run. Nothing was written: make a new dry run and look at it."))
        run.executed_at, run.executed_by = timezone.now(), by
        run.undo = {"run": str(run.uuid), "values": changes}
        run.undo_digest = hashlib.sha256(undo_bytes(run)).hexdigest()
        save_checked(run)
    return run


@transaction.atomic
def drop(*, run: ImportRun, by: User) -> ImportRun:
    """Forget a planned run; its table goes with it."""
    access.require(by, Permission.IMPORT_RUN, run.study)
    with audit.act(by=by, action="import.dropped"):
        run = advance(run, ImportStatus.DROPPED)
        run.content, run.cells = {}, []
        run.save()
    return run


@transaction.atomic
def undo(*, run: ImportRun, reason: str, by: User) -> ImportRun:
    """Give every value that the run wrote what it held before. Raises NotAllowedNow, naming them, when somebody changed one since."""
    access.require(by, Permission.IMPORT_RUN, run.study)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why the import is taken back; the reason stays in the history of each value.")})
    with audit.act(by=by, action="import.undone", reason=reason):
        run = advance(run, ImportStatus.UNDONE)
        if run.kind != ImportKind.VALUES:
            raise NotAllowedNow(_("A cohort is taken back by the operator: manage.py import_cohort --undo."))
        with access.importing(by, run.study):
            restore(run.study, run.undo["values"], reason=reason, by=by)
        run.undone_at, run.undone_by = timezone.now(), by
        save_checked(run)
    return run


def undo_bytes(run: ImportRun) -> bytes:
    """The undo file: what each changed value held before and was given."""
    return json.dumps(run.undo, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"


def restore(study: Study, changes: Iterable[Mapping[str, Any]], *, reason: str, by: User) -> None:
    """Write back what values held before; all or nothing. Raises NotAllowedNow for values that are no longer what was written."""
    found = list(changes)
    people = {str(each.uuid): each for each in Participant.objects.select_for_update(no_key=True, of=("self",)).select_related(
        "center", "study", "screening").filter(study=study, uuid__in={change["participant"] for change in found})}  # fmt: skip
    since = [told for change in found for told in _changed_since(people[change["participant"]], change)]
    if since:
        raise NotAllowedNow(_("Changed since the import, so that nothing was taken back: %(values)s.") % {"values": "; ".join(since[:20])})
    for change in found:
        before = {code: Value.from_json(value or {}) for code, value in change["before"].items()}
        entry.record(
            participant=people[change["participant"]],
            form=change["form"],
            occurrence=change["occurrence"],
            values=before,
            reason=reason,
            by=by,
        )


def _changed_since(participant: Participant, change: Mapping[str, Any]) -> list[str]:
    row = Entry.objects.filter(participant=participant, form=change["form"], occurrence=change["occurrence"]).first()
    held = row.values if row else {}
    return [f"{participant.study_number} {code}" for code, value in change["after"].items() if held.get(code) != value]


def _dry(run: ImportRun, content: Content, by: User) -> tuple[list[Cell], Changes]:
    with transaction.atomic():
        with access.importing(by, run.study):
            result = _go(run, content, by)
        transaction.set_rollback(True)
    return result


def _digest(run: ImportRun, cells: Iterable[Cell]) -> str:
    said = [run.file_sha256, run.encoding, run.overwrite, run.reason, run.content, [cell.judged for cell in cells]]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _go(run: ImportRun, content: Content, by: User) -> tuple[list[Cell], Changes]:
    work = _Work(run, content, by)
    for line, fault in content.faults:
        work.cells.append(Cell(line, "", "", Verdict.REJECTED, sentence=fault))
    with checking.judged_at_the_end():
        for line, key, occurrence, texts in content.rows:
            work.take(line, key, occurrence, texts)
    return work.cells, work.changes


class _Work:
    """One pass over a table: what became of each cell, and what each changed form held before."""

    def __init__(self, run: ImportRun, content: Content, by: User) -> None:
        self.run, self.content, self.by = run, content, by
        self.dictionary = run.study.dictionary
        self.order = {item.code: number for number, item in enumerate(self.dictionary.items)}
        self.cells: list[Cell] = []
        self.changes: Changes = []
        people = access.participants_for(by, Permission.IMPORT_RUN).filter(study=run.study)
        wanted = {number for _line, key, _occurrence, _texts in content.rows if (number := _number(key))}
        locked = people.filter(study_number__in=wanted).select_for_update(no_key=True, of=("self",)).order_by("pk")
        self.people = {each.study_number: each for each in locked}  # all at once and in one order, so that two imports never wait in a ring
        self.taken: set[tuple[str, str]] = set()

    def take(self, line: int, key: str, occurrence: str, texts: Mapping[str, str]) -> None:
        """One row: each cell judged, and the forms written."""
        number = _number(key)
        if number not in self.people or (number, occurrence) in self.taken:
            self._reject_line(line, number or key)
            return
        self.taken.add((number, occurrence))
        participant = self.people[number]
        forms: dict[str, dict[str, str]] = {}
        for code in sorted(texts, key=self.order.__getitem__):  # the database does not keep the order of keys
            forms.setdefault(self.dictionary.form_of(code).code, {})[code] = texts[code]
        locked = _locked(participant)
        for form, said in forms.items():
            repeat = occurrence if self.dictionary.form(form).repeating else ""
            self._form(line, participant, (form, repeat), said, locked)

    def _form(self, line: int, participant: Participant, where: tuple[str, str], texts: Mapping[str, str], locked: str) -> None:
        row = Entry.objects.filter(participant=participant, form=where[0], occurrence=where[1]).first()
        held, before = entry.held(row), dict(row.values) if row else {}
        judged: dict[str, Cell] = {}
        coming: dict[str, Value] = {}
        for code, text in texts.items():
            cell = Cell(line, self.content.columns[code], code, Verdict.REJECTED, text, shown(held.get(code)), "", participant.study_number)
            if locked:
                judged[code] = replace(cell, sentence=locked)
                continue
            try:
                value = replace(understand(self.dictionary.item(code), text, self.content.units.get(code, "")), source="imported")
            except NotUnderstood as fault:
                judged[code] = replace(cell, sentence=fault.say(get_language()))
                continue
            judged[code] = replace(cell, verdict=judge(held.get(code), value, overwrite=self.run.overwrite))
            if judged[code].verdict in WRITTEN:
                coming[code] = value
        told = write(participant=participant, form=where[0], occurrence=where[1], values=coming, reason=self.run.reason, by=self.by)
        judged |= {code: replace(judged[code], verdict=Verdict.REJECTED, sentence=sentence) for code, sentence in told.items()}
        self.cells += judged.values()
        written = [code for code in coming if code not in told]
        if written:
            after = Entry.objects.get(participant=participant, form=where[0], occurrence=where[1]).values
            self.changes.append(
                {
                    "participant": str(participant.uuid),
                    "form": where[0],
                    "occurrence": where[1],
                    "before": {code: before.get(code) for code in written},
                    "after": {code: after.get(code) for code in written},
                }
            )

    def _reject_line(self, line: int, key: str) -> None:
        known = key in self.people
        sentence = _("This study number stands in the table twice.") if known else _("Nobody of your centers has this study number.")
        if not _number(key):
            sentence = _("This is no study number: its form or its check digits are wrong.")
        self.cells.append(Cell(line, "study_number", "study_number", Verdict.REJECTED, key if _number(key) else "", sentence=sentence))


def _locked(participant: Participant) -> str:
    """The sentence that a lock over a participant says, or nothing."""
    try:
        standing.check_open(participant)
    except NotAllowedNow as refused:
        return str(refused)
    return ""


def _number(key: str) -> str:
    try:
        return value_table.number(key)
    except ValueError:
        return ""
