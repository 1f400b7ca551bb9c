"""The mark beside a field about which a query is not closed."""

from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from studies.models import Participant
from studies.quality import query_lists

register = template.Library()
KEPT = "_marks_of_queries"


@register.simple_tag(takes_context=True)
def query_mark(context: Any, participant: Participant, field: str, record: str = "") -> SafeString:
    """A link to the query about a field of a participant, or nothing; one question to the database for a whole page."""
    request = context["request"]
    if not hasattr(request, KEPT):  # on the request, because each included template has a memory of its own
        setattr(request, KEPT, {})
    kept = getattr(request, KEPT)
    if participant.pk not in kept:
        kept[participant.pk] = query_lists.marks(request.user, participant)
    found = [row for at, row in kept[participant.pk] if at.field == field and record in ("", at.record)]
    return mark_safe("".join(render_to_string("studies/quality/_mark.html", {"row": row}) for row in found))  # noqa: S308 - a template's output
