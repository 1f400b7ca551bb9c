"""Pages of the import of values: what would change? Upload, dry run, confirmation, result with its refused rows, undo."""

import json
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import audit, step_up
from accounts.models import AccessRecord
from studies import access
from studies.access import Permission
from studies.exchange import safe_csv, tabular, value_import
from studies.exchange.cells import Verdict
from studies.exchange.faults import Refused
from studies.exchange.uploads import laid_down
from studies.models import ImportRun, Study
from studies.paging import page_of
from studies.vocabulary import ImportStatus

PAGE = 50
VERDICTS: dict[str, Promise] = {
    Verdict.NEW: gettext_lazy("fills an empty field"),
    Verdict.CHANGED: gettext_lazy("replaces a value"),
    Verdict.BLANKED: gettext_lazy("takes a value away, with a reason"),
    Verdict.KEPT: gettext_lazy("differs, and the field stays as it is"),
    Verdict.SAME: gettext_lazy("is there already"),
    Verdict.REJECTED: gettext_lazy("rejected"),
}
COLUMNS = ("line", "subject", "column", "target", "text", "sentence")


@require_http_methods(["GET", "POST"])
def imports(request: HttpRequest) -> HttpResponse:
    """Every import of the study, newest first, and the form for the next one."""
    study = _study(request)
    errors: list[str] = []
    if request.method == "POST":
        run, errors = _plan(request, study)
        if run is not None:
            return redirect("import", run.uuid)
    page = page_of(_runs(request).select_related("planned_by", "executed_by"), request.GET.get("after", ""))
    context = {
        "rows": page.rows,
        "total": page.total,
        "next_url": f"?after={page.after}" if page.after else "",
        "first_url": "" if page.is_first else "?",
        "errors": errors,
        "encodings": tabular.ENCODINGS,
        "sent": request.POST,
    }
    return render(request, "studies/imports.html", context, status=400 if errors else 200)


@require_GET
def import_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One import: what would become, or became, of every cell; verdict by verdict, 50 cells a page."""
    return _page(request, get_object_or_404(_runs(request), uuid=uuid))


@require_POST
def import_execute(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Do what the dry run showed."""
    run = get_object_or_404(_runs(request), uuid=uuid)
    if request.POST.get("plan", "") != run.plan:
        raise ValidationError(_("Look at the dry run first, and confirm it on its page."))
    return redirect("import", value_import.execute(run=run, by=request.user).uuid)


@require_POST
def import_drop(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Do not do it."""
    value_import.drop(run=get_object_or_404(_runs(request), uuid=uuid), by=request.user)
    return redirect("imports")


@require_POST
def import_undo(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take it back, with a reason."""
    run = get_object_or_404(_runs(request), uuid=uuid)
    try:
        value_import.undo(run=run, reason=request.POST.get("reason", ""), by=request.user)
    except ValidationError as error:
        return _page(request, run, errors=error.messages, status=400)
    return redirect("import", run.uuid)


@step_up.asked("GET")
@require_GET
def import_refused(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The rejected cells as CSV, to be put right and sent again."""
    run = get_object_or_404(_runs(request), uuid=uuid)
    rows = [[str(cell[name]) for name in COLUMNS] for cell in run.cells if cell["verdict"] == Verdict.REJECTED]
    return _file(request, run, "refused", "csv", b"".join(safe_csv.lines(COLUMNS, rows)))


@step_up.asked("GET")
@require_GET
def import_undo_file(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What the import needs to be taken back, as a file."""
    run = get_object_or_404(_runs(request).exclude(undo={}), uuid=uuid)
    return _file(request, run, "undo", "json", value_import.undo_bytes(run))


def _file(request: HttpRequest, run: ImportRun, what: str, suffix: str, content: bytes) -> HttpResponse:
    detail = {"study": run.study.code, "what": what, "bytes": len(content)}
    audit.record(kind=AccessRecord.Kind.EXPORT, by=request.user, subject=f"import {run.uuid}", detail=detail)
    kinds = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
    response = HttpResponse(content, content_type=kinds[suffix])
    mark = "SYNTHETIC-" if run.study.synthetic else ""
    response["Content-Disposition"] = f'attachment; filename="{mark}{what}-{run.uuid}.{suffix}"'
    return response


def _page(request: HttpRequest, run: ImportRun, errors: list[str] | None = None, status: int = 200) -> HttpResponse:
    counts = {verdict: run.counts.get(verdict, 0) for verdict in VERDICTS} if run.kind == "values" else {}
    shown = request.GET.get("verdict", "")
    if shown not in counts:
        shown = next((verdict for verdict in (Verdict.REJECTED, Verdict.CHANGED, Verdict.BLANKED) if counts.get(verdict)), Verdict.NEW)
    cells = [cell for cell in run.cells if cell["verdict"] == shown]
    start = _start(request.GET.get("from", ""))
    context = {
        "run": run,
        "filters": [(verdict, label, counts.get(verdict, 0), verdict == shown) for verdict, label in VERDICTS.items()],
        "shown": shown,
        "cells": cells[start : start + PAGE],
        "total": len(cells),
        "next_url": f"?verdict={shown}&from={start + PAGE}" if start + PAGE < len(cells) else "",
        "first_url": f"?verdict={shown}" if start else "",
        "ignored": run.content.get("ignored", []),
        "guessed": run.encoding == "gb18030",
        "sample": _sample(run),
        "writes": sum(counts.get(verdict, 0) for verdict in (Verdict.NEW, Verdict.CHANGED, Verdict.BLANKED)),
        "rejected": counts.get(Verdict.REJECTED, 0),
        "planned": run.status == ImportStatus.PLANNED,
        "executed": run.status == ImportStatus.EXECUTED,
        "errors": errors or [],
        "counted": json.dumps(run.counts, ensure_ascii=False) if not counts else "",
    }
    return render(request, "studies/import.html", context, status=status)


def _sample(run: ImportRun) -> str:
    """Some text of the table that is not ASCII, by which a person sees that the encoding is right."""
    texts = [*run.content.get("columns", {}).values(), *run.content.get("ignored", [])]
    texts += [text for row in run.content.get("rows", [])[:200] for text in row[3].values()]
    return next((text[:80] for text in texts if not text.isascii()), "")


def _start(text: str) -> int:
    return int(text) // PAGE * PAGE if text.isascii() and text.isdigit() and len(text) < 8 else 0


def _plan(request: HttpRequest, study: Study) -> tuple[ImportRun | None, list[str]]:
    """The planned run of an uploaded file, or the sentences that say why there is none."""
    sent = request.FILES.get("file")
    if sent is None:
        return None, [_("Choose a file.")]
    encoding = request.POST.get("encoding", "")
    wishes = {"overwrite": request.POST.get("overwrite") == "yes", "reason": request.POST.get("reason", "")}
    wishes["encoding"] = encoding if encoding in tabular.ENCODINGS else ""
    try:
        with laid_down(sent) as path:
            return value_import.plan(study=study, path=path, by=request.user, **wishes), []
    except Refused as refusal:
        return None, [refusal.say(get_language())]
    except ValidationError as error:
        return None, error.messages


def _study(request: HttpRequest) -> Study:
    study = access.studies_for(request.user, Permission.IMPORT_RUN).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return study


def _runs(request: HttpRequest) -> QuerySet[ImportRun]:
    studies = access.studies_for(request.user, Permission.IMPORT_RUN)
    return ImportRun.objects.filter(study__in=studies).select_related("study")
