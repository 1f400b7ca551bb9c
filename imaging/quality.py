"""What this room tells to edit checks: the days and the slices of the series whose phases were confirmed (EL-04)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from imaging.models import Series
from studies.models import Participant, Study
from studies.quality.expression import Day
from studies.quality.pointer import Pointer
from studies.quality.sources import Fact, Facts, Held, Source, Wanted

KINDS = {
    "scan_first_on": "date",
    "scan_last_on": "date",
    "scan_slice_mm": "number",
    "scan_days_most": "number",
    "scan_slice_mm_most": "number",
}


def _chosen(participants: Sequence[Participant]) -> dict[int, list[Series]]:
    """The series that a person said to be one of the protocol's phases, by participant."""
    found: dict[int, list[Series]] = defaultdict(list)
    asked = {each.pk: each.study.protocol.imaging.phases for each in participants}
    for row in Series.objects.filter(participant__in=participants).exclude(phase="").select_related("imaging_study").order_by("pk"):
        if row.phase in asked[row.participant_id]:
            found[row.participant_id].append(row)
    return found


def _pointer(row: Series, field: str) -> Pointer:
    return Pointer("imaging.Series", row.uuid, field)


def _held(participants: Sequence[Participant], wanted: Wanted) -> Iterable[Held]:
    if not wanted("imaging.Series"):
        return []
    return [each for key, rows in _chosen(participants).items() for row in rows for each in _fields(key, row)]


def _fields(key: int, row: Series) -> Iterable[Held]:
    form, url, phase = _("Images"), reverse("series", args=[row.uuid]), str(row.get_phase_display())
    yield Held(key, _pointer(row, "phase"), "images", form, _("Phase"), row.phase, phase, url)
    if row.imaging_study.study_date:
        day = row.imaging_study.study_date.isoformat()
        yield Held(key, _pointer(row, "study_date"), "images", form, _("Scan of the %(phase)s") % {"phase": phase}, day, day, url)
    if row.thickness_mm is not None:
        thick, label = f"{row.thickness_mm:g}", _("Slice thickness of the %(phase)s") % {"phase": phase}
        yield Held(key, _pointer(row, "thickness_mm"), "images", form, label, thick, f"{thick} mm", url)


def _facts(participants: Sequence[Participant]) -> Mapping[int, Facts]:
    found, chosen = {}, _chosen(participants)
    for each in participants:
        rule = each.study.protocol.imaging
        found[each.pk] = {
            "scan_days_most": Fact(Decimal(rule.interval_days_max), None, str(rule.interval_days_max)),
            "scan_slice_mm_most": Fact(rule.slice_mm_max, None, str(rule.slice_mm_max)),
            **_of_series(chosen.get(each.pk, [])),
        }
    return found


def _of_series(rows: list[Series]) -> Facts:
    facts: Facts = {}
    if dated := sorted((row.imaging_study.study_date, row.pk, row) for row in rows if row.imaging_study.study_date):
        for code, (day, _pk, row) in (("scan_first_on", dated[0]), ("scan_last_on", dated[-1])):
            facts[code] = Fact(Day.on(day), _pointer(row, "study_date"), day.isoformat())
    if thick := sorted((row.thickness_mm, row.pk, row) for row in rows if row.thickness_mm is not None):
        most, _pk, row = thick[-1]
        facts["scan_slice_mm"] = Fact(Decimal(f"{most:g}"), _pointer(row, "thickness_mm"), f"{most:g}")
    return facts


def _kinds(study: Study) -> Mapping[str, str]:
    return KINDS


SOURCE = Source("imaging", _held, _facts, _kinds)
