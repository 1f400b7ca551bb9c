"""Pages of treatment, visits and events: they read what was typed and hand it over; nothing here asks about a seal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from followup import entry, events, forms, pages, refusals, treatment, treatment_lists, visit_lists
from followup.models import Entry
from studies import access
from studies.forms import PageForm


@dataclass(frozen=True)
class Writing:
    """One kind of entry: its words, its form, the permission it asks for and the function that records it."""

    title: Promise
    button: Promise
    hint: Promise
    form: type[forms.EntryForm]
    permission: str
    record: Callable[..., Entry]


WRITINGS: dict[str, Writing] = {
    "course": Writing(
        gettext_lazy("Record treatment"),
        gettext_lazy("Record the course"),
        gettext_lazy("One course at a time, also one given elsewhere or stopped early"),
        forms.CourseForm,
        entry.TREATMENT,
        treatment.record_course,
    ),
    "declaration": Writing(
        gettext_lazy("No adjuvant therapy"),
        gettext_lazy("Declare: none was given"),
        gettext_lazy("The statement that no adjuvant therapy was given within the window, here or elsewhere"),
        forms.NoAdjuvantForm,
        entry.TREATMENT,
        treatment.declare_no_adjuvant,
    ),
    "assessment": Writing(
        gettext_lazy("Record a visit"),
        gettext_lazy("Record the visit"),
        gettext_lazy("A visit outside its window stays valid"),
        forms.AssessmentForm,
        entry.VISIT,
        events.record_assessment,
    ),
    "recurrence": Writing(
        gettext_lazy("Record the first recurrence"),
        gettext_lazy("Record the recurrence"),
        gettext_lazy("Visits go on after a recurrence"),
        forms.RecurrenceForm,
        entry.EVENT,
        events.record_recurrence,
    ),
    "death": Writing(
        gettext_lazy("Record a death"),
        gettext_lazy("Record the death"),
        gettext_lazy("Known to the month at least"),
        forms.DeathForm,
        entry.EVENT,
        events.record_death,
    ),
    "contact": Writing(
        gettext_lazy("Record a contact"),
        gettext_lazy("Record the contact"),
        gettext_lazy("A call, letter or meeting that tells whether the participant lives; no name and no telephone number here"),
        forms.ContactForm,
        entry.VISIT,
        events.record_contact,
    ),
}


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, uuid: UUID, kind: str) -> HttpResponse:
    """What was given, seen or heard? One form, one entry."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    writing = WRITINGS[kind]
    access.require(request.user, writing.permission, person.center)
    form = writing.form(request.POST if request.method == "POST" else None, participant=person, initial=_asked_for(request))
    if request.method == "POST" and form.is_valid():
        row = _attempt(form, lambda: writing.record(participant=person, by=request.user, **form.cleaned_data))
        if row is not None:
            messages.success(request, _("Recorded: %(what)s") % {"what": pages.sentence(row)})
            return redirect("participant", person.uuid)
    context = {"participant": person, "writing": writing, "form": form, "window_end": treatment.window_end(person), "kind": kind}
    return render(request, "followup/new.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def void(request: HttpRequest, uuid: UUID, kind: str) -> HttpResponse:
    """Mark an entry as entered in error, with the reason."""
    table, permission = pages.TABLES[kind], WRITINGS[kind].permission
    rows = table.objects.filter(participant__in=access.participants_for(request.user))
    row = get_object_or_404(rows.select_related("participant__screening", "participant__center", "participant__study"), uuid=uuid)
    access.require(request.user, permission, row.participant.center)
    form = forms.VoidForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        done = _attempt(form, lambda: entry.void(row=row, reason=form.cleaned_data["reason"], by=request.user, permission=permission))
        if done is not None:
            messages.success(request, _("Marked as entered in error: %(what)s") % {"what": pages.sentence(row)})
            return redirect("participant", row.participant.uuid)
    context = {"participant": row.participant, "row": row, "what": pages.sentence(row), "form": form, "kind": kind}
    return render(request, "followup/void.html", context, status=400 if form.errors else 200)


@require_POST
def close_window(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """State today that everything given within the window is recorded."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    treatment.close_window(participant=person, on=person.study.today(), by=request.user)
    messages.success(request, _("Stated: the treatment of the window is completely recorded."))
    return redirect("participant", person.uuid)


@require_GET
def visits(request: HttpRequest) -> HttpResponse:
    """Whose window closes?"""
    _seen_by(request)
    asked = {key: request.GET.get(key, "") for key in ("state", "after")}
    context = visit_lists.visits_page(request.user, **asked, center=request.GET.get("center", "")[:2], on_paper="paper" in request.GET)
    return render(request, "followup/visits.html", context)


@require_GET
def treatments(request: HttpRequest) -> HttpResponse:
    """Of whom is not known yet what was given, or that nothing was?"""
    _seen_by(request)
    context = treatment_lists.treatment_page(request.user, state=request.GET.get("state", ""), after=request.GET.get("after", ""))
    return render(request, "followup/treatment.html", context)


@require_GET
def understand_partial_date(request: HttpRequest) -> JsonResponse:
    """What the server understands of a typed date that may stop at the month or year."""
    text = request.GET.get("text", "")[:40]
    if not text.strip():
        return JsonResponse({"understood": True, "sentence": ""})
    try:
        return JsonResponse({"understood": True, "sentence": forms.say_partial(forms.read_partial(text))})
    except ValidationError as error:
        return JsonResponse({"understood": False, "sentence": error.messages[0]})


def _seen_by(request: HttpRequest) -> None:
    if pages.VIEW not in access.permissions_of(request.user):
        raise PermissionDenied


def _asked_for(request: HttpRequest) -> Mapping[str, Any]:
    """What the link that led here chose beforehand: the visit of a row."""
    return {"visit": request.GET.get("visit", "")}


def _attempt(form: PageForm, write: Callable[[], Entry]) -> Entry | None:
    """Do the write; what it refuses stands at the field it names, or on top of the form."""
    try:
        return write()
    except ValidationError as error:
        for field, sentences in refusals.by_field(error).items():
            form.refuse(field, sentences)
    return None
