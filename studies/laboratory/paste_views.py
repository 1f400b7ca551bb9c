"""The page on which a laboratory report is pasted: which of its values are these, and which need a person? It reads and hands over."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from accounts.transitions import NotAllowedNow
from studies import access, entry, lab_paste, typed_dates
from studies.entries.sheet import read_seen
from studies.laboratory import paste_pages, pasting
from studies.models import Participant, PastedBlock


@sensitive_post_parameters("block", "kept")
@require_http_methods(["GET", "POST"])
def paste(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Paste, look through, confirm. What is pasted is screened before anything else; nothing is kept until it is confirmed."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    if not access.may(request.user, entry.ENTER, person.center):
        raise PermissionDenied
    if request.method == "GET":
        return _of_source(request, person)
    if "block" in request.POST:
        return _read(request, person)
    return _confirm(request, person)


def _of_source(request: HttpRequest, person: Participant) -> HttpResponse:
    """An empty page, or what is left of a block that values were filled in from."""
    source = None
    if wanted := request.GET.get("source", ""):
        source = get_object_or_404(PastedBlock, uuid=_uuid(wanted), participant=person)
    return _page(request, person, source.text if source else "")


def _read(request: HttpRequest, person: Participant) -> HttpResponse:
    """Show what a pasted block says; only what may be kept of it goes on."""
    try:
        kept = lab_paste.read(request.POST["block"], pasting.form_of(person).items).kept
    except lab_paste.TooLong:
        return _page(request, person, "", [_("This is longer than a laboratory report. Paste one report at a time.")])
    if not kept.strip():
        return _page(request, person, "", [_("Nothing was pasted. Copy the rows from the laboratory system and paste them here.")])
    return _page(request, person, kept)


def _confirm(request: HttpRequest, person: Participant) -> HttpResponse:
    """Fill in what was ticked and answered; whatever stands in the way, the page comes back with all that was chosen."""
    Participant.objects.select_for_update(no_key=True).get(pk=person.pk)  # what was chosen is held against what is there then
    kept, faults = request.POST.get("kept", "")[: lab_paste.LONGEST], list[str]()
    day = _day(request, faults)
    report = lab_paste.read(kept, pasting.form_of(person).items, on=request.POST.get("only", "")[:10])
    filled, wrong = paste_pages.chosen(person, report, day, request.POST)
    faults += wrong
    if not faults:
        try:
            source = pasting.fill(
                participant=person,
                block=kept,
                filled=filled,
                seen=read_seen(request.POST.get("seen")),
                day=day,
                by=request.user,
                reason=request.POST.get("reason", "")[:200],
            )
        except ValidationError as error:
            faults += error.messages
        except NotAllowedNow as refused:
            faults.append(str(refused))
        else:
            return _filled(request, person, source, report)
    return _page(request, person, kept, faults, request.POST)


def _filled(request: HttpRequest, person: Participant, source: PastedBlock, report: lab_paste.Report) -> HttpResponse:
    count, left = len(source.lines), len(report.of("decide"))
    said = ngettext("Filled in: %(n)s value.", "Filled in: %(n)s values.", count) % {"n": count}
    messages.success(request, said)
    if left:
        return redirect(reverse("lab-paste", args=[person.uuid]) + f"?source={source.uuid}")
    return redirect("lab-paste", person.uuid)


def _page(request: HttpRequest, person: Participant, kept: str, faults: list[str] | None = None, sent: Any = None) -> HttpResponse:
    context: dict[str, Any] = {"participant": person, "kept": kept, "faults": faults or []}
    if kept:
        only = (sent or request.GET).get("only", "")[:10]
        report = lab_paste.read(kept, pasting.form_of(person).items, on=only)
        day = (sent.get("day", "") if sent else "") or only or (report.days[0] if len(report.days) == 1 else "")
        context |= paste_pages.context(person, report, _iso(day), sent)
        context |= {"day": day, "only": only, "reason": sent.get("reason", "") if sent else ""}
        context["before_surgery"] = _before_surgery(person, _iso(day))
    else:
        context["sources"] = PastedBlock.objects.filter(participant=person).select_related("recorded_by")[:5]
    return render(request, "laboratory/paste.html", context, status=400 if faults else 200)


def _before_surgery(person: Participant, day: str) -> int | None:
    """Days from sampling to surgery; negative after it."""
    if len(day) != len("2026-10-29"):
        return None
    return (person.screening.surgery_date - typed_dates.understand(day)).days


def _day(request: HttpRequest, faults: list[str]) -> str:
    """The day of sampling as ISO text; a fault where it is not said or not understood."""
    text = request.POST.get("day", "").strip()
    if not text:
        faults.append(_("Say when the sample was taken: 2026-10-29."))
    elif not _iso(text):
        faults.append(_("“%(text)s” is not understood as a day. Write 2026-10-29 or 2026年10月29日.") % {"text": text[:40]})
    return _iso(text)


def _iso(text: str) -> str:
    try:
        return typed_dates.understand(text).isoformat() if text else ""
    except ValueError:
        return ""


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
