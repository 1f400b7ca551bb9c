"""Of whom is it not known that he lives? Everybody without a recent sign of life, to be looked up in a register before the lock (EP-11)."""

from datetime import date, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import DateField, Exists, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.models import User
from followup import entry, events, pages
from followup.models import Assessment, Contact, Death
from followup.vocabulary import SIGN_OF_LIFE, Channel, ContactOutcome, Vital
from studies import access
from studies.models import Participant, Study
from studies.paging import ROWS
from studies.vocabulary import Withdrawal

SILENT_DAYS = 180
ANSWERS = (Vital.ALIVE, Vital.UNKNOWN)
"""What a look into the register says by one press; a death has its own form, with date, cause and source."""


def silent(user: User, study: Study) -> QuerySet[Participant]:
    """Who is not known to have lived within the last 180 days of the study's calendar, nor to have died; silent longest first.

    Annotated: `alive` (the last day known alive) and `asked` (the last look into a register). Who gave back all his data is left out.
    """
    mine = {"participant": OuterRef("pk"), "voided_at": None}
    seen, heard = _last(Assessment.objects.filter(**mine)), _last(Contact.objects.filter(SIGN_OF_LIFE, **mine))
    surgery = F("screening__surgery_date")
    people = access.participants_for(user, pages.VIEW).filter(Q(withdrawal="") | Q(withdrawal=Withdrawal.NO_CONTACT), study=study)
    known = people.annotate(
        alive=Greatest(surgery, Coalesce(seen, surgery), Coalesce(heard, surgery)),
        asked=_last(Contact.objects.filter(channel=Channel.REGISTRY, **mine)),
    )
    alive_before = study.today() - timedelta(days=SILENT_DAYS)
    return known.filter(~Exists(Death.objects.filter(**mine)), alive__lt=alive_before).order_by("alive", "study_number")


def _last(rows: QuerySet[Assessment] | QuerySet[Contact]) -> Subquery:
    latest = rows.order_by().values("participant").annotate(last=Max("on")).values("last")
    return Subquery(latest, output_field=DateField())


@require_GET
def vital(request: HttpRequest) -> HttpResponse:
    """Of whom do we not know whether he lives?"""
    study = next(iter(access.studies_of(request.user, pages.VIEW)), None)
    if study is None:
        raise PermissionDenied
    rows = silent(request.user, study)
    after, number = _cursor(request.GET.get("after", ""))
    if after:
        rows = rows.filter(Q(alive__gt=after) | Q(alive=after, study_number__gt=number))
    found = list(rows[: ROWS + 1])
    shown = found[:ROWS]
    context = {
        "rows": [(person, (study.today() - person.alive).days) for person in shown],  # type: ignore[attr-defined] # annotated
        "total": silent(request.user, study).count(),
        "days": SILENT_DAYS,
        "next_url": f"?after={shown[-1].alive}_{shown[-1].study_number}" if len(found) > ROWS else "",  # type: ignore[attr-defined]
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
