"""Pages of a center's conduct: its delegation log and trainings. They read and hand over; no rule stands here."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from studies import access
from studies.access import Permission
from studies.forms import PageForm
from studies.governance import delegation, glossary, staff_pages, standing
from studies.governance.forms import DelegateForm, EndForm, TrainingForm
from studies.models import Center, Delegation

T = TypeVar("T")


def attempt(form: PageForm, write: Callable[[], T], fields: Mapping[str, str] | None = None) -> T | None:
    """Do the write; what it finds invalid stands at the field it names (`fields`: name of the write → of the form), or on top."""
    try:
        return write()
    except ValidationError as error:
        for name, sentences in getattr(error, "message_dict", {"": error.messages}).items():
            form.refuse((fields or {}).get(name, name), sentences)
    return None


def center_of(request: HttpRequest, uuid: UUID) -> Center:
    """The center of an address, for who may look at how it is conducted."""
    return get_object_or_404(access.centers_for(request.user, Permission.CENTER_VIEW).select_related("study"), uuid=uuid)


@require_GET
def words(request: HttpRequest) -> HttpResponse:
    """What do we call it?"""
    groups = [{"name": group.text.say(get_language()), "terms": group.terms} for group in glossary.groups()]
    return render(request, "governance/glossary.html", {"groups": groups})


@require_GET
def log(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Who may do what here?"""
    return _log(request, center_of(request, uuid))


@require_POST
def delegate(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Hand tasks to a person."""
    center = center_of(request, uuid)
    form = DelegateForm(request.POST, people=list(staff_pages.people(center)))
    if form.is_valid() and attempt(form, lambda: delegation.delegate(center=center, by=request.user, **form.cleaned_data)) is not None:
        messages.success(request, _("Delegated to %(user)s.") % {"user": form.cleaned_data["user"]})
        return redirect("delegation-log", center.uuid)
    return _log(request, center, delegate_form=form)


@require_POST
def training(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Put a training on record."""
    center = center_of(request, uuid)
    form = TrainingForm(request.POST, people=list(staff_pages.people(center)), rules=standing.of_protocol(center.study.protocol_id))
    if form.is_valid() and attempt(form, lambda: delegation.record_training(center=center, by=request.user, **form.cleaned_data)):
        messages.success(request, _("Training of %(user)s recorded.") % {"user": form.cleaned_data["user"]})
        return redirect("delegation-log", center.uuid)
    return _log(request, center, training_form=form)


@require_http_methods(["GET", "POST"])
def end(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a task back, saying why."""
    rows = Delegation.objects.filter(center__in=access.centers_for(request.user, Permission.CENTER_VIEW))
    row = get_object_or_404(rows.select_related("center__study", "user", "recorded_by"), uuid=uuid)
    form = EndForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: delegation.end(delegation=row, by=request.user, **form.cleaned_data))
        if done is not None:
            messages.success(request, _("The delegation ends on %(day)s.") % {"day": done.until})
            return redirect("delegation-log", row.center.uuid)
    may = access.may(request.user, Permission.DELEGATE, row.center)
    context = {"row": row, "center": row.center, "form": form, "may_delegate": may}
    return render(request, "governance/delegation_end.html", context, status=400 if form.errors else 200)


def _log(request: HttpRequest, center: Center, **sent: PageForm) -> HttpResponse:
    roles = staff_pages.people(center)
    people = list(roles)
    context: dict[str, Any] = {"center": center, "sent": list(sent.values())}
    if access.may(request.user, Permission.DELEGATE, center):
        context["delegate_form"] = DelegateForm(people=people)
    if access.may(request.user, Permission.TRAINING_RECORD, center):
        context["training_form"] = TrainingForm(people=people, rules=standing.of_protocol(center.study.protocol_id))
    context |= staff_pages.page(center, roles, request.GET.get("after", "")) | {
        name: form for name, form in sent.items() if name in context
    }
    return render(request, "governance/delegation_log.html", context, status=400 if sent else 200)
