"""The sections of a participant's page that this room adds: treatment, visits, events, responses; and what of it waits to be done."""

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from followup import entry, pages, response_cases, response_words
from studies.access import may
from studies.models import Participant
from studies.vocabulary import ParticipantStatus


def treatment_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """Courses, the declaration, and how the adjuvant window stands."""
    window = pages.treatment_window(participant, on=participant.study.today())
    enter = may(request.user, entry.TREATMENT, participant.center)
    context = {
        "window": window,
        "may_enter": enter,
        "may_declare": enter and window.ended and window.state in ("declaration_missing", "last_day"),
        "may_state": enter and window.state == "treatment_unstated",
        **_split(window.rows),
    }
    return _panel(request, participant, "followup/_treatment_panel.html", context)


def visits_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """The schedule with its windows, how each visit stands, and what was found."""
    rows = pages.entries(participant, "assessment", "death")
    visits = pages.visits(participant, rows, on=participant.study.today())
    made = {visit.made.uuid for visit in visits if visit.made}
    looks = [row for row in rows if row.kind == "assessment"]
    context = {
        "visits": visits,
        "may_enter": may(request.user, entry.VISIT, participant.center),
        **_split([row for row in looks if row.uuid not in made]),
    }
    return _panel(request, participant, "followup/_visits_panel.html", context)


def events_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """Recurrence, death and contacts."""
    rows = pages.entries(participant, "recurrence", "death", "contact")
    known = {row.kind for row in rows if row.voided is None}
    enter = may(request.user, entry.EVENT, participant.center)
    context = {
        "may_enter": enter,
        "may_call": may(request.user, entry.VISIT, participant.center),
        "may_recur": enter and "recurrence" not in known,
        "may_die": enter and "death" not in known,
        **_split(rows),
    }
    return _panel(request, participant, "followup/_events_panel.html", context)


def response_panel(request: HttpRequest, participant: Participant) -> SafeString:
    """How tumours answered treatment, scan by scan, as far as the readers agree; nothing where none was asked for and nobody may ask."""
    ask = may(request.user, response_cases.ASK, participant.center)
    asked = _split(pages.entries(participant, "response"))
    if not any(asked.values()) and not ask:
        return mark_safe("")
    rows = [
        (each.case, response_words.days(each.case), response_words.category(each.response) if each.response else "")
        for each in (response_cases.of_participant(participant) if asked["rows"] else ())
    ]
    return _panel(request, participant, "followup/_response_panel.html", {**asked, "rows": rows, "may_ask": ask})


def todo(request: HttpRequest, participant: Participant) -> list[dict[str, Any]]:
    """What of treatment and visits waits for this participant now, the window before the visits."""
    if participant.status == ParticipantStatus.WITHDRAWN or not may(request.user, entry.TREATMENT, participant.center):
        return []
    window = pages.treatment_window(participant, on=participant.study.today())
    waits = []
    if window.state in ("declaration_missing", "last_day"):
        sentence = _("The treatment window has ended: record what was given, or declare that nothing was.")
        waits.append({"sentence": sentence, "url": "#treatment", "link": _("Treatment")})
    if window.state == "treatment_unstated":
        sentence = _("The treatment window has ended: state that everything given in it is recorded.")
        waits.append({"sentence": sentence, "url": "#treatment", "link": _("Treatment")})
    if window.state == "contradiction":
        sentence = _("Treatment and the declaration contradict each other: mark the wrong one as entered in error.")
        waits.append({"sentence": sentence, "url": "#treatment", "link": _("Decide")})
    rows = pages.entries(participant, "assessment", "death")
    for visit in pages.visits(participant, rows, on=participant.study.today()):
        if visit.open:
            words = {"visit": visit.window.code, "closes": visit.window.closes}
            overdue = visit.state == "overdue"
            sentence = _("%(visit)s is overdue since %(closes)s.") if overdue else _("%(visit)s is due until %(closes)s.")
            url = f"{reverse('assessment-new', args=[participant.uuid])}?visit={visit.window.code}"
            waits.append({"sentence": sentence % words, "url": url, "link": _("Record")})
    return waits


def _split(rows: list[pages.EntryRow]) -> dict[str, list[pages.EntryRow]]:
    return {"rows": [row for row in rows if row.voided is None], "voided": [row for row in rows if row.voided is not None]}


def _panel(request: HttpRequest, participant: Participant, template: str, context: dict[str, Any]) -> SafeString:
    """A panel's HTML; empty for who may not see the follow-up of this center."""
    if not may(request.user, pages.VIEW, participant.center):
        return mark_safe("")
    return mark_safe(render_to_string(template, {"participant": participant, **context}, request))  # noqa: S308 - a template's output
