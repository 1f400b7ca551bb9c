"""The screening log by single keys: a reason not to enrol on the line that is selected, and the way back."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from studies import access, screening, wording
from studies.access import Permission
from studies.consecutive import flow_views
from studies.lists import Narrowing
from studies.models import Center, Screening
from studies.protocol import Coded
from studies.vocabulary import ScreeningStatus

DIGITS = 9


class LineForm(forms.Form):
    """Which line, and why."""

    line = forms.UUIDField()
    reason_code = forms.CharField(max_length=40)


@require_POST
def exclude(request: HttpRequest) -> HttpResponse:
    """Close the selected line with a reason of the protocol; the page it came from offers to take it back."""
    form = LineForm(request.POST)
    if not form.is_valid():
        raise ValidationError(_("Select a line of the log first, then choose the reason."))
    line = get_object_or_404(access.screenings_for(request.user), uuid=form.cleaned_data["line"])
    screening.exclude(screening=line, reason_code=form.cleaned_data["reason_code"], by=request.user)
    back = {name: value for name in ("state", "leaf", "center", "after") if (value := request.POST.get(name, ""))}
    return redirect(f"{reverse('screening-log')}?{urlencode(back | {'closed': str(line.uuid)})}")


def context(request: HttpRequest, narrowed: Narrowing | None) -> dict[str, Any]:
    """What the page of the log needs beside its rows: the reasons by digit, where one may screen, and the line just closed."""
    centers = list(access.centers_for(request.user, Permission.SCREEN).select_related("study"))
    return {
        "narrowed": narrowed,
        "narrowed_to": flow_views.narrowing_label(narrowed) if narrowed else "",
        "may_screen": bool(centers),
        "screens_at": {center.pk for center in centers},
        "reasons": _reasons(centers),
        "closed": _closed(request, centers),
        "here": {name: request.GET.get(name, "") for name in ("state", "leaf", "center", "after")},
    }


def _reasons(centers: list[Center]) -> list[tuple[int, str, str]]:
    reasons: tuple[Coded, ...] = centers[0].study.protocol.exclusion_reasons if centers else ()
    return [(digit, reason.code, reason.text.say(get_language())) for digit, reason in enumerate(reasons[:DIGITS], start=1)]


def _closed(request: HttpRequest, centers: list[Center]) -> dict[str, Any] | None:
    """The line that was closed a moment ago, as long as it is still closed and one may take it back."""
    try:
        uuid = UUID(request.GET.get("closed", ""))
    except ValueError:
        return None
    line = access.screenings_for(request.user).filter(uuid=uuid, status=ScreeningStatus.EXCLUDED, center__in=centers).first()
    return {"line": line, "why": wording.exclusion_reason(line)} if isinstance(line, Screening) else None
