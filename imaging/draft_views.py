"""Forms and files of machine drafts. They read and hand over; the rules stand in `imaging.drafts`."""

import re
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts import audit
from accounts.models import AccessRecord
from imaging import archive, draft_panels, drafts
from imaging.models import Draft
from imaging.region_views import ANSWERS
from imaging.regions import UPLOAD
from imaging.series import series_for
from imaging.views import series_page
from studies.access import require

SIDES = ("first", "top", "left", "last", "bottom", "right")


@require_POST
def ask(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Have what lies in a box drafted; its numbers count from 1, as the page shows them."""
    shown = get_object_or_404(series_for(request.user), uuid=uuid)
    try:
        drafts.ask(series=shown, box=[_place(request.POST.get(side, "")) for side in SIDES], by=request.user)
    except ValidationError as error:
        return series_page(request, shown, errors=error.messages, status=400)
    return _back(shown.uuid)


@require_GET
def state(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The part of the page that changes while the worker drafts."""
    shown = get_object_or_404(series_for(request.user), uuid=uuid)
    return render(request, "imaging/_draft_state.html", {"shown": draft_panels.draft_view(shown, request.user)})


@require_POST
def take(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Hand a draft in as a reader's: as it is, or in the file in which he corrected it."""
    draft = get_object_or_404(drafts.drafts_for(request.user), uuid=uuid)
    said = {
        "treatment_known": ANSWERS.get(request.POST.get("treatment_known", "")),
        "reader": request.POST.get("reader", ""),
        "reason": request.POST.get("reason", ""),
    }
    try:
        if file := request.FILES.get("mask"):
            drafts.correct(draft=draft, file=file, by=request.user, **said)
        else:
            drafts.accept(draft=draft, by=request.user, **said)
    except ValidationError as error:
        return series_page(request, draft.series, errors=error.messages, status=400)
    return redirect(f"{reverse('series', args=[draft.series.uuid])}#outline")


@require_POST
def drop(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Do without a draft."""
    draft = get_object_or_404(drafts.drafts_for(request.user), uuid=uuid)
    drafts.drop(draft=draft, by=request.user)
    return _back(draft.series.uuid)


@require_GET
def mask(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What a machine marked, as a file to be corrected by who may hand it in again; recorded as an export."""
    draft = get_object_or_404(drafts.drafts_for(request.user), uuid=uuid)
    person = draft.series.participant
    require(request.user, UPLOAD, draft.series.center)
    if draft.object is None or draft.state == Draft.State.DROPPED:
        raise Http404
    detail = {"study": person.study.code, "participant": str(person.uuid), "rows": 1}
    audit.record(kind=AccessRecord.Kind.EXPORT, by=request.user, subject=f"draft {draft.uuid}", detail=detail)
    response = HttpResponse(archive.read(draft.object.sha256), content_type="application/gzip")
    response["Content-Disposition"] = f'attachment; filename="{person.study_number}-draft.nii.gz"'
    return response


def _place(text: str) -> int | None:
    """A place that was typed, counted from 0; None where it is no number."""
    return int(text) - 1 if re.fullmatch(r"[0-9]{1,5}", text.strip()) else None


def _back(series: UUID) -> HttpResponse:
    return redirect(f"{reverse('series', args=[series])}#draft")
