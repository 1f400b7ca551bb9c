"""The section of a participant's page that says whether the data are signed and locked, and leads to the history."""

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from studies.locking import lists, signing, standing
from studies.models import Participant


def signing_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """Signed by whom, void or not, locked by what."""
    held = signing.standings([participant.pk])[participant.pk]
    context = {
        "participant": participant,
        "standing": held,
        "locks": [(row, lists.state_of(row), lists.address(row)) for row in standing.covering(participant)],
    }
    return mark_safe(render_to_string("studies/locking/_panel.html", context, request))  # noqa: S308 - a template's output
