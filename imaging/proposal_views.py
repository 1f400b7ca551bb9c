"""The two decisions about an outline that came with the images. They read and hand over; the rules stand in `imaging.proposals`."""

from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from imaging import proposals
from imaging.models import Roi
from imaging.region_views import ANSWERS, number
from imaging.series import series_for
from imaging.views import series_page


@require_POST
def assign(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say who drew a proposed outline; what can be mended is said above the form."""
    proposal = get_object_or_404(proposals.proposals_for(request.user), uuid=uuid)
    series = get_object_or_404(series_for(request.user), uuid=_uuid(request.POST.get("series", "")))
    try:
        proposals.assign(
            proposal=proposal,
            series=series,
            treatment_known=ANSWERS.get(request.POST.get("treatment_known", "")),
            reader=request.POST.get("reader", ""),
            reason=request.POST.get("reason", ""),
            segment=number(request.POST.get("segment", "")),
            session=request.POST.get("session", Roi.Session.COUNTS),
            by=request.user,
        )
    except ValidationError as error:
        return series_page(request, series, errors=error.messages, status=400)
    return redirect(f"{reverse('series', args=[series.uuid])}#outline")


@require_POST
def decline(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Say that a proposed outline is not wanted."""
    proposal = get_object_or_404(proposals.proposals_for(request.user), uuid=uuid)
    proposals.decline(proposal=proposal, reason=request.POST.get("reason", ""), by=request.user)
    return redirect("participant", proposal.participant.uuid)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
