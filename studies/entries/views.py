"""Pages of the forms of a participant: which there are, one form, and the decision where two people met. No rule stands here."""

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.transitions import NotAllowedNow
from studies import access, entry
from studies.dictionary import Form
from studies.entries import drafts, layout
from studies.entries.sheet import Sheet, drawn_with, read_seen
from studies.laboratory.pasting import FORM as PASTED_INTO
from studies.locking import standing
from studies.models import Draft, Entry, Participant
from studies.vocabulary import EntryStatus


@require_GET
def form_list(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Which forms are there, and how complete is each?"""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    kept = set(Draft.objects.filter(participant=person, person=request.user).values_list("form", flat=True))
    context = {"participant": person, "rows": layout.overview(entry.states(person), kept)}
    return render(request, "studies/entries/forms.html", context)


@require_http_methods(["GET", "POST"])
def form_page(request: HttpRequest, uuid: UUID, form: str) -> HttpResponse:
    """Are these values right, and which are missing?"""
    person, asking = _found(request, uuid, form)
    if request.method == "POST":
        access.require(request.user, entry.ENTER, person.center)
        Participant.objects.select_for_update(no_key=True).get(pk=person.pk)  # what is compared is what is there when it is written
        return _sent(request, person, asking, _row(person, form))
    row = _row(person, form)
    kept = drafts.find(person, form, request.user)
    stored = entry.held(row)
    sheet = Sheet(asking, stored=stored, seen=stored, typed={})
    if kept:
        again = Sheet(asking, stored=stored, seen=read_seen(kept.seen), typed=kept.typed)
        sheet, kept = (again, kept) if again.values or again.faults else (sheet, None)  # saved meanwhile, on another page
    return _page(request, person, sheet, row, kept=kept)


form_page.keep_lost_post = drafts.keep_lost_post  # type: ignore[attr-defined] # read by the sign-in middleware


@require_POST
def form_draft(request: HttpRequest, uuid: UUID, form: str) -> JsonResponse:
    """Keep what is typed as the person's draft, and say what was understood, which items are asked, and what is calculated."""
    person, asking = _found(request, uuid, form)
    sheet = Sheet(asking, stored=entry.held(_row(person, form)), seen=read_seen(request.POST.get("seen")), typed=request.POST)
    kept = drafts.keep(sheet, person, request.user)
    return JsonResponse({**layout.said(sheet, person), "saved": timezone.localtime(kept.saved_at).strftime("%H:%M:%S") if kept else ""})


form_draft.keep_lost_post = drafts.keep_lost_post  # type: ignore[attr-defined] # read by the sign-in middleware


def _row(person: Participant, form: str) -> Entry | None:
    return Entry.objects.filter(participant=person, form=form, occurrence="").select_related("recorded_by").first()


def _found(request: HttpRequest, uuid: UUID, form: str) -> tuple[Participant, Form]:
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    try:
        asking = person.study.dictionary.form(form)
    except KeyError:
        raise Http404 from None
    if asking.repeating:
        raise Http404
    return person, asking


def _sent(request: HttpRequest, person: Participant, asking: Form, row: Entry | None) -> HttpResponse:
    """Discard a draft, or save what was typed; where it cannot be saved, keep it and show why."""
    if request.POST.get("action") == "discard":
        drafts.discard(person, asking.code, request.user)
        return redirect("form", person.uuid, asking.code)
    stored = entry.held(row)
    sheet = Sheet(asking, stored=stored, seen=read_seen(request.POST.get("seen")), typed=_decided(request))
    undecided = [code for code in request.POST.getlist("met") if f"decide_{code}" not in request.POST]
    if sheet.met or undecided:
        drafts.keep(sheet, person, request.user)
        context = {"participant": person, "form": asking, "sheet": sheet, "undecided": undecided, "reason": request.POST.get("reason", "")}
        context |= {"rows": layout.conflict(sheet, row, undecided), "drawn_with": drawn_with(stored)}
        context |= {"drawn_for": drafts.word(person, asking.code, request.user), "action": request.POST.get("action", "")}
        return render(request, "studies/entries/conflict.html", context, status=409)
    faults = sheet.faults | sheet.unticked
    if not faults:
        faults = _saved(request, person, sheet)
    if not faults:
        drafts.discard(person, asking.code, request.user)
        return redirect("form", person.uuid, asking.code)
    drafts.keep(sheet, person, request.user)
    return _page(request, person, sheet, row, faults=faults)


def _decided(request: HttpRequest) -> dict[str, str]:
    """What was sent, without the fields for which the other's version was chosen."""
    theirs = {name.removeprefix("decide_") for name, choice in request.POST.items() if name.startswith("decide_") and choice == "theirs"}
    return {name: text for name, text in request.POST.items() if name.partition("_")[2] not in theirs}


def _saved(request: HttpRequest, person: Participant, sheet: Sheet) -> dict[str, str]:
    """Write what was typed; what is refused, by item code (“reason” and “” beside them)."""
    submit = request.POST.get("action") == "submit"
    if not sheet.values and not submit:
        messages.info(request, _("Nothing was changed."))
        return {}
    try:
        standing.check_open(person)
        why = {"reason": request.POST.get("reason", ""), "submit": submit}
        row = entry.record(participant=person, form=sheet.form.code, values=sheet.values, by=request.user, **why)
    except NotAllowedNow as refused:
        return {"": str(refused)}
    except ValidationError as refused:
        found = refused.message_dict if hasattr(refused, "error_dict") else {"": refused.messages}
        return {code: sentences[0] for code, sentences in found.items()}
    state = entry.state(sheet.form, row)
    words = {"held": state.held, "asked": state.asked}
    said = _("Submitted: %(held)s of %(asked)s items are answered.") if submit else _("Saved: %(held)s of %(asked)s items are answered.")
    messages.success(request, said % words)
    return {}


def _page(
    request: HttpRequest,
    person: Participant,
    sheet: Sheet,
    row: Entry | None,
    *,
    faults: dict[str, str] | None = None,
    kept: Draft | None = None,
) -> HttpResponse:
    forms = [form for form in person.study.dictionary.forms if not form.repeating]
    place = next(number for number, form in enumerate(forms) if form.code == sheet.form.code)
    submitted = row is not None and row.status == EntryStatus.SUBMITTED
    may_enter = access.may(request.user, entry.ENTER, person.center)
    context = {
        "participant": person,
        "form": sheet.form,
        "row": row,
        "state": entry.state(sheet.form, row),
        "sections": layout.sections(sheet, person, faults or {}),
        "faults": layout.faults(sheet.form, faults or {}),
        "reason": request.POST.get("reason", ""),
        "reason_fault": (faults or {}).get("reason", ""),
        "submitted": submitted,
        "asks_reason": submitted or person.data_until is not None or "reason" in (faults or {}),
        "may_enter": may_enter,
        "may_paste": may_enter and sheet.form.code == PASTED_INTO,
        "drawn_with": drawn_with(sheet.seen if kept else sheet.stored),
        "drawn_for": drafts.word(person, sheet.form.code, request.user),
        "draft_url": reverse("form-draft", args=[person.uuid, sheet.form.code]),
        "kept": kept,
        "history": layout.history(sheet.form, row) if row else [],
        "retired": layout.retired(person, sheet.form, row) if row else [],
        "before": forms[place - 1] if place else None,
        "after": forms[place + 1] if place + 1 < len(forms) else None,
    }
    return render(request, "studies/entries/form.html", context, status=400 if faults else 200)
