"""The page of handovers: who stands in for whom, and handing over one's list."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from accounts.models import User
from studies.access import centers_for, participants_for
from studies.forms import PageForm, TypedDateField
from studies.models import Center, Handover
from studies.quality import handover
from studies.quality.query_forms import NO_IDENTITY

KEPT = 50


class HandoverForm(PageForm):
    """To whom, from when to when, and what the colleague must know."""

    taker = forms.ChoiceField(label=gettext_lazy("Colleague"))
    since = TypedDateField(label=gettext_lazy("First day"))
    until = TypedDateField(label=gettext_lazy("Last day"))
    note = forms.CharField(max_length=500, label=gettext_lazy("What to know"), help_text=NO_IDENTITY)

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["taker"].choices = [("", ""), *((str(each.uuid), str(each)) for each in people)]


@require_http_methods(["GET", "POST"])
def handovers(request: HttpRequest) -> HttpResponse:
    """Who looks after my list while I am away?"""
    center = _center(request)
    people = [each for each in handover.colleagues(center) if each != request.user]
    form = HandoverForm(request.POST if request.method == "POST" else None, people=people)
    if request.method == "POST" and form.is_valid() and _made(form, center, people, request):
        return redirect("handovers")
    rows = Handover.objects.filter(center=center).select_related("giver", "taker", "center").order_by("-until", "-pk")[:KEPT]
    in_force = set(handover.in_force().filter(center=center).values_list("pk", flat=True))
    context = {
        "center": center,
        "form": form,
        "rows": [(row, row.pk in in_force, request.user.pk in (row.giver_id, row.taker_id)) for row in rows],
        "lists": _lists(request, center),
    }
    return render(request, "studies/quality/handovers.html", context, status=400 if form.errors else 200)


@require_POST
def handover_end(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """End a handover now."""
    rows = Handover.objects.filter(center__in=centers_for(request.user, handover.HAND_OVER))
    handover.take_back(handover=get_object_or_404(rows.select_related("center"), uuid=uuid), by=request.user)
    messages.success(request, _("The list is back in its own hands."))
    return redirect("handovers")


def _made(form: HandoverForm, center: Center, people: list[User], request: HttpRequest) -> bool:
    given = form.cleaned_data
    taker = next(each for each in people if str(each.uuid) == given["taker"])
    days = {"since": given["since"], "until": given["until"]}
    try:
        handover.hand_over(center=center, giver=request.user, taker=taker, note=given["note"], by=request.user, **days)
    except ValidationError as error:
        for field, sentences in getattr(error, "message_dict", {"": error.messages}).items():
            form.refuse({"__all__": ""}.get(field, field), sentences)
        return False
    messages.success(request, _("Handed over: %(taker)s sees your list as a colleague's.") % {"taker": taker})
    return True


def _lists(request: HttpRequest, center: Center) -> list[tuple[User, int]]:
    """How many participants each person looks after."""
    rows = handover.looked_after(participants_for(request.user).filter(center=center)).order_by()
    counts = dict(rows.values_list("carer").annotate(n=Count("pk")))
    people = User.objects.filter(Q(pk__in=list(counts)) | Q(pk__in=handover.colleagues(center).values("pk"))).order_by("username")
    return [(each, counts.get(each.pk, 0)) for each in people]


def _center(request: HttpRequest) -> Center:
    center = centers_for(request.user, handover.HAND_OVER).select_related("study").order_by("code").first()
    if center is None:
        raise PermissionDenied
    return center
