"""What the worker finds out about a series once its instances are in: geometry, proposed phase, key slices. Found due by sweep.

Work is done per examination under a lock, because the proposal looks at all its series. A series that changed meanwhile is left
for the next sweep: what is written always belongs to the revision it was computed from.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import F

from accounts import audit
from accounts.models import User
from imaging import archive, clock, geometry, parsing, slices
from imaging.geometry import Geometry, Slice
from imaging.models import ImagingStudy, Instance, Series
from imaging.phase import Evidence, propose

log = logging.getLogger(__name__)


def sweep() -> int:
    """Assess every examination that has an unassessed series; returns how many series were assessed."""
    due = Series.objects.exclude(assessed_revision=F("revision")).order_by("imaging_study_id").values_list("imaging_study_id", flat=True)
    return sum(_attempt(study_id) for study_id in due.distinct())


def _attempt(study_id: int) -> int:
    try:
        return assess_once(study_id=study_id)
    except (OSError, parsing.ParserStopped, OperationalError) as fault:
        log.error("examination %s is assessed again later: %s", study_id, fault)
        return 0


@transaction.atomic
def assess_once(*, study_id: int) -> int:
    """Assess the unassessed series of one examination; 0 when another worker has it or nothing is due."""
    if not claimed(study_id):
        return 0
    study = ImagingStudy.objects.get(pk=study_id)
    with audit.act(by=User.objects.system(), action="series.assessed"):
        assessed = sum(_assess(series) for series in study.series.exclude(assessed_revision=F("revision")))
        _propose_all(study)
    return assessed


def claimed(study_id: int) -> bool:
    """Whether this transaction now is the only one to assess or draw the examination (its append-only row cannot be locked itself)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('imaging.assess', %s))", [study_id])
        return bool(cursor.fetchone()[0])


def _assess(series: Series) -> int:
    """Judge, draw and write one series; 0 when it changed while this was done."""
    instances = list(series.members.select_related("object").order_by("pk"))
    judged = judge(instances)
    unreadable = ""
    try:
        slices.draw(series, judged, instances)
    except parsing.Unparseable as error:
        unreadable = error.code
    except archive.ArchiveFault as fault:
        log.error("series %s: %s", series.uuid, fault)
        unreadable = "damaged"
    return Series.objects.filter(pk=series.pk, revision=series.revision).update(
        assessed_revision=series.revision, unreadable=unreadable, **_columns(judged, instances)
    )


def judge(instances: Sequence[Instance]) -> Geometry:
    """The geometry of a series' instances; its order names slices by `slices.key`."""
    return geometry.assess([_slice(slices.key(one, i), frame) for one in instances for i, frame in enumerate(one.frames)])


def _slice(key: str, frame: dict[str, Any]) -> Slice:
    return Slice(key=key, **{name: tuple(value) if isinstance(value, list) else value for name, value in frame.items()})


def _columns(judged: Geometry, instances: Sequence[Instance]) -> dict[str, Any]:
    numbers = [one.instance_number for one in instances if one.instance_number is not None]
    return {
        "verdict": judged.verdict,
        "slice_count": judged.count,
        "spacing_mm": judged.spacing,
        "extent_mm": judged.extent,
        "thickness_mm": judged.thickness,
        "findings": {
            "tilt": judged.tilt,
            "gaps": [asdict(gap) for gap in judged.gaps],
            "duplicates": judged.duplicates,
            "conflicting": judged.conflicting,
            "off": judged.off,
            "groups": list(judged.groups),
            "parts": [asdict(part) for part in judged.parts],
            "first_number": min(numbers, default=None),
            "last_number": max(numbers, default=None),
        },
    }


def _propose_all(study: ImagingStudy) -> None:
    """Propose again for every series of the examination that nobody has confirmed: a new sister can change the evidence."""
    members = list(study.series.all())
    for series in members:
        proposal = propose(_evidence(series, members))
        reasons = [reason.value for reason in proposal.reasons]
        if not series.phase and (series.phase_proposed, series.phase_reasons) != (proposal.phase, reasons):
            Series.objects.filter(pk=series.pk, phase="").update(phase_proposed=proposal.phase, phase_reasons=reasons)


def _evidence(series: Series, members: Sequence[Series]) -> Evidence:
    facts = series.facts
    others = [clock.seconds(one.facts.get("AcquisitionTime", "")) for one in members if one.pk != series.pk and _has_agent(one)]
    return Evidence(
        modality=series.modality,
        words=f"{facts.get('SeriesDescription', '')} {facts.get('ProtocolName', '')}",
        contrast_agent=_has_agent(series),
        contrast_start=clock.seconds(facts.get("ContrastBolusStartTime", "")),
        acquired=clock.seconds(facts.get("AcquisitionTime", "")),
        other_contrast=tuple(time for time in others if time is not None),
    )


def _has_agent(series: Series) -> bool:
    return series.facts.get("ContrastBolusAgent", "") not in ("", "oral")
