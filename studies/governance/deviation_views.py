"""Pages of deviations: the list, one deviation with what was found out about it, and the report of a new one."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studies import access
from studies.access import Permission
from studies.forms import PageForm
from studies.governance import conduct, deviation_lists, deviations
from studies.governance.forms import AssessForm, DeviationForm, ReopenForm
from studies.governance.views import attempt
from studies.models import Deviation
from studies.vocabulary import DeviationStatus


@require_GET
def listed(request: HttpRequest) -> HttpResponse:
    """What deviated, and what is done about it?"""
    if Permission.CENTER_VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    asked = {key: request.GET.get(key, "") for key in ("state", "after")}
    context = deviation_lists.page(request.user, **asked, center=request.GET.get("center", "")[:2])
    context["may_report"] = Permission.DEVIATION_REPORT in access.permissions_of(request.user)
    return render(request, "governance/deviations.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Report a deviation that you noticed."""
    centers = list(access.centers_for(request.user, Permission.DEVIATION_REPORT).select_related("study"))
    if not centers:
        raise PermissionDenied
    rules = conduct.load(centers[0].study.protocol_id)
    start = {"study_number": request.GET.get("participant", "")[:20]}
    form = DeviationForm(request.POST if request.method == "POST" else None, rules=rules, centers=centers, initial=start)
    if request.method == "POST" and form.is_valid() and (made := _report(request, form)) is not None:
        messages.success(request, _("Reported."))
        return redirect("deviation", made.uuid)
    return render(request, "governance/deviation_new.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def deviation(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What happened, why, and what is done?"""
    return _page(request, _row(request, uuid))


@require_POST
def assess(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say how grave it is, what caused it and what is done."""
    row, form = _row(request, uuid), AssessForm(request.POST)
    return _act(request, row, "assess_form", form, lambda: deviations.assess(deviation=row, by=request.user, **form.cleaned_data))


@require_POST
def close(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Close what was assessed and acted on."""
    row, form = _row(request, uuid), PageForm(request.POST)
    return _act(request, row, "close_form", form, lambda: deviations.close(deviation=row, by=request.user))


@require_POST
def reopen(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a closed one up again."""
    row, form = _row(request, uuid), ReopenForm(request.POST)
    return _act(request, row, "reopen_form", form, lambda: deviations.reopen(deviation=row, by=request.user, **form.cleaned_data))


def _report(request: HttpRequest, form: DeviationForm) -> Deviation | None:
    given = {name: value for name, value in form.cleaned_data.items() if name not in ("center", "study_number")}
    number, person = form.cleaned_data["study_number"].strip(), None
    if number:
        person = access.participants_for(request.user).filter(study_number=number, center=form.chosen_center).first()
        if person is None:
            form.refuse("study_number", [_("Nobody at this center has this study number.")])
            return None
    return attempt(form, lambda: deviations.report(center=form.chosen_center, participant=person, by=request.user, **given))


def _row(request: HttpRequest, uuid: UUID) -> Deviation:
    joined = ("center__study", "participant", "raised_by", "assessed_by", "closed_by")
    return get_object_or_404(deviation_lists.seen_by(request.user).select_related(*joined), uuid=uuid)


def _act(request: HttpRequest, row: Deviation, name: str, form: PageForm, write: Callable[[], Any]) -> HttpResponse:
    if form.is_valid() and attempt(form, write) is not None:
        messages.success(request, _("Saved."))
        return redirect("deviation", row.uuid)
    return _page(request, row, {name: form})


def _page(request: HttpRequest, row: Deviation, sent: dict[str, PageForm] | None = None) -> HttpResponse:
    context: dict[str, Any] = {"row": deviation_lists.row_of(row), "deviation": row, "sent": list((sent or {}).values())}
    may_close = access.may(request.user, Permission.DEVIATION_CLOSE, row.center)
    if row.status == DeviationStatus.CLOSED:
        context |= {"reopen_form": ReopenForm()} if may_close else {}
    elif access.may(request.user, Permission.DEVIATION_ASSESS, row.center):
        said = ("category", "cause", "corrective", "preventive")
        context["assess_form"] = AssessForm(initial={name: getattr(row, name) for name in said})
        context["may_close"] = may_close and row.status == DeviationStatus.ASSESSED
    return render(request, "governance/deviation.html", context | (sent or {}), status=400 if sent else 200)
