"""Measuring outlines in the worker, once each, however often it is tried. Found due by sweep (RL-01, RL-02, MD-08).

Measuring takes a minute, so it stands in no transaction. The worker that measures holds an advisory lock of its database session: a
killed one lets go of it, and the next sweep sees a row that is "running" and held by nobody. Two measurements run at a time in the
whole installation. What the platform cannot measure in three attempts is said on the page and waits for a person.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.db import Error, OperationalError, connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from accounts.canonical import digest
from accounts.models import User
from accounts.transitions import NotAllowedNow, advance
from imaging import archive, parsing
from imaging.features import INPUTS, PROFILE, features_of, is_complete, profile
from imaging.models import Extraction, FeatureSet, Roi, Series
from imaging.region_checks import FILE, images
from imaging.regions import UPLOAD
from imaging.series import SERIES_PAGE
from imaging.syntaxes import LOSSY
from studies import milestones
from studies.access import require
from studies.models import Participant
from studies.vocabulary import MilestoneKind

__all__ = ["due", "features_of", "measure_again", "measure_once", "sweep"]

log = logging.getLogger(__name__)

ATTEMPTS, PLACES = 3, 2
BARRED = {
    "code": "lossy",
    "message": "The images lost detail when they were compressed; they are not measured. Send the uncompressed series.",
    "params": {},
}
STOPPED = {"code": "stopped", "message": "Measuring broke off %(attempts)d times (%(code)s).", "params": {}}


@dataclass(frozen=True)
class Begun:
    """One attempt at measuring: its row, the outline, and the series as it was when the attempt began."""

    extraction: Extraction
    roi: Roi
    series: Series


def due() -> QuerySet[Roi]:
    """The outlines in force or for comparison on a series whose phase a person confirmed, not measured yet and not given up."""
    this = {"roi": OuterRef("pk"), "profile_sha256": profile().sha256, "revision": OuterRef("series__revision")}
    return Roi.objects.filter(
        ~Exists(FeatureSet.objects.filter(**this)),
        ~Exists(Extraction.objects.filter(**this, state=Extraction.State.FAILED)),
        state__in=[Roi.State.ALIGNED, Roi.State.COMPARED],
        checked_revision=F("series__revision"),
        series__phase__in=INPUTS,
    ).order_by("session", "uploaded_at", "pk")  # those that count come first


def sweep(most: int | None = None) -> int:
    """Measure what is due and nobody measures, one after the other, `most` at most; returns how many measurements were kept."""
    _queue()
    kept = 0
    with _slot() as free:
        for roi_id in list(due().values_list("pk", flat=True)) if free else ():
            kept += _attempt(roi_id)
            if kept == most:
                break
    return kept


@transaction.atomic
def measure_again(*, roi: Roi, by: User) -> None:
    """Have a measurement that was given up tried again. Raises NotAllowedNow when none was."""
    require(by, UPLOAD, roi.series.center)
    failed = roi.extractions.filter(revision=roi.series.revision, state=Extraction.State.FAILED).first()
    if failed is None:
        raise NotAllowedNow(_("No measurement of this outline has failed. Reload the page to see its present state."))
    again = advance(failed, Extraction.State.QUEUED, field="state")
    again.attempts, again.findings, again.ended_at = 0, [], None
    again.save()


def measure_once(*, roi_id: int) -> bool:
    """Measure one outline and keep its features; False when another worker measures it, nothing is due, or it failed."""
    with _alone("imaging.measure", roi_id) as mine:
        begun = _begin(roi_id) if mine else None
        if begun is None:
            return False
        try:
            said = {"findings": [BARRED]} if _is_lossy(begun.series) else _measure(begun)
        except parsing.Unparseable as error:
            _break_off(begun, error.code)
            return False
        if said["findings"]:
            _end(begun.extraction, Extraction.State.FAILED, said["findings"])
            return False
        return _keep(begun, said)


def _attempt(roi_id: int) -> bool:
    try:
        return measure_once(roi_id=roi_id)
    except (OSError, archive.ArchiveFault, parsing.ParserStopped, OperationalError) as fault:
        log.error("outline %s is measured again later: %s", roi_id, fault)
        return False


def _queue() -> None:
    """A row for everything that is due, so that the pages can say that it waits."""
    rows = [Extraction(roi=roi, profile_sha256=profile().sha256, revision=roi.checked_revision) for roi in due()]
    Extraction.objects.bulk_create(rows, ignore_conflicts=True)


@transaction.atomic
def _begin(roi_id: int) -> Begun | None:
    """Note that an attempt begins; None when nothing is due any more. After the last attempt the measurement is given up."""
    roi = due().filter(pk=roi_id).select_for_update(of=("self",), skip_locked=True, no_key=True).first()
    if roi is None:
        return None
    series = Series.objects.select_related("participant__study").get(pk=roi.series_id)
    row, _made = Extraction.objects.get_or_create(roi=roi, profile_sha256=profile().sha256, revision=series.revision)
    running = advance(row, Extraction.State.RUNNING, field="state")
    if running.attempts >= ATTEMPTS:
        running.save(update_fields=["state"])
        _end(running, Extraction.State.FAILED, [_stopped("killed")])
        return None
    running.attempts, running.started_at = running.attempts + 1, timezone.now()
    running.save()
    return Begun(running, roi, series)


def _measure(begun: Begun) -> dict[str, Any]:
    """Ask the limited process for the features. Raises parsing.Unparseable, ParserStopped, archive.ArchiveFault."""
    files = images(begun.series)
    with archive.workplace(f"measure-{begun.roi.pk}") as directory:
        (directory / FILE).write_bytes(archive.read(begun.roi.object.sha256))
        return parsing.measure(directory / FILE, files, PROFILE)


def _is_lossy(series: Series) -> bool:
    packed = series.members.filter(object__transfer_syntax__in=LOSSY)
    return series.facts.get("LossyImageCompression") == "01" or packed.exists()


@transaction.atomic
def _keep(begun: Begun, said: dict[str, Any]) -> bool:
    """Keep the features of the outline and revision that were measured; both phases together are a milestone."""
    _one_at_a_time(begun.series.participant)
    _made, is_new = FeatureSet.objects.get_or_create(
        roi=begun.roi, profile_sha256=said["profile_sha256"], revision=begun.series.revision,
        defaults={
            "profile": PROFILE, "values": said["values"], "image_sha256": said["image_sha256"], "mask_sha256": said["mask_sha256"],
            "software": said["software"], "software_sha256": digest(said["software"]), "warnings": said["warnings"],
            "sha256": said["sha256"],
        },
    )  # fmt: skip
    _end(begun.extraction, Extraction.State.DONE)
    _note_complete(begun.series.participant)
    return is_new


def _note_complete(participant: Participant) -> None:
    known = milestones.in_force().filter(participant=participant, kind=MilestoneKind.FEATURES_READY)
    if known.exists() or not is_complete(participant):
        return
    last = max((one for one in features_of(participant).values() if one), key=lambda one: one.computed_at)
    system = User.objects.system()
    with audit.act(by=system, action="features.ready"):
        milestones.record(
            participant=participant, kind=MilestoneKind.FEATURES_READY, on=participant.study.today(), by=system, ref=last.roi.series.uuid,
            url_name=SERIES_PAGE,
        )  # fmt: skip


def _break_off(begun: Begun, code: str) -> None:
    if begun.extraction.attempts < ATTEMPTS:
        _end(begun.extraction, Extraction.State.QUEUED)
    else:
        _end(begun.extraction, Extraction.State.FAILED, [_stopped(code)])


def _stopped(code: str) -> dict[str, Any]:
    return STOPPED | {"params": {"attempts": ATTEMPTS, "code": code}}


@transaction.atomic
def _end(extraction: Extraction, state: str, findings: list[dict[str, Any]] | None = None) -> None:
    ended = advance(extraction, state, field="state")
    ended.findings = findings or []
    ended.ended_at = timezone.now() if state != Extraction.State.QUEUED else None
    ended.save()


def _one_at_a_time(participant: Participant) -> None:
    """The two phases of a participant are kept one after the other, so that the second sees the first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('imaging.features', %s))", [participant.pk])


@contextmanager
def _slot() -> Iterator[bool]:
    """One of the places in which the installation measures; False when all are taken."""
    with ExitStack() as held:
        yield any(held.enter_context(_alone("imaging.measure.place", place)) for place in range(PLACES))


@contextmanager
def _alone(name: str, number: int) -> Iterator[bool]:
    """Hold an advisory lock of this session; the database lets go of it by itself when the session ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, %s))", [name, number])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with suppress(Error), connection.cursor() as cursor:  # a lost session has lost its lock already
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, %s))", [name, number])
