"""The consecutiveness report of a center, and the form for its monthly counts."""

from datetime import date
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from studies import access
from studies.access import Permission
from studies.consecutive import counts
from studies.consecutive.findings import findings
from studies.consecutive.report import Line, Report, report
from studies.forms import PageForm
from studies.models import Center
from studies.vocabulary import Origin

MONTHS = 36


class MonthField(forms.CharField):
    """A month as 2026-03."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return date.fromisoformat(f"{text.strip()}-01")
        except ValueError:
            raise ValidationError(_("Write the month like 2026-03.")) from None


class CountForm(PageForm):
    """How many resections in which month."""

    month = MonthField(
        label=gettext_lazy("Month"),
        max_length=7,
        widget=forms.TextInput(attrs={"class": "d", "placeholder": "2026-03", "autocomplete": "off"}),
    )
    resections = forms.IntegerField(
        label=gettext_lazy("HCC resections"),
        min_value=0,
        max_value=2000,
        widget=forms.TextInput(attrs={"class": "n", "inputmode": "numeric", "autocomplete": "off"}),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=300,
        help_text=gettext_lazy("only where the month was reported before"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


@require_GET
def consecutiveness(request: HttpRequest) -> HttpResponse:
    """Was everybody screened?"""
    return _page(request, _center(request, request.GET.get("center", "")))


@require_POST
def surgeries_report(request: HttpRequest) -> HttpResponse:
    """Take in one month's count."""
    center, form = _center(request, request.POST.get("center", "")), CountForm(request.POST)
    if form.is_valid():
        try:
            counts.report(center=center, by=request.user, **form.cleaned_data)
            return redirect(f"{reverse('consecutiveness')}?center={center.uuid}")
        except ValidationError as error:
            for name, sentences in getattr(error, "message_dict", {"": error.messages}).items():
                form.refuse(name, sentences)
    return _page(request, center, form)


def report_of(center: Center) -> Report:
    """The report over a center's log as it stands, in two queries."""
    fields = ("number", "surgery_date", "screened_on", "status", "age_at_surgery", "sex", "origin")
    lines = [Line(*row[:-1], row[-1] == Origin.EDGE) for row in center.screenings.values_list(*fields)]
    reported = dict(center.surgery_counts.values_list("month", "resections"))
    return report(lines, reported, center.opened_on or center.study.accrual_from, center.study.today())


def _page(request: HttpRequest, center: Center, form: CountForm | None = None) -> HttpResponse:
    made = report_of(center)
    may_report = access.may(request.user, Permission.SURGERIES_REPORT, center)
    missing = made.unreported[-1:] or (made.months[-1].first,)
    context = {
        "center": center,
        "centers": access.centers_for(request.user, Permission.SCREENING_VIEW),
        "report": made,
        "share": f"{made.enrolled / made.screened:.0%}" if made.screened else None,
        "findings": findings(made, center),
        "months": made.months[::-1][:MONTHS],
        "form": form or (CountForm(initial={"month": f"{missing[0]:%Y-%m}"}) if may_report else None),
    }
    return render(request, "consecutive/report.html", context, status=400 if form else 200)


def _center(request: HttpRequest, wished: str) -> Center:
    """The center that is asked for, or the first of those whose log one may see."""
    centers = access.centers_for(request.user, Permission.SCREENING_VIEW).select_related("study").order_by("study", "code")
    if not wished:
        if (first := centers.first()) is None:
            raise PermissionDenied
        return first
    try:
        found = centers.filter(uuid=UUID(wished)).first()
    except ValueError:
        found = None
    if found is None:
        raise Http404
    return found
