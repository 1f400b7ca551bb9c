"""The participant's page: one question (where are they, what is missing, what is next), answered by several rooms.

Rooms above `studies` add their part through PANELS; no lower room knows of them.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from followup import panels as followup_panels
from imaging import panels as imaging_panels
from studies import access, clock, entry, lists, pages, wording
from studies.locking import panels as locking_panels
from studies.models import Participant
from studies.pages import Cell, TimelineRow
from studies.quality import panels as quality_panels
from studies.vocabulary import MilestoneKind as Kind
from studies.vocabulary import ParticipantStatus

Panel = Callable[[HttpRequest, Participant], str]
PANELS: list[Panel] = [locking_panels.signing_panel, quality_panels.quality_panel, imaging_panels.series_panel]
"""Each gives the HTML of a section for the right column, already escaped, or nothing when the person may not see it."""
WIDE_PANELS: list[Panel] = [
    followup_panels.treatment_panel, followup_panels.visits_panel, followup_panels.events_panel, followup_panels.response_panel,
]  # fmt: skip
"""The same for the left, wider column."""

LANES: tuple[tuple[Promise, tuple[Kind, ...]], ...] = (
    (gettext_lazy("Consent, enrolment"), (Kind.CONSENTED, Kind.ENROLLED, Kind.WITHDRAWN)),
    (gettext_lazy("Images"), (Kind.SERIES_RECEIVED, Kind.PHASE_CONFIRMED, Kind.ROI_READY, Kind.FEATURES_READY)),
    (gettext_lazy("Pathology, slides"), (Kind.REPORT_RECEIVED, Kind.SLIDE_RECEIVED)),
    (gettext_lazy("Prediction"), (Kind.INPUT_MISSING, Kind.SEALED)),
    (gettext_lazy("Treatment"), (Kind.TREATMENT_STARTED, Kind.NO_ADJUVANT_DECLARED, Kind.WINDOW_CLOSED)),
    (gettext_lazy("Follow-up"), (Kind.VISIT_DONE, Kind.RECURRENCE, Kind.DEATH, Kind.LOST)),
)
LOOKS = {Kind.SEALED: "seal", Kind.TREATMENT_STARTED: "treat", Kind.NO_ADJUVANT_DECLARED: "treat", Kind.INPUT_MISSING: "wait"}
CELLS: dict[str, Promise] = {
    "consent": gettext_lazy("Consent"),
    "phases": gettext_lazy("Phases"),
    "slide": gettext_lazy("Slide"),
    "pathology": gettext_lazy("Pathology"),
    "baseline": gettext_lazy("Baseline"),
    "sealed": gettext_lazy("Seal"),
    "treatment": gettext_lazy("Treatment"),
    "visits": gettext_lazy("Visits"),
}
CELL_PAGES: dict[str, str] = {"consent": "consent-history", "baseline": "forms"}
"""The cells that lead to a page of their own, by the name of its address."""
CELL_WORDS = {
    "done": gettext_lazy("complete"),
    "waiting": gettext_lazy("not yet due"),
    "missing": gettext_lazy("missing"),
    "overdue": gettext_lazy("overdue"),
}
CELL_SHORT = {"done": gettext_lazy("yes"), "waiting": "–", "missing": gettext_lazy("lacks"), "overdue": gettext_lazy("late")}
CELL_LOOKS = {"done": ("ok", "ok"), "waiting": ("open", "mute"), "missing": ("half", "warn"), "overdue": ("late", "bad")}


@dataclass(frozen=True)
class CellView:
    """A completeness cell as drawn."""

    label: Promise
    icon: str
    tone: str
    words: str
    missing: bool
    url: str
    short: str = ""


@require_GET
def participant(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Where are they, what is missing, what is next?"""
    person = get_object_or_404(pages.participants(request.user).select_related("screening__center", "enrolled_by"), uuid=uuid)
    today = person.study.today()
    rows = pages.timeline(person)
    day = (today - person.screening.surgery_date).days
    context = {
        "participant": person,
        "person": wording.person(person.screening),
        "sealed_on": next((row.on for row in rows if row.kind is Kind.SEALED), None),
        "may_enter": access.may(request.user, entry.ENTER, person.center),
        "day": day,
        "clock": clock.place(_facts(rows), [str(label) for label, _kinds in LANES], today=day),
        "cells": [cell_view(cell, person) for cell in pages.completeness([person], today)[person.uuid]],
        "timeline": [_timeline_row(row) for row in reversed(rows)],
        "panels": [panel(request, person) for panel in PANELS],
        "wide_panels": [panel(request, person) for panel in WIDE_PANELS],
        "todo": _todo(person) + followup_panels.todo(request, person),
        "landmark_date": person.screening.surgery_date + timedelta(days=clock.LANDMARK),
    }
    return render(request, "participant.html", context)


def _facts(rows: list[TimelineRow]) -> list[clock.Fact]:
    """One mark for what happened several times on a day (series of one examination), with its count."""
    lane_of = {kind: str(label) for label, kinds in LANES for kind in kinds}
    times = Counter((row.kind, row.on, row.day) for row in rows if row.kind in lane_of)
    return [
        clock.Fact(lane_of[kind], day, LOOKS.get(kind, "done"), f"{kind.label} {on:%m-%d}" + (f" ×{count}" if count > 1 else ""))
        for (kind, on, day), count in times.items()
    ]


def cell_view(cell: Cell, person: Participant) -> CellView:
    """A completeness cell as the participant's page and the matrix draw it."""
    icon, tone = ("seal", "seal") if (cell.key, cell.state) == ("sealed", "done") else CELL_LOOKS[cell.state]
    url = reverse(CELL_PAGES[cell.key], args=[person.uuid]) if cell.key in CELL_PAGES else ""
    return CellView(CELLS[cell.key], icon, tone, _cell_words(cell), cell.state in {"missing", "overdue"}, url, _short(cell))


def _short(cell: Cell) -> str:
    """A few characters for a cell of the matrix; the icon beside them carries the state."""
    if cell.of:
        return f"{cell.done}/{cell.of}"
    return f"{cell.on:%m-%d}" if cell.on else str(CELL_SHORT[cell.state])


def _cell_words(cell: Cell) -> str:
    if cell.key == "baseline":
        return f"{cell.done} / {cell.of}"
    if cell.of:
        return _("%(done)s of %(due)s due") % {"done": cell.done, "due": cell.of}
    if cell.on:
        return cell.on.isoformat()
    return str(CELL_WORDS[cell.state])


def _timeline_row(row: TimelineRow) -> dict[str, Any]:
    looks = {"seal": ("seal", "seal"), "wait": ("half", "warn")}
    icon, tone = looks.get(LOOKS.get(row.kind, "done"), ("ok", "ok"))
    url = reverse(row.url_name, args=[row.ref_uuid]) if row.url_name and row.ref_uuid else ""
    return {"on": row.on, "day": row.day, "icon": icon, "tone": tone, "label": row.kind.label, "url": url, "recorded_by": row.recorded_by}


def _todo(person: Participant) -> list[dict[str, str]]:
    if person.status == ParticipantStatus.WITHDRAWN:
        return []
    state = lists.images_state(person)
    if state == "images_missing":
        sentence = _(
            "Have the CT or MR from before surgery sent. At the hospital, on the edge, link this number to the patient's imaging number:"
        )
        return [{"sentence": sentence, "command": f"edge link {person.study_number} <PatientID>"}]
    if state == "to_confirm":
        return [{"sentence": _("Images have come: confirm which series is which phase."), "url": "#images", "link": _("Confirm")}]
    return []
