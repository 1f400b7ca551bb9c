"""Pages of the response at a scan: what a reader has to read, one case; for the data manager asking, voiding, and how far readers agree."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts import audit
from accounts.models import User
from followup import committee, committee_views, entry, forms, pages, refusals, response_cases, response_words
from followup.case_package import response_package_of
from followup.models import ResponseCase
from followup.response_forms import AskForm, TargetsForm
from followup.response_words import day_of
from studies import access
from studies.forms import PageForm
from studies.models import Participant


@require_GET
def responses(request: HttpRequest) -> HttpResponse:
    """Which responses wait for me?"""
    if response_cases.READ not in access.permissions_of(request.user):
        raise PermissionDenied
    rows = response_cases.to_read(request.user)
    return render(request, "followup/responses.html", {"rows": rows, "total": len(rows)})


@require_http_methods(["GET", "POST"])
def response(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """How did the tumours answer? First the sums are shown, then what was shown is entered."""
    shown = _case(request.user, uuid)
    package, surgery = response_package_of(shown), shown.participant.screening.surgery_date
    days = [(on - surgery).days for on in (shown.baseline_on, *shown.between, shown.scan_on)]
    form = TargetsForm(request.POST if request.method == "POST" else None, days=days)
    result: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        result = _result(form)
        seen = request.POST.get("act") == "enter" and request.POST.get("shown") == result["shown"]
        if seen and _entered(form, shown, request.user):
            messages.success(request, _("Recorded: case %(code)s. It is not shown to you again.") % {"code": shown.code})
            return redirect("responses")
    audit.record(kind="read", by=request.user, subject=f"response {shown.code}")
    context = {
        "package": package, "form": form, "looks": [(day_of(look.day), look) for look in package.looks], "uuid": shown.uuid,
        "pictures": "response-picture", "baseline": days[0], "scan": days[-1], **result,
    }  # fmt: skip
    return render(request, "followup/response.html", context, status=400 if form.errors else 200)


@require_GET
def response_picture(request: HttpRequest, uuid: UUID, picture: UUID) -> HttpResponse:
    """One picture of a case, as the worker drew it."""
    return committee_views.picture_of(response_package_of(_case(request.user, uuid)), picture)


@require_GET
def response_agreement(request: HttpRequest) -> HttpResponse:
    """How far are the responses, and do two readers agree?"""
    study = committee_views.study_of(request.user)
    now = response_cases.agreement_of(study)
    context = {
        "study": study,
        "states": [(word, now.states.get(code, 0)) for code, word in committee_views.STATES.items()],
        "all": len(now.cases),
        "kappas": [(_("first and second reader"), now.readers)],
        "rows": [_row(each) for each in now.cases],
        "readers": committee.readers_of(study),
    }
    return render(request, "followup/response_agreement.html", context)


@require_http_methods(["GET", "POST"])
def response_ask(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask for the response at a scan."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    access.require(request.user, response_cases.ASK, person.center)
    looks = response_cases.scans_of(person)
    form = AskForm(request.POST if request.method == "POST" else None, looks=looks)
    if request.method == "POST" and form.is_valid() and _asked(form, person, request.user):
        messages.success(request, _("Asked: two readers see the case now."))
        return redirect("participant", person.uuid)
    context = {"participant": person, "form": form, "looks": looks}
    return render(request, "followup/response_ask.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def response_void(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Mark a case as asked for in error, with the reason; its readings no longer count."""
    rows = ResponseCase.objects.filter(participant__in=access.participants_for(request.user, response_cases.ASK))
    row = get_object_or_404(rows.select_related("participant__screening", "participant__center", "participant__study"), uuid=uuid)
    form = forms.VoidForm(request.POST if request.method == "POST" else None)
    what = pages.sentence(row)
    if request.method == "POST" and form.is_valid():
        try:
            entry.void(row=row, reason=form.cleaned_data["reason"], by=request.user, permission=response_cases.ASK)
        except ValidationError as error:
            _refuse(form, error)
        else:
            messages.success(request, _("Marked as entered in error: %(what)s") % {"what": what})
            return redirect("participant", row.participant.uuid)
    context = {"participant": row.participant, "row": row, "what": what, "form": form}
    return render(request, "followup/void.html", context, status=400 if form.errors else 200)


def _result(form: TargetsForm) -> dict[str, Any]:
    """Sums, changes and category of what was typed; `shown` is what a reader must have been shown before he enters it."""
    assessed, sums = form.assessed(), [response_words.millimetres(each) for each in form.sums()]
    return {
        "sums": list(zip(form.heads(), sums, strict=True)) if sums else [],
        "category": response_words.category(assessed.response),
        "reason": response_words.reason(assessed),
        "change": response_words.change(assessed.change),
        "rise": response_words.change(assessed.rise),
        "nadir": response_words.millimetres(assessed.nadir),
        "shown": " ".join([assessed.response, assessed.because, *sums]),
    }


def _row(each: response_cases.Standing) -> tuple[ResponseCase, str, str, str]:
    said = response_words.category(each.response) if each.response else ""
    return each.case, response_words.days(each.case), str(committee_views.STATES[each.state]), said


def _case(user: User, uuid: UUID) -> ResponseCase:
    found = get_object_or_404(response_cases.cases_for(user).prefetch_related("readings__targets"), uuid=uuid)
    if not response_cases.waits(found):
        raise Http404
    return found


def _entered(form: TargetsForm, shown: ResponseCase, by: User) -> bool:
    data = {name: form.cleaned_data[name] for name in ("targets", "new_lesion", "non_target", "not_assessable", "note")}
    try:
        response_cases.read(case=shown, by=by, **data)
    except ValidationError as error:
        _refuse(form, error)
        return False
    return True


def _asked(form: AskForm, person: Participant, by: User) -> bool:
    try:
        response_cases.ask(participant=person, by=by, **form.cleaned_data)
    except ValidationError as error:
        _refuse(form, error)
        return False
    return True


def _refuse(form: PageForm, error: ValidationError) -> None:
    for field, sentences in refusals.by_field(error).items():
        form.refuse(field, sentences)
