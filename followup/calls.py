"""Whom to call: participants whose visit is overdue, how often somebody tried, what was learned, and who is lost (EP-06, EP-11)."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts import audit
from accounts.models import User
from followup import entry, events, loss, pages, visit_lists
from followup.models import Assessment, Contact
from followup.schedule import windows
from followup.visit_lists import OpenVisit
from followup.vocabulary import ALIVE, ContactOutcome, Vital
from studies import access
from studies.models import Participant
from studies.paging import ROWS

QUICK = (ContactOutcome.ANSWERED, ContactOutcome.RELATIVE, ContactOutcome.NO_ANSWER, ContactOutcome.WRONG_NUMBER)
"""What one press records; everything else has the form."""
MOST_IN_CALENDAR = 500


@dataclass(frozen=True)
class Callee:
    """A participant to be called for the visit that has been overdue longest; `tried` since the last assessment."""

    visit: OpenVisit
    tried: int
    last: Contact | None
    missed: int
    lost: bool


@require_GET
def calls(request: HttpRequest) -> HttpResponse:
    """Who has not come, and did anybody ask?"""
    if pages.VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    found = callees(request.user, after=request.GET.get("after", ""), limit=ROWS + 1)
    context = {
        "rows": found[:ROWS],
        "next_url": f"?after={found[ROWS - 1].visit.key}" if len(found) > ROWS else "",
        "first_url": "?" if request.GET.get("after") else "",
        "outcomes": [(each.value, each.label) for each in QUICK],
        "enters": set(access.centers_for(request.user, entry.VISIT).values_list("pk", flat=True)),
    }
    return render(request, "followup/calls.html", context)


@require_POST
def call(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record a call of today by one press."""
    person = get_object_or_404(access.participants_for(request.user), uuid=uuid)
    outcome = request.POST.get("outcome", "")
    vital = Vital.ALIVE if outcome in ALIVE else Vital.UNKNOWN
    row = events.record_contact(participant=person, on=person.study.today(), outcome=outcome, vital=vital, by=request.user)
    messages.success(request, _("Recorded: %(what)s") % {"what": f"{person.study_number}, {pages.sentence(row)}"})
    return redirect("calls")


@require_GET
def calendar(request: HttpRequest) -> HttpResponse:
    """The visits that are due or overdue as a calendar file; its text names no disease, no study and no person."""
    if pages.VIEW not in access.permissions_of(request.user):
        raise PermissionDenied
    rows = visit_lists.open_visits(request.user, limit=MOST_IN_CALENDAR)
    audit.record(kind="export", by=request.user, subject="visits.ics", detail={"rows": len(rows)})
    content = icalendar(rows)
    headers = {"Content-Disposition": 'attachment; filename="visits.ics"'}
    return HttpResponse(content, content_type="text/calendar; charset=utf-8", headers=headers)


def callees(user: User, *, after: str = "", limit: int | None = None) -> list[Callee]:
    """One row a participant, those waiting longest first; who withdrew from contact is left out. A fixed number of queries."""
    first: dict[UUID, OpenVisit] = {}
    for visit in visit_lists.open_visits(user, "overdue", after=after, limit=None if limit is None else 3 * limit):
        if not visit.no_contact:
            first.setdefault(visit.participant, visit)
    chosen = list(first.values())[:limit]
    people = Participant.objects.select_related("study").in_bulk([visit.participant for visit in chosen], field_name="uuid")
    seen = dict(Assessment.objects.in_force().filter(participant__in=people.values()).values_list("participant").annotate(last=Max("on")))
    tried = defaultdict(list)
    for contact in Contact.objects.in_force().filter(participant__in=people.values()).order_by("on", "pk"):
        tried[contact.participant_id].append(contact)
    return [_callee(visit, people[visit.participant], seen, tried) for visit in chosen]


def _callee(visit: OpenVisit, person: Participant, seen: dict[int, date], tried: dict[int, list[Contact]]) -> Callee:
    last_seen, contacts = seen.get(person.pk, visit.surgery), tried[person.pk]
    planned, today = windows(visit.surgery, person.study.protocol.visits), person.study.today()
    days = [contact.on for contact in contacts]
    missed = len(loss.missed_since(planned, last_seen, on=today))
    last = contacts[-1] if contacts else None
    return Callee(visit, loss.attempts_since(days, last_seen), last, missed, loss.lost(planned, days, last_seen, on=today))


def icalendar(rows: Iterable[OpenVisit]) -> bytes:
    """RFC 5545: one all-day event a visit over its window; what a locked telephone shows is "Visit" and the study number."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//PRIME//visits//EN", "CALSCALE:GREGORIAN"]
    for row in rows:
        uid = hashlib.sha256(f"{row.participant}{row.window.code}".encode()).hexdigest()[:32]
        lines += [
            "BEGIN:VEVENT",
            f"UID:{uid}@prime",
            f"DTSTAMP:{row.window.opens:%Y%m%d}T000000Z",
            f"DTSTART;VALUE=DATE:{row.window.opens:%Y%m%d}",
            f"DTEND;VALUE=DATE:{row.window.closes + timedelta(days=1):%Y%m%d}",
            f"SUMMARY:{_('Visit')} {row.window.code} {row.number}",
            "TRANSP:TRANSPARENT",
            "CLASS:PRIVATE",
            "END:VEVENT",
        ]
    return ("\r\n".join([*lines, "END:VCALENDAR"]) + "\r\n").encode()
