"""The page of one center: what is lacking to open it, its ethics periods and its versions of the consent form."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.transitions import NotAllowedNow
from studies import access, setup
from studies.access import Permission
from studies.forms import PageForm
from studies.governance import center_pages, conduct, ethics, gate
from studies.governance.forms import ApprovalForm, DayForm, EndForm, PaperForm, VersionForm
from studies.governance.views import attempt, center_of
from studies.models import Center, ConsentVersion, EthicsApproval, GateDocument
from studies.quality import store


@require_GET
def centers(request: HttpRequest) -> HttpResponse:
    """Which centers take patients?"""
    if Permission.CENTER_VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    return render(request, "governance/centers.html", center_pages.page(request.user, request.GET.get("after", "")))


@require_GET
def center(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What is lacking to open?"""
    return _page(request, center_of(request, uuid))


@require_POST
def paper(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """File a document of the gate."""
    place = center_of(request, uuid)
    form = PaperForm(request.POST, request.FILES, rules=conduct.load(place.study.protocol_id))
    return _act(
        request,
        place,
        {"paper_form": form},
        lambda: gate.file_documents(center=place, papers=[gate.Paper(**form.cleaned_data)], by=request.user),
        _("Filed: %(what)s") % {"what": request.POST.get("number", "")[:100]},
    )


@require_GET
def gate_file(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The document itself; who looked is recorded."""
    row = get_object_or_404(_of_centers(request, GateDocument).exclude(sha256=""), uuid=uuid)
    response = HttpResponse(store.read(row.sha256, store.PAPERS), content_type=row.media_type)
    ending = row.media_type.rpartition("/")[2]
    response["Content-Disposition"] = f'attachment; filename="{row.center.code}-{row.item}-{row.dated_on}.{ending}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@require_POST
def approval(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """File an approval of the ethics committee."""
    place, form = center_of(request, uuid), ApprovalForm(request.POST)
    return _act(
        request,
        place,
        {"approval_form": form},
        lambda: ethics.file_approval(center=place, by=request.user, **form.cleaned_data),
        _("Filed: %(what)s") % {"what": request.POST.get("number", "")[:100]},
    )


@require_POST
def version(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Put a version of the consent form on file."""
    place = center_of(request, uuid)
    form = VersionForm(request.POST, approvals=list(place.ethics_approvals.all()))
    return _act(
        request,
        place,
        {"version_form": form},
        lambda: ethics.approve_version(center=place, by=request.user, **form.cleaned_data),
        _("Filed: %(what)s") % {"what": request.POST.get("code", "")[:40]},
    )


@require_POST
def opening(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Open the center, or hear everything that is lacking."""
    place, form = center_of(request, uuid), DayForm(request.POST)
    return _act(
        request,
        place,
        {"open_form": form},
        lambda: setup.open_center(center=place, on=form.cleaned_data["on"], by=request.user),
        _("Center %(center)s is open.") % {"center": place},
    )


@require_http_methods(["GET", "POST"])
def end_approval(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """End an approval before its time."""
    row = get_object_or_404(_of_centers(request, EthicsApproval), uuid=uuid)
    return _end(request, row, lambda given: ethics.end_approval(approval=row, by=request.user, **given))


@require_http_methods(["GET", "POST"])
def retire_version(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Let nobody sign a version any more."""
    row = get_object_or_404(_of_centers(request, ConsentVersion), uuid=uuid)
    return _end(request, row, lambda given: ethics.retire_version(version=row, by=request.user, **given))


def _of_centers(request: HttpRequest, table: Any) -> Any:
    seen = access.centers_for(request.user, Permission.CENTER_VIEW)
    return table.objects.filter(center__in=seen).select_related("center__study", "recorded_by")


def _end(request: HttpRequest, row: Any, write: Callable[[dict[str, Any]], Any]) -> HttpResponse:
    form = EndForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and attempt(form, lambda: write(form.cleaned_data)) is not None:
        messages.success(request, _("Ends on %(day)s.") % {"day": form.cleaned_data["last_day"]})
        return redirect("center", row.center.uuid)
    may = access.may(request.user, Permission.CENTER_MANAGE, row.center)
    return render(request, "governance/period_end.html", {"row": row, "center": row.center, "form": form, "may": may}, status=_status(form))


def _status(*forms: PageForm) -> int:
    return 400 if any(form.errors for form in forms) else 200


def _act(request: HttpRequest, place: Center, sent: dict[str, PageForm], write: Callable[[], Any], done: str) -> HttpResponse:
    """Do what a form of the page asks for and show the page again, with what is refused."""
    [form] = sent.values()
    if form.is_valid():
        try:
            made = attempt(form, write)
        except NotAllowedNow as refusal:
            form.refuse("", [str(refusal)])
            made = None
        if made is not None:
            messages.success(request, done)
            return redirect("center", place.uuid)
    return _page(request, place, sent)


def _page(request: HttpRequest, place: Center, sent: dict[str, PageForm] | None = None) -> HttpResponse:
    today = place.study.today()
    context: dict[str, Any] = {"center": place, "sent": list((sent or {}).values()), "today": today, **center_pages.one(place, today)}
    if access.may(request.user, Permission.CENTER_MANAGE, place):
        context |= {
            "paper_form": PaperForm(rules=conduct.load(place.study.protocol_id)),
            "approval_form": ApprovalForm(),
            "version_form": VersionForm(approvals=context["approvals"]),
        }
        if place.opened_on is None:
            context["open_form"] = DayForm(initial={"on": today.isoformat()})
        context |= sent or {}
    return render(request, "governance/center.html", context, status=_status(*(sent or {}).values()))
