"""Pages of reference ranges: between which limits does our laboratory call a value normal? They read and hand over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import User
from studies import access, counting
from studies.forms import PageForm
from studies.laboratory import ranges
from studies.laboratory.range_forms import CorrectRangeForm, EndRangeForm, RangeForm, shown
from studies.lists import choices
from studies.models import Center, ReferenceRange
from studies.paging import page_of

FILTERS = {"current": gettext_lazy("In force or to come"), "ended": gettext_lazy("Ended"), "all": gettext_lazy("All")}


@dataclass(frozen=True)
class Row:
    """One range as shown."""

    row: ReferenceRange
    test: str
    limits: str
    state: str


def rows_for(user: User, state: str = "all") -> QuerySet[ReferenceRange]:
    """The ranges of the centers a person may see, in one of the states of FILTERS."""
    today = timezone.localdate()
    ended = Q(valid_until__lt=today)
    condition = {"current": ~ended | Q(valid_until=None), "ended": ended, "all": Q()}[state]
    rows = ReferenceRange.objects.filter(center__in=access.centers_for(user, ranges.VIEW)).filter(condition)
    return rows.select_related("center__study", "recorded_by")


def current(user: User) -> QuerySet[ReferenceRange]:
    """The list that the page opens with."""
    return rows_for(user, "current")


@require_GET
def range_list(request: HttpRequest) -> HttpResponse:
    """Which limits hold?"""
    if ranges.VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    counts = counting.together({state: rows_for(request.user, state) for state in FILTERS})
    state, filters = choices(FILTERS, counts, request.GET.get("state", ""))
    page = page_of(rows_for(request.user, state), request.GET.get("after", ""), total=counts[state])
    context = {
        "shown": [_row(row) for row in page.rows],
        "rows": page.rows,
        "total": page.total,
        "filters": filters,
        "next_url": f"?state={state}&after={page.after}" if page.after else "",
        "first_url": "" if page.is_first else f"?state={state}",
        "may_enter": access.centers_for(request.user, ranges.ENTER).exists(),
    }
    return render(request, "laboratory/ranges.html", context)


@require_http_methods(["GET", "POST"])
def range_new(request: HttpRequest) -> HttpResponse:
    """Record a range as the laboratory prints it."""
    centers = list(access.centers_for(request.user, ranges.ENTER).select_related("study"))
    if not centers:
        raise PermissionDenied
    form = RangeForm(request.POST if request.method == "POST" else None, centers=centers, items=_measured(centers))
    if form.is_valid() and (made := _attempt(form, lambda: ranges.record(by=request.user, **form.cleaned_data))):
        messages.success(request, _("Recorded: %(test)s from %(day)s.") % {"test": _row(made).test, "day": made.valid_from})
        return redirect("range-new" if "another" in request.POST else "ranges")
    return render(request, "laboratory/range_new.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
def range_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What was recorded, and what can be done about it."""
    return _range_page(request, _found(request, uuid))


@require_POST
def range_end(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """End a range."""
    row, form = _found(request, uuid), EndRangeForm(request.POST, auto_id="id_end_%s")
    if form.is_valid() and _attempt(form, lambda: ranges.end(reference_range=row, by=request.user, **form.cleaned_data)):
        messages.success(request, _("The range ends on %(day)s.") % {"day": form.cleaned_data["last_day"]})
        return redirect("ranges")
    return _range_page(request, row, end_form=form)


@require_POST
def range_correct(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Correct the limits of a range, saying why."""
    row, form = _found(request, uuid), CorrectRangeForm(request.POST, auto_id="id_correct_%s")
    if form.is_valid() and _attempt(form, lambda: ranges.correct(reference_range=row, by=request.user, **form.cleaned_data)):
        messages.success(request, _("The limits were corrected."))
        return redirect("range", row.uuid)
    return _range_page(request, row, correct_form=form)


def _range_page(request: HttpRequest, row: ReferenceRange, **sent: PageForm) -> HttpResponse:
    forms = {"end_form": EndRangeForm(auto_id="id_end_%s"), "correct_form": CorrectRangeForm.of(row)} | sent
    may_enter = access.may(request.user, ranges.ENTER, row.center)
    context: dict[str, Any] = {"shown": _row(row), "row": row, "may_enter": may_enter, "sent": list(sent.values()), **forms}
    return render(request, "laboratory/range.html", context, status=400 if sent else 200)


def _found(request: HttpRequest, uuid: UUID) -> ReferenceRange:
    return get_object_or_404(rows_for(request.user), uuid=uuid)


def _measured(centers: list[Center]) -> list[Any]:
    return list({item.code: item for center in centers for item in ranges.measured(center)}.values())


def _attempt(form: PageForm, write: Callable[[], ReferenceRange]) -> ReferenceRange | None:
    """Do the write; what it finds invalid stands at the field it names, or on top of the form."""
    try:
        return write()
    except ValidationError as error:
        for name, sentences in getattr(error, "message_dict", {"": error.messages}).items():
            form.refuse(name, sentences)
    return None


def _row(row: ReferenceRange) -> Row:
    item = next((item for item in ranges.measured(row.center) if item.code == row.item), None)
    test = item.text.say(get_language()) if item else row.item
    low, high = shown(row.low), shown(row.high)
    limits = f"{low}–{high}" if low and high else f"≤ {high}" if high else f"≥ {low}"
    today = timezone.localdate()
    ended = row.valid_until is not None and row.valid_until < today
    state = "ended" if ended else "begins_later" if row.valid_from > today else "in_force"
    return Row(row, test, f"{limits} {row.unit}".strip(), state)
