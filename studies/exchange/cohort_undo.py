"""Taking back the import of a cohort: its rows are removed and values that it filled are emptied, exactly, or nothing is.

Clinical rows are never deleted by a login of the site; a retrospective cohort that was imported by mistake is taken back by the
operator as the owner of the tables, who alone can lift the guard for the length of one transaction. The trail keeps every removed
row, and the ledger what was put on it. Any row that changed since the import, or that something new refers to, stops it.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, ProgrammingError, connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from pghistory.models import Event

from accounts import audit
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import NotAllowedNow, advance
from studies import access
from studies.access import Permission
from studies.exchange import value_import
from studies.exchange.cohort_report import Report
from studies.exchange.joining import Sources
from studies.models import ImportRun, Screening, Study
from studies.vocabulary import ImportKind, ImportStatus

GUARDS = ("never_deleted", "append_only")
Tables = tuple[type[models.Model], ...]


@transaction.atomic
def keep(*, study: Study, sources: Sources, report: Report, tables: Tables, by: User) -> tuple[ImportRun, bytes]:
    """Enter an executed import of a cohort, and give its undo file: the lines it made, H of every row that hangs on them, and the
    values it gave to participants who were there before. To be called in the transaction of the import.
    """
    now = timezone.now()
    run = ImportRun(
        uuid=uuid.uuid4(),
        study=study,
        kind=ImportKind.COHORT,
        status=ImportStatus.EXECUTED,
        file_sha256=sources.tables[0].sha256,
        encoding=sources.tables[0].encoding or sources.tables[0].kind,
        mapping=f"{sources.plan.id} {sources.plan.version} {sources.plan.digest[:16]}",
        counts=report.counted(),
        plan=report.plan,
        planned_at=now,
        planned_by=by,
        executed_at=now,
        executed_by=by,
    )
    lines = list(Screening.objects.filter(pk__in=report.lines).order_by("pk").values_list("uuid", flat=True))
    undo = {"run": str(run.uuid), "lines": [str(each) for each in lines], "rows": digest(report.lines, tables), "values": report.filled}
    content = json.dumps(undo, ensure_ascii=False, sort_keys=True, indent=1).encode() + b"\n"
    run.undo_digest = hashlib.sha256(content).hexdigest()
    with audit.act(by=by, action="import.executed"):
        save_checked(run)
    return run, content


def digest(lines: list[int], tables: Tables) -> dict[str, str]:
    """{table: H of its rows that hang on these lines}, byte for byte as the database has them."""
    return {model._meta.db_table: _hash(model, keys) for model, keys in _owned(lines, tables).items()}


@transaction.atomic
def undo(*, content: bytes, tables: Tables, reason: str, by: User) -> ImportRun:
    """Take back the run that an undo file belongs to. Raises NotAllowedNow with what stands in the way, PermissionDenied."""
    said = _read(content)
    run = ImportRun.objects.select_related("study").filter(uuid=said["run"], kind=ImportKind.COHORT).first()
    if run is None or run.undo_digest != hashlib.sha256(content).hexdigest():
        raise NotAllowedNow(_("This undo file belongs to no import of this installation, or was changed."))
    access.require_operator(by, Permission.IMPORT_RUN, run.study)
    with audit.act(by=by, action="import.undone", reason=reason):
        run = advance(run, ImportStatus.UNDONE)
        lines = list(Screening.objects.filter(uuid__in=said["lines"]).values_list("pk", flat=True))
        changed = [table for table, held in digest(lines, tables).items() if held != said["rows"][table]]
        if changed or len(lines) != len(said["lines"]):
            raise NotAllowedNow(
                _("Changed since the import, so that nothing was taken back: %(values)s.")
                % {"values": ", ".join(changed) or "studies_screening"}
            )
        with access.importing(by, run.study):
            value_import.restore(run.study, said["values"], reason=reason, by=by)
        _remove(lines, tables)
        run.undone_at, run.undone_by = timezone.now(), by
        save_checked(run)
    return run


def _read(content: bytes) -> dict[str, Any]:
    try:
        said = json.loads(content)
        return {"run": str(said["run"]), "lines": list(said["lines"]), "rows": dict(said["rows"]), "values": list(said["values"])}
    except (ValueError, KeyError, TypeError):
        raise NotAllowedNow(_("This is no undo file of an import.")) from None


def _owned(lines: list[int], tables: Tables) -> dict[type[models.Model], list[int]]:
    """The keys of every row of this room and of `tables` that hangs on lines of the log, by model, children first.

    Keys are read table by table: nested conditions over tables that one transaction has just filled are planned blindly and take for ever.
    """
    found: dict[type[models.Model], set[int]] = {}

    def visit(model: type[models.Model], keys: list[int]) -> None:
        for relation in model._meta.get_fields(include_hidden=True):
            child = relation.related_model
            if relation.concrete or child is None or child is model or issubclass(child, Event):
                continue
            if relation.auto_created and (child._meta.app_label == "studies" or child in tables):
                visit(child, _hanging(child, relation.field.column, keys))  # type: ignore[union-attr] # a relation that another model declares
        found.setdefault(model, set()).update(keys)

    visit(Screening, lines)
    return {model: sorted(keys) for model, keys in found.items()}


def _hanging(model: type[models.Model], column: str, keys: list[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f"select id from {model._meta.db_table} where {column} = any(%s)", [keys])  # noqa: S608 - names of models
        return [key for (key,) in cursor.fetchall()]


def _hash(model: type[models.Model], keys: list[int]) -> str:
    seen = hashlib.sha256()
    with connection.cursor() as cursor:
        cursor.execute(f"select t::text from {model._meta.db_table} t where id = any(%s) order by id", [keys])  # noqa: S608
        while rows := cursor.fetchmany(1000):
            for (row,) in rows:
                seen.update(row.encode() + b"\n")
    return seen.hexdigest()


def _remove(lines: list[int], tables: Tables) -> None:
    owned = _owned(lines, tables)
    guards = [(model._meta.db_table, trigger) for model in owned for trigger in _guards(model)]
    with connection.cursor() as cursor:
        try:
            cursor.execute("set constraints all immediate")  # a table with pending checks cannot be altered
            for table, trigger in guards:
                cursor.execute(f"alter table {table} disable trigger {trigger}")
            for model, keys in owned.items():
                cursor.execute(f"delete from {model._meta.db_table} where id = any(%s)", [keys])  # noqa: S608 - names of models
            for table, trigger in guards:
                cursor.execute(f"alter table {table} enable trigger {trigger}")
            cursor.execute("set constraints all deferred")
        except IntegrityError:
            raise NotAllowedNow(_("Images, predictions or other rows have been added to participants of this import: it stays.")) from None
        except ProgrammingError:
            raise NotAllowedNow(_("Only the operator's command, as the owner of the database, takes back a cohort.")) from None


def _guards(model: type[models.Model]) -> Iterable[str]:
    return [trigger.get_pgid(model) for trigger in getattr(model._meta, "triggers", []) if trigger.name in GUARDS]
