"""The two lists of this room as pages: filters, whose counts are the lengths of the lists they open, and what each row says."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from studies import pages, progress, wording
from studies.consecutive import leaves
from studies.models import Center, Participant, Screening
from studies.paging import Page, page_of

SCREENING_FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "unknown": gettext_lazy("Eligibility unknown"),
    "pathology_pending": gettext_lazy("Consented, pathology pending"),
    "eligible": gettext_lazy("Eligible, not enrolled"),
    "fails": gettext_lazy("A criterion fails, to be closed"),
    "enrolled": gettext_lazy("Enrolled"),
    "excluded": gettext_lazy("Not enrolled"),
}
PARTICIPANT_FILTERS: dict[str, Promise] = {
    "all": gettext_lazy("All"),
    "images_missing": gettext_lazy("Images missing"),
    "phases_to_confirm": gettext_lazy("Phases to confirm"),
    "phases_complete": gettext_lazy("Phases complete"),
    "sealed": gettext_lazy("Prediction sealed"),
    "withdrawn": gettext_lazy("Withdrawn"),
}


@dataclass(frozen=True)
class Choice:
    """One filter: its words, the length of its list, and whether it is the one shown."""

    code: str
    label: Promise
    count: int
    current: bool


@dataclass(frozen=True)
class ScreeningRow:
    """One line of the log."""

    screening: Screening
    participant: Participant | None
    day: int
    person: str
    state: str
    why: str


@dataclass(frozen=True)
class ParticipantRow:
    """One participant of the list."""

    participant: Participant
    day: int
    person: str
    images: str


@dataclass(frozen=True)
class Narrowing:
    """A box of the flow diagram that the log is narrowed to, and at which center."""

    leaf: str = ""
    center: Center | None = None

    @property
    def query(self) -> str:
        """The part of the address that keeps it from page to page."""
        center = f"&center={self.center.uuid}" if self.center else ""
        return (f"&leaf={self.leaf}" if self.leaf else "") + center


def screening_log(user: User, *, state: str, after: str, narrowed: Narrowing | None = None) -> dict[str, Any]:
    """What the page of the screening log shows."""
    counts = pages.screening_counts(user)
    state, filters = choices(SCREENING_FILTERS, counts, state)
    lines = pages.screenings(user, state)
    if narrowed:
        lines = lines.filter(progress.on_record(leaves.condition(narrowed.leaf) or Q()))
        lines = lines.filter(center=narrowed.center) if narrowed.center else lines
    page = page_of(lines.select_related("participant").prefetch_related("consent"), after, total=None if narrowed else counts[state])
    nobody = _("Nobody was screened yet. Every resection gets a line, enrolled or not.")
    empty = nobody if state == "all" and not narrowed else _("No line is in this state.")
    rows = [_screening_row(line) for line in page.rows]
    return {"rows": rows, "filters": filters, "empty": empty, **_links(page, state, narrowed.query if narrowed else "")}


def participants(user: User, *, state: str, after: str) -> dict[str, Any]:
    """What the page of participants shows."""
    counts = pages.participant_counts(user)
    state, filters = choices(PARTICIPANT_FILTERS, counts, state)
    page = page_of(pages.participants(user, state), after, total=counts[state])
    nobody = _("Nobody is enrolled yet. Who is eligible and has consented is enrolled from the screening log.")
    empty = nobody if state == "all" else _("No participant is in this state.")
    return {"rows": [_participant_row(row) for row in page.rows], "filters": filters, "empty": empty, **_links(page, state)}


def choices(labels: dict[str, Promise], counts: dict[str, int], wanted: str) -> tuple[str, list[Choice]]:
    """The filter in force (the first one for an unknown wish) and all filters with their counts."""
    state = wanted if wanted in labels else next(iter(labels))
    return state, [Choice(code, label, counts[code], code == state) for code, label in labels.items()]


def images_state(participant: Participant) -> str:
    """How far the images of an annotated participant are, as a word of the status vocabulary."""
    if participant.has_phases:  # type: ignore[attr-defined] # annotated by studies.pages
        return "phases_complete"
    return "to_confirm" if participant.has_series else "images_missing"  # type: ignore[attr-defined]


def _links(page: Page[Any], state: str, narrowed: str = "") -> dict[str, Any]:
    start = f"?state={state}{narrowed}"
    return {
        "total": page.total,
        "next_url": f"{start}&after={page.after}" if page.after else "",
        "first_url": "" if page.is_first else start,
    }


def _screening_row(line: Screening) -> ScreeningRow:
    participant = getattr(line, "participant", None)
    day, person = wording.days_after_surgery(line), wording.person(line)
    return ScreeningRow(line, participant, day, person, wording.state(line), wording.why(line))


def _participant_row(participant: Participant) -> ParticipantRow:
    day = (participant.study.today() - participant.screening.surgery_date).days
    return ParticipantRow(participant, day, wording.person(participant.screening), images_state(participant))
