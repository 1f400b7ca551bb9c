"""What must I do today: one row per patient and duty, grouped by duty, nearest to the end of the window first.

Rooms above this one bring duties of their own as a Source; the page is composed of all sources by `prime_platform.worklist`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from studies import pages, wording
from studies.clock import LANDMARK, Standing
from studies.lists import choices
from studies.models import Participant, Screening
from studies.paging import ROWS


@dataclass(frozen=True)
class Duty:
    """One kind of work: what its rows ask, and the badge they carry. `code` is a state of `studies.pages`."""

    code: str
    label: Promise
    task: Promise
    link: Promise
    badge: str

    def rows(self, user: User) -> QuerySet[Any]:
        """Whom it concerns, who waits longest first."""
        if self.code in pages.SCREENING_STATES:
            return pages.screenings(user, self.code).select_related("consent").order_by("surgery_date", "pk")
        return pages.participants(user, self.code).order_by("screening__surgery_date", "pk")


@dataclass(frozen=True)
class Row:
    """One thing to do for one patient."""

    number: str
    url: str
    surgery_date: date
    day: int
    task: Promise
    detail: str
    state: str
    link: Promise
    late: bool = False


@dataclass(frozen=True)
class Source:
    """The duties of one room: their words by code, how many rows each has, and its first rows up to a limit."""

    labels: dict[str, Promise]
    counts: Callable[[User], dict[str, int]]
    rows: Callable[[User, str, int], list[Row]]


DUTIES = (
    Duty(
        "unknown",
        gettext_lazy("Eligibility unknown"),
        gettext_lazy("Answer what is unknown"),
        gettext_lazy("Answer"),
        "eligibility_unknown",
    ),
    Duty("eligible", gettext_lazy("Eligible, not enrolled"), gettext_lazy("Enrol, or say why not"), gettext_lazy("Decide"), "eligible"),
    Duty(
        "fails",
        gettext_lazy("A criterion fails, to be closed"),
        gettext_lazy("Close the line with its reason"),
        gettext_lazy("Close"),
        "ineligible",
    ),
    Duty(
        "images_missing",
        gettext_lazy("Images missing"),
        gettext_lazy("Have the scan before surgery sent from the PACS"),
        gettext_lazy("Open"),
        "images_missing",
    ),
    Duty(
        "phases_to_confirm",
        gettext_lazy("Phases to confirm"),
        gettext_lazy("Confirm which series is which phase"),
        gettext_lazy("Confirm"),
        "to_confirm",
    ),
)


def count(user: User, sources: Sequence[Source]) -> int:
    """How many rows the worklist of a person has."""
    return sum(sum(source.counts(user).values()) for source in sources)


def page(user: User, wanted: str, sources: Sequence[Source]) -> dict[str, Any]:
    """What the worklist shows: groups of rows (the first fifty of each duty) and the filters with their counts."""
    duties = {code: source for source in sources for code in source.labels}
    counts = {code: found for source in sources for code, found in source.counts(user).items()}
    labels = {"all": gettext_lazy("All"), **{code: source.labels[code] for code, source in duties.items()}}
    state, filters = choices(labels, {"all": sum(counts.values()), **counts}, wanted)
    shown = [code for code in duties if counts[code] and state in ("all", code)]
    groups = [{"label": labels[code], "count": counts[code], "rows": duties[code].rows(user, code, ROWS)} for code in shown]
    rows = [row for group in groups for row in group["rows"]]
    return {"groups": groups, "filters": filters, "rows": rows, "total": sum(group["count"] for group in groups)}


def on_the_clock(user: User) -> list[Standing]:
    """Everybody whose day 0 to 90 is running, nearest to surgery first."""
    standing = []
    for person in pages.participants(user, "running").order_by("-screening__surgery_date", "pk"):
        day = (person.study.today() - person.screening.surgery_date).days
        if 0 <= day <= LANDMARK:
            look = "seal" if person.has_seal else "done" if person.has_phases else "wait"
            standing.append(Standing(f"{person.sequence:04d}", person.study_number, day, look, reverse("participant", args=[person.uuid])))
    return standing


def _counts(user: User) -> dict[str, int]:
    counts = pages.screening_counts(user) | pages.participant_counts(user)
    return {duty.code: counts[duty.code] for duty in DUTIES}


def _rows(user: User, code: str, limit: int) -> list[Row]:
    duty = next(duty for duty in DUTIES if duty.code == code)
    return [_row(duty, item) for item in duty.rows(user)[:limit]]


def _row(duty: Duty, item: Screening | Participant) -> Row:
    if isinstance(item, Screening):
        line, study, number, detail = item, item.center.study, str(item), wording.why(item)
        url = reverse("screening", args=[item.uuid])
    else:
        line, study, number, detail = item.screening, item.study, item.study_number, _scan(item.screening)
        url = reverse("participant", args=[item.uuid])
    day = (study.today() - line.surgery_date).days
    return Row(number, url, line.surgery_date, day, duty.task, detail, duty.badge, duty.link)


def _scan(line: Screening) -> str:
    attested = line.answers.get("imaging_date", "unknown")
    return "" if attested == "unknown" else _("scan of %(day)s, as attested") % {"day": attested}


OWN = Source({duty.code: duty.label for duty in DUTIES}, _counts, _rows)
"""The duties of this room."""
