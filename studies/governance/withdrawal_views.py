"""Pages of withdrawal: how far a participant withdraws, and the erasure that one asks for and another decides on."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studies import access, enrollment
from studies.access import Permission
from studies.forms import PageForm
from studies.governance import withdrawal
from studies.governance.forms import DecideForm, ErasureForm, WithdrawForm
from studies.governance.views import attempt
from studies.models import ErasureRequest, Participant
from studies.paging import page_of
from studies.vocabulary import ErasureStatus, Withdrawal

FIELDS = {"withdrawal": "how_far", "withdrawn_on": "on"}


@require_http_methods(["GET", "POST"])
def withdraw(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """How far does this participant withdraw, and from when on?"""
    person = _person(request, uuid)
    form = WithdrawForm(request.POST if request.method == "POST" else None, levels=_levels(person))
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: enrollment.withdraw(participant=person, by=request.user, **form.cleaned_data), FIELDS)
        if done is not None:
            messages.success(request, _("%(number)s has withdrawn.") % {"number": done})
            return redirect("participant", person.uuid)
    return _page(request, person, withdraw_form=form)


@require_POST
def ask(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Ask for the erasure of a participant's data."""
    person, form = _person(request, uuid), ErasureForm(request.POST)
    if form.is_valid():
        done = attempt(form, lambda: withdrawal.request_erasure(participant=person, by=request.user, **form.cleaned_data))
        if done is not None:
            messages.success(request, _("Erasure asked for; a second person decides."))
            return redirect("withdrawal", person.uuid)
    return _page(request, person, erasure_form=form)


@require_http_methods(["GET", "POST"])
def decide(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Decide on an erasure that somebody else asked for."""
    rows = ErasureRequest.objects.filter(participant__in=access.participants_for(request.user))
    row = get_object_or_404(rows.select_related("participant__center", "center__study", "requested_by", "decided_by"), uuid=uuid)
    form = DecideForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: withdrawal.decide_erasure(request=row, by=request.user, **form.cleaned_data))
        if done is not None:
            messages.success(request, str(ErasureStatus(done.status).label))
            return redirect("withdrawal", row.participant.uuid)
    may = row.status == ErasureStatus.REQUESTED and access.may(request.user, Permission.ERASURE_DECIDE, row.center)
    context = {"row": row, "participant": row.participant, "form": form, "may": may, "own": row.requested_by_id == request.user.pk}
    return render(request, "governance/erasure.html", context, status=400 if form.errors else 200)


@require_GET
def waiting(request: HttpRequest) -> HttpResponse:
    """Which erasures wait for a decision?"""
    if Permission.PARTICIPANT_VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    rows = ErasureRequest.objects.filter(participant__in=access.participants_for(request.user)).select_related(
        "participant", "requested_by"
    )
    shown = page_of(rows, request.GET.get("after", ""))
    context = {
        "rows": shown.rows,
        "total": shown.total,
        "next_url": f"?after={shown.after}" if shown.after else "",
        "first_url": "" if shown.is_first else "?",
    }
    return render(request, "governance/erasures.html", context)


def _person(request: HttpRequest, uuid: UUID) -> Participant:
    return get_object_or_404(access.participants_for(request.user), uuid=uuid)


def _levels(person: Participant) -> list[str]:
    """The levels that are still ahead of a participant."""
    if person.withdrawal == Withdrawal.ERASE:
        return []
    return list(enrollment.FAR[enrollment.FAR.index(person.withdrawal) + 1 :] if person.withdrawal else enrollment.FAR)


def _page(request: HttpRequest, person: Participant, **sent: PageForm) -> HttpResponse:
    may = access.may(request.user, Permission.WITHDRAW, person.center)
    levels = _levels(person)
    context: dict[str, Any] = {
        "participant": person,
        "may": may,
        "sent": [form for form in sent.values() if form.is_bound],
        "requests": list(person.erasure_requests.select_related("requested_by", "decided_by")),
    }
    if may and levels:
        context["withdraw_form"] = sent.get("withdraw_form") or WithdrawForm(levels=levels)
    if may and person.withdrawal != Withdrawal.ERASE:
        context["erasure_form"] = sent.get("erasure_form") or ErasureForm()
    return render(request, "governance/withdrawal.html", context, status=400 if context["sent"] else 200)
