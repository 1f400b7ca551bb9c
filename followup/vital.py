"""Of whom is it not known that he lives? Everybody without a recent sign of life, to be looked up in a register before the lock (EP-11)."""

from datetime import date, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from followup import entry, events, pages
from followup.models import Contact
from followup.vocabulary import Channel, ContactOutcome, Vital
from studies import access, progress, progress_lists
from studies.models import Progress, Study
from studies.paging import ROWS

SILENT_DAYS = 180
ANSWERS = (Vital.ALIVE, Vital.UNKNOWN)
"""What a look into the register says by one press; a death has its own form, with date, cause and source."""


def silent(user: User, study: Study) -> QuerySet[Progress]:
    """Who is not known to have lived within the last 180 days of the study's calendar, nor to have died; silent longest first.

    Who gave back all his data is left out. `asked` is the last look into a register.
    """
    known = progress.of(user, pages.VIEW).filter(progress_lists.FOLLOWED, study=study)
    looks = Contact.objects.filter(participant=OuterRef("participant"), voided_at=None, channel=Channel.REGISTRY).order_by("-on")
    asked = known.filter(known_alive__lt=study.today() - timedelta(days=SILENT_DAYS)).annotate(asked=Subquery(looks.values("on")[:1]))
    return asked.select_related("participant").order_by("known_alive", "participant__study_number")


@require_GET
def vital(request: HttpRequest) -> HttpResponse:
    """Of whom do we not know whether he lives?"""
    study = next(iter(access.studies_of(request.user, pages.VIEW)), None)
    if study is None:
        raise PermissionDenied
    rows = silent(request.user, study)
    after, number = _cursor(request.GET.get("after", ""))
    if after:
        rows = rows.filter(Q(known_alive__gte=after), Q(known_alive__gt=after) | Q(participant__study_number__gt=number))
    found = list(rows[: ROWS + 1])
    shown = found[:ROWS]
    context = {
        "rows": [(row, (study.today() - row.known_alive).days) for row in shown],
        "total": silent(request.user, study).count(),
        "days": SILENT_DAYS,
        "next_url": f"?after={shown[-1].known_alive}_{shown[-1].participant.study_number}" if len(found) > ROWS else "",
        "first_url": "?" if after else "",
        "enters": set(access.centers_for(request.user, entry.VISIT).values_list("pk", flat=True)),
    }
    return render(request, "followup/vital.html", context)


@require_POST
def looked_up(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record what a register of residents says today, by one press."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    answer = request.POST.get("vital", "")
    if answer not in ANSWERS:
        raise BadRequest
    row = events.record_contact(
        participant=person,
        on=person.study.today(),
        outcome=ContactOutcome.NO_ANSWER,
        channel=Channel.REGISTRY,
        vital=answer,
        by=request.user,
    )
    messages.success(request, _("Recorded: %(what)s") % {"what": f"{person.study_number}, {pages.sentence(row)}"})
    return redirect("vital")


def _cursor(text: str) -> tuple[date | None, str]:
    """The last row of the page before: the day it was known alive, and its study number."""
    day, _line, number = text.partition("_")
    try:
        return date.fromisoformat(day), number
    except ValueError:
        return None, ""
