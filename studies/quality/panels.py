"""The section of a participant's page on the quality of the data: queries that are not closed, what is to be compared, and where to ask."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from studies.access import may
from studies.models import Participant, Verification
from studies.quality import queries, query_lists, source_images, verification


def quality_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """Queries of this participant that wait for somebody, the number of fields to be compared, and the links there."""
    if not may(request.user, queries.VIEW, participant.center):
        return mark_safe("")
    standing = queries.queries_for(request.user).filter(queries.not_closed(), participant=participant).order_by("pk")
    context = {
        "participant": participant,
        "queries": query_lists.describe(standing),
        "due": Verification.objects.filter(verification.DUE, participant=participant).count(),
        "pictures": source_images.images_for(request.user).filter(participant=participant).count(),
        "may_ask": may(request.user, queries.RAISE, participant.center),
        "may_upload": may(request.user, source_images.UPLOAD, participant.center),
    }
    return mark_safe(render_to_string("studies/quality/_panel.html", context, request))  # noqa: S308 - a template's output
