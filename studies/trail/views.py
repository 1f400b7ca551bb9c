"""Pages of the trail: who changed it, when, why; how it stood at a time; who looked; and the whole of it as a file."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts import step_up
from accounts.models import AccessRecord, User
from accounts.moment import at_one_moment
from studies import access
from studies.models import Participant
from studies.paging import ROWS
from studies.trail import export as exporting
from studies.trail import history, instants, kinds, people, wording
from studies.trail.kinds import KINDS, Kind


@dataclass(frozen=True)
class RecordAt:
    """One record as it stood: its values in words; `key` is its public id where it has one."""

    kind: Kind
    key: str
    lines: list[tuple[str, str]]


@require_GET
def record(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who changed this record, when, and why; with `field` one value of it; with `at` how it stood then."""
    kind, row = _found(request, uuid)
    field = request.GET.get("field", "")[:100]
    at, wrong = _instant(request)
    stood = history.state_at(kind, row.pk, at) if at else None
    context = {
        "kind": kind,
        "row": row,
        "uuid": uuid,
        "participant": _participant_of(request, kind, row),
        "field": field,
        "field_label": wording.label_of(kind, field, row) if field else "",
        "steps": history.steps(kind, row, field=field),
        "at": at,
        "wrong": wrong,
        "typed": request.GET.get("at", ""),
        "stood": _lines(kind, stood, row, wording.people()) if stood else [],
        "was_there": stood is not None,
    }
    return render(request, "studies/trail/record.html", context, status=400 if wrong else 200)


@require_GET
def participant_trail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Everything that was ever done to the records of a participant, newest first."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    steps = history.of_participant(person, _readable(request.user, person))
    return render(request, "studies/trail/participant.html", {"participant": person, **_page(request, steps)})


@require_GET
def participant_as_of(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """How all records of a participant stood at a time (AU-07)."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    at, wrong = _instant(request)
    states = history.participant_at(person, at, _readable(request.user, person)) if at else {}
    names = wording.people()
    records = [
        RecordAt(KINDS[label], str(state.get("uuid", "")), _lines(KINDS[label], state, wording.words_of(KINDS[label], person), names))
        for label, rows in states.items()
        for state in rows.values()
    ]
    context = {"participant": person, "at": at, "wrong": wrong, "typed": request.GET.get("at", ""), "records": records}
    return render(request, "studies/trail/as_of.html", context, status=400 if wrong else 200)


@require_GET
def participant_access(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who read, exported or was refused anything of this participant (DI-09)."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    if not people.participants_for(request.user).filter(pk=person.pk).exists():
        raise PermissionDenied
    page = _page(request, people.access_records(person))
    page["rows"] = people.access_rows(list(page["rows"]))
    return render(request, "studies/trail/access.html", {"participant": person, **page})


@require_GET
def trail(request: HttpRequest) -> HttpResponse:
    """The trail of the study: who exported what, and the way to the whole of it."""
    study = access.studies_for(request.user, people.VIEW).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    exports = AccessRecord.objects.filter(kind=AccessRecord.Kind.EXPORT, detail__study=study.code).order_by("-at", "-pk")
    context = {
        "study": study,
        "may_export": access.may(request.user, exporting.EXPORT, study),
        "may_review": access.may(request.user, people.REVIEW, study),
        **_page(request, exports),
    }
    return render(request, "studies/trail/trail.html", context)


@at_one_moment
@step_up.asked("POST")
@require_POST
def export(request: HttpRequest) -> HttpResponseBase:
    """The whole trail as a file; that it was taken, and its hash, stay on record."""
    study = access.studies_for(request.user, people.VIEW).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    made = exporting.export(study=study, by=request.user)
    mark = "SYNTHETIC-" if study.synthetic else ""
    name = f"{mark}{study.code}-trail-{timezone.now():%Y%m%dT%H%M%SZ}-{made.manifest_sha256[:12]}.zip"
    return FileResponse(made.file, as_attachment=True, filename=name, content_type="application/zip")


@require_GET
def review(request: HttpRequest) -> HttpResponse:
    """Who may do what, since when, and is it still used?"""
    study = access.studies_for(request.user, people.REVIEW).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    page = _page(request, people.memberships(study))
    page["rows"] = people.review(list(page["rows"]))
    return render(request, "studies/trail/review.html", {"study": study, **page})


def _found(request: HttpRequest, uuid: UUID) -> tuple[Kind, Any]:
    found = kinds.find(request.user, uuid)
    if found is None:
        raise Http404
    return found


def _readable(user: User, person: Participant) -> list[Kind]:
    """The kinds whose records of this participant a person may read."""
    held = {permission: access.may(user, permission, person.center) for permission in {kind.permission for kind in kinds.of_participants()}}
    return [kind for kind in kinds.of_participants() if held[kind.permission]]


def _participant_of(request: HttpRequest, kind: Kind, row: Any) -> Participant | None:
    """The participant to lead back to, where there is one."""
    if kind.leads == "screening":
        return access.participants_for(request.user).filter(**{"screening" if not kind.way else "screening__pk": row.pk}).first()
    if kind.leads != "participant":
        return None
    target = row
    for name in filter(None, kind.way.split("__")):
        target = getattr(target, name)
    return target


def _lines(kind: Kind, state: history.State, row: Any, names: dict[int, str]) -> list[tuple[str, str]]:
    """The values of a record in words, empty ones left out."""
    lines = []
    for column, _old, new in history.changed({}, state):
        said = wording.say_who(kind, column, new, names, row)
        if said and not (column.endswith("_id") and column not in kind.words):
            lines.append((wording.label_of(kind, column, row), said))
    return lines


def _instant(request: HttpRequest) -> tuple[datetime | None, str]:
    """The instant asked for, or the sentence that says why it is none."""
    text = request.GET.get("at", "").strip()[:40]
    if not text:
        return None, ""
    try:
        return instants.understand(text, timezone.get_current_timezone()), ""
    except (ValueError, ValidationError):
        return None, _("“%(text)s” is not understood. Write a day, or a day and a time: 2026-11-19 or 2026-11-19 14:30.") % {"text": text}


def _page(request: HttpRequest, rows: Any) -> dict[str, Any]:
    """Fifty rows of a list, by page number: the rows of a trail only grow at its beginning."""
    page = Paginator(rows, ROWS).get_page(request.GET.get("page", ""))
    return {
        "rows": page.object_list,
        "total": page.paginator.count,
        "next_url": f"?page={page.next_page_number()}" if page.has_next() else "",
        "first_url": "?" if page.number > 1 else "",
    }
