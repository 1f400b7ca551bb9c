"""Pages of source verification: whose values are to be compared, do they match, and the masked pictures beside them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadhandler import MemoryFileUploadHandler, StopUpload
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studies import access, wording
from studies.forms import PageForm
from studies.lists import choices
from studies.models import Participant, SourceImage, Verification
from studies.paging import page_of
from studies.quality import masking, queries, source_images, sources, store, verification
from studies.quality.pointer import Pointer
from studies.quality.query_forms import written
from studies.quality.sources import Held

FILTERS: dict[str, Promise] = {
    "due": gettext_lazy("Due"),
    "critical": gettext_lazy("Critical fields due"),
    "sampled": gettext_lazy("Sampled fields due"),
    "complete": gettext_lazy("Nothing due"),
    "all": gettext_lazy("All"),
}


@dataclass(frozen=True)
class FieldRow:
    """One field to be verified: what it says, and whether it was compared, is due, or has changed since."""

    row: Verification
    held: Held
    state: str
    ask: str


class SourceForm(PageForm):
    """A picture of the hospital's record, and what is to be covered on it."""

    title = forms.CharField(
        max_length=100, label=gettext_lazy("What it is"), help_text=gettext_lazy("such as operation note, pathology report")
    )
    file = forms.FileField(label=gettext_lazy("Picture or scanned PDF"), required=False)
    boxes = forms.CharField(
        required=False,
        label=gettext_lazy("Black boxes"),
        help_text=gettext_lazy("one a line: left, top, right, bottom in per cent; or draw them on the picture"),
        widget=forms.Textarea(attrs={"rows": 3, "data-boxes": True}),
    )
    nothing_shows = forms.BooleanField(required=False, label=gettext_lazy("No name, number or face remains visible"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].widget.attrs |= {"accept": "image/jpeg,image/png,application/pdf", "data-picture": True}


class OnlyInMemory(MemoryFileUploadHandler):
    """Keeps an upload in memory whatever its size up to the cap: the uncovered picture never touches a disk."""

    def handle_raw_input(self, *args: Any, **kwargs: Any) -> None:
        self.activated = True

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        if start + len(raw_data) > masking.LARGEST:
            raise StopUpload(connection_reset=False)
        return super().receive_data_chunk(raw_data, start)


@require_GET
def verification_list(request: HttpRequest) -> HttpResponse:
    """Whose values are still to be compared with the source?"""
    if verification.VERIFY not in access.permissions_of(request.user):
        raise PermissionDenied
    center = request.GET.get("center", "")[:2]
    rows = verification.annotated(request.user)
    rows = rows.filter(center__code=center) if center else rows
    counts = rows.aggregate(**{state: Count("pk", filter=condition or None) for state, condition in verification.FILTERS.items()})
    state, filters = choices(FILTERS, counts, request.GET.get("state", ""))
    page = page_of(rows.filter(verification.FILTERS[state]), request.GET.get("after", ""), oldest_first=True)
    kept = {"center": center} if center else {}
    context = {
        "rows": _due_rows(page.rows),
        "filters": filters,
        "state": state,
        "kept": f"&{urlencode(kept)}" if kept else "",
        "total": page.total,
        "next_url": f"?{urlencode({'state': state, 'after': page.after, **kept})}" if page.after else "",
        "first_url": "" if page.is_first else f"?{urlencode({'state': state, **kept})}",
    }
    return render(request, "studies/quality/verification_list.html", context)


@require_http_methods(["GET", "POST"])
def verification_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Does what is recorded match the source?"""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    refused = None
    if request.method == "POST":
        refused = _refused(lambda: _verify(request, person))
        if refused is None:
            return redirect("verification", person.uuid)
    return render(request, "studies/quality/verification.html", _page(request, person, refused), status=400 if refused else 200)


@require_POST
def verification_back(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a mark back."""
    people = access.participants_for(request.user)
    row = get_object_or_404(Verification.objects.filter(participant__in=people).select_related("center", "participant"), uuid=uuid)
    verification.take_back(row=row, reason=request.POST.get("reason", ""), by=request.user)
    return redirect("verification", row.participant.uuid)


@csrf_exempt  # only until the upload handler is in place; `_source_new` checks the token
def source_new(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Which page of the record is shown, and what must not be seen on it?"""
    request.upload_handlers = [OnlyInMemory(request)]
    return _source_new(request, uuid)


@csrf_protect
@require_http_methods(["GET", "POST"])
def _source_new(request: HttpRequest, uuid: UUID) -> HttpResponse:
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    access.require(request.user, source_images.UPLOAD, person.center)
    form = SourceForm(request.POST, request.FILES) if request.method == "POST" else SourceForm()
    if request.method == "POST" and form.is_valid():
        refused = _refused(lambda: _file(form, person, request))
        if refused is None:
            return redirect("verification", person.uuid)
        for field, sentences in refused.items():
            form.refuse(field, sentences)
    return render(request, "studies/quality/source_new.html", {"participant": person, "form": form}, status=400 if form.errors else 200)


@require_GET
def source_image(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One masked page; who looked is recorded."""
    image = get_object_or_404(source_images.images_for(request.user), uuid=uuid)
    response = HttpResponse(store.read(image.sha256), content_type=image.media_type)
    response["Content-Disposition"] = f'attachment; filename="{image.participant.study_number}-{image.page}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
def source_remove(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Destroy a picture, with the reason."""
    image = get_object_or_404(source_images.images_for(request.user), uuid=uuid)
    source_images.remove(image=image, reason=request.POST.get("reason", ""), by=request.user)
    messages.success(request, _("The picture was destroyed."))
    return redirect("verification", image.participant.uuid)


def _page(request: HttpRequest, person: Participant, refused: dict[str, list[str]] | None) -> dict[str, Any]:
    rows = _field_rows(person)
    grouped: dict[tuple[str, str], list[FieldRow]] = {}
    for each in rows:
        grouped.setdefault((each.held.form, each.held.form_text), []).append(each)
    return {
        "participant": person,
        "person": wording.person(person.screening),
        "groups": [
            {"text": text, "rows": found, "due": sum(row.state != "verified" for row in found)} for (_code, text), found in grouped.items()
        ],
        "due": _due(rows),
        "total": len(rows),
        "images": source_images.images_for(request.user).filter(participant=person),
        "may_verify": access.may(request.user, verification.VERIFY, person.center),
        "may_ask": access.may(request.user, queries.RAISE, person.center),
        "may_upload": access.may(request.user, source_images.UPLOAD, person.center),
        "refused": [sentence for sentences in (refused or {}).values() for sentence in sentences],
        "source": request.POST.get("source", "")[:200],
    }


def _due(rows: list[FieldRow]) -> int:
    return sum(row.state != "verified" for row in rows)


def _field_rows(person: Participant) -> list[FieldRow]:
    rows = {
        Pointer(row.record, row.record_uuid, row.field): row
        for row in Verification.objects.filter(participant=person).exclude(value_hash="").select_related("verified_by")
    }
    held = sources.held([person], {at.record for at in rows})
    return [FieldRow(rows[each.pointer], each, _state(rows[each.pointer]), written(each.pointer)) for each in held if each.pointer in rows]


def _state(row: Verification) -> str:
    if row.verified_hash == row.value_hash:
        return "verified"
    return "verify_again" if row.verified_hash else "verify_due"


def _due_rows(people: list[Participant]) -> list[dict[str, Any]]:
    due = Verification.objects.filter(verification.DUE, participant__in=people).order_by().values_list("participant")
    critical = Count("pk", filter=Q(why="critical"))
    found = {key: (of_critical, of_all) for key, of_critical, of_all in due.annotate(critical=critical, all=Count("pk"))}
    rows = []
    for each in people:
        of_critical, of_all = found.get(each.pk, (0, 0))
        rows.append({"participant": each, "critical": of_critical, "sampled": of_all - of_critical})
    return rows


def _verify(request: HttpRequest, person: Participant) -> None:
    try:
        marks = dict(mark.split("|") for mark in request.POST.getlist("field"))
        seen = {UUID(uuid): value for uuid, value in marks.items()}
    except ValueError:
        raise ValidationError({"field": _("Mark the fields that were compared.")}) from None
    done = verification.verify(participant=person, seen=seen, source=request.POST.get("source", ""), by=request.user)
    messages.success(request, ngettext("%(n)s field marked as compared.", "%(n)s fields marked as compared.", len(done)) % {"n": len(done)})


def _file(form: SourceForm, person: Participant, request: HttpRequest) -> list[SourceImage]:
    given = form.cleaned_data
    if given["file"] is None:
        raise ValidationError({"file": _("Choose a picture or a scanned PDF of at most 20 MiB.")})
    made = source_images.file(
        participant=person, title=given["title"], data=given["file"].read(), boxes=given["boxes"], nothing_shows=given["nothing_shows"],
        by=request.user,
    )  # fmt: skip
    messages.success(
        request, ngettext("%(n)s page filed, covered as shown.", "%(n)s pages filed, covered as shown.", len(made)) % {"n": len(made)}
    )
    return made


def _refused(write: Callable[[], Any]) -> dict[str, list[str]] | None:
    """What a write refused, by field; None when it was done."""
    try:
        write()
    except ValidationError as error:
        return getattr(error, "message_dict", {"": error.messages})
    return None
