"""What must I do today: one row per patient and duty, grouped by duty, nearest to the end of the window first.

Rooms above this one bring duties of their own as a Source; the page is composed of all sources by `prime_platform.worklist`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q, Value
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.models import User
from accounts.once import once
from studies import pages, progress, wording
from studies.access import Permission, studies_of
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


LAST_CALL = 75
"""From this day after surgery on, who still waits for the pathology report stands out."""

DUTIES = (
    Duty(
        "unknown",
        gettext_lazy("Eligibility unknown"),
        gettext_lazy("Answer what is unknown"),
        gettext_lazy("Answer"),
        "eligibility_unknown",
    ),
    Duty(
        "pathology_pending",
        gettext_lazy("Consented, pathology pending"),
        gettext_lazy("Enter the pathology report before day 90"),
        gettext_lazy("Answer"),
        "pathology_pending",
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
    """Everybody whose day 0 to 90 is running, and who waits for the pathology report, nearest to surgery first."""
    days = {study.pk: study.today() for study in studies_of(user, Permission.PARTICIPANT_VIEW)}
    running = reduce(or_, (Q(study=study, surgery_date__range=(day - timedelta(LANDMARK), day)) for study, day in days.items()), Q(pk=None))
    rows = progress.of(user).filter(running, progress.PEOPLE["running"] | progress.LINES["pathology_pending"])
    return [
        _standing(row, (days[row.study] - row.surgery_date).days)
        for row in rows.order_by("-surgery_date", "participant").values_list(*_CLOCK, named=True)
    ]


def _standing(row: Any, day: int) -> Standing:
    if row.participant is None:
        short = f"S{row.screening__number:04d}"
        return Standing(short, f"{row.center__code}-{short}", day, "due", _page_of("screening", row.screening__uuid))
    look = "seal" if row.has_seal else "done" if row.has_phases else "wait"
    url = _page_of("participant", row.participant__uuid)
    return Standing(f"{row.participant__sequence:04d}", row.participant__study_number, day, look, url)


def _page_of(name: str, uuid: UUID) -> str:
    """As `reverse`, which is slow for everybody within ninety days."""
    return _pattern(name).replace(str(_NOBODY), str(uuid))


@cache
def _pattern(name: str) -> str:
    return reverse(name, args=[_NOBODY])


_NOBODY = UUID(int=0)
_CLOCK = (
    "study", "center__code", "surgery_date", "screening__number", "screening__uuid", "has_seal", "has_phases",
    "participant", "participant__sequence", "participant__study_number", "participant__uuid",
)  # fmt: skip


def _counts(user: User) -> dict[str, int]:
    counts = pages.screening_counts(user) | pages.participant_counts(user)
    return {duty.code: counts[duty.code] for duty in DUTIES}


def _rows(user: User, code: str, limit: int) -> list[Row]:
    duty = next(duty for duty in DUTIES if duty.code == code)
    return [_row(duty, item) for item in _first(user, limit)[code]]


@once
def _first(user: User, limit: int) -> dict[str, list[Screening | Participant]]:
    """Whom each duty of this room concerns, who waits longest first, up to a limit: three queries for all of them."""
    lines = {duty.code: progress.LINES.get(duty.code, Q()) for duty in DUTIES if duty.code in pages.SCREENING_STATES}
    people = {duty.code: progress.PEOPLE[duty.code] for duty in DUTIES if duty.code not in lines}
    of_lines, of_people = progress.of(user, Permission.SCREENING_VIEW), progress.of(user)
    parts = [of_lines.filter(condition).annotate(duty=Value(code)) for code, condition in lines.items()]
    parts += [of_people.filter(condition).annotate(duty=Value(code)) for code, condition in people.items()]
    first, *others = [part.order_by("surgery_date", "screening").values_list("duty", "screening")[:limit] for part in parts]
    keys = list(first.union(*others, all=True))
    known: dict[tuple[bool, int], Screening | Participant] = {}
    wanted = [key for code, key in keys if code in lines]
    known |= {(True, line.pk): line for line in pages.screenings(user).filter(pk__in=wanted).select_related("consent")}
    wanted = [key for code, key in keys if code in people]
    known |= {(False, person.screening_id): person for person in pages.participants(user).filter(screening__in=wanted)}
    found: dict[str, list[Screening | Participant]] = {duty.code: [] for duty in DUTIES}
    for code, key in keys:
        found[code].append(known[code in lines, key])
    return {code: sorted(rows, key=_by_surgery) for code, rows in found.items()}


def _by_surgery(item: Screening | Participant) -> tuple[date, int]:
    line = item if isinstance(item, Screening) else item.screening
    return line.surgery_date, line.pk


def _row(duty: Duty, item: Screening | Participant) -> Row:
    if isinstance(item, Screening):
        line, study, number, detail = item, item.center.study, str(item), wording.why(item)
        url = reverse("screening", args=[item.uuid])
    else:
        line, study, number, detail = item.screening, item.study, item.study_number, _scan(item.screening)
        url = reverse("participant", args=[item.uuid])
    day = (study.today() - line.surgery_date).days
    late = duty.code == "pathology_pending" and day > LAST_CALL
    return Row(number, url, line.surgery_date, day, duty.task, detail, duty.badge, duty.link, late)


def _scan(line: Screening) -> str:
    attested = line.answers.get("imaging_date", "unknown")
    return "" if attested == "unknown" else _("scan of %(day)s, as attested") % {"day": attested}


OWN = Source({duty.code: duty.label for duty in DUTIES}, _counts, _rows)
"""The duties of this room."""
