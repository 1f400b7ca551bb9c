"""What the worker finds out about an outline: does it lie on its series, and where is it to be seen. Found due by sweep.

An outline is checked when it has come, and again when its series has changed. Work is done under the lock of its row; a killed worker
lets go of it and the next sweep begins again. The uploaded file leaves the inbox after the commit.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.db import OperationalError, transaction
from django.db.models import F, Q

from accounts import audit
from accounts.models import User
from accounts.transitions import advance
from imaging import archive, assessment, inbox, parsing, regions, slices
from imaging.models import ArchivedObject, Draft, Instance, Roi, RoiOutline, Series

log = logging.getLogger(__name__)

FILE, DICOM = "mask.nii.gz", "outline.dcm"
AS_NIFTI = {"media_type": ArchivedObject.MediaType.NIFTI}
AS_DICOM = {
    "media_type": ArchivedObject.MediaType.DICOM, "sop_class": "1.2.840.10008.5.1.4.1.1.66.4", "transfer_syntax": "1.2.840.10008.1.2.1"
}  # fmt: skip
"""What an outline is in the archive: the mask, and the same as a DICOM segmentation in explicit little endian."""
ABANDONED = 3600  # seconds after which a file without a row is removed
LOST = {"code": "lost", "message": "The uploaded file is not there any more. Upload it again.", "params": {}}
ELSEWHERE = {
    "code": "elsewhere",
    "message": "The file says that it was drawn on another series. Upload it on the page of that series.",
    "params": {},
}
UNREADABLE = {"code": "unreadable", "message": "The file or the series cannot be read (%(code)s).", "params": {}}


def sweep() -> int:
    """Check every outline that is due; returns how many were answered."""
    due = Roi.objects.filter(_DUE).order_by("uploaded_at", "pk").values_list("pk", flat=True)
    answered = sum(_attempt(roi_id) for roi_id in list(due))
    _tidy()
    return answered


_DUE = Q(series__assessed_revision=F("series__revision")) & (
    Q(state=Roi.State.RECEIVED) | (Q(state__in=[Roi.State.ALIGNED, Roi.State.COMPARED]) & ~Q(checked_revision=F("series__revision")))
)


def _attempt(roi_id: int) -> bool:
    try:
        return check_once(roi_id=roi_id)
    except (OSError, archive.ArchiveFault, parsing.ParserStopped, OperationalError) as fault:
        log.error("outline %s is checked again later: %s", roi_id, fault)
        return False


def check_once(*, roi_id: int) -> bool:
    """Check one outline; False when another worker has it, its series is changing, or nothing is due."""
    with transaction.atomic():
        roi = Roi.objects.filter(_DUE, pk=roi_id).select_for_update(of=("self",), skip_locked=True).first()
        if roi is None or not assessment.claimed(roi.series.imaging_study_id):
            return False
        series = Series.objects.select_related("participant__study").get(pk=roi.series_id)
        with archive.workplace(f"roi-{roi.pk}") as directory:  # the row's lock is ours
            said = _ask(roi, series, directory)
            if not _unchanged(series):
                return False
            _write(roi, series, said, directory / FILE)
    inbox.locate_mask(roi.uuid).unlink(missing_ok=True)
    return True


def _ask(roi: Roi, series: Series, directory: Path) -> dict[str, Any]:
    """What the limited process says of the mask, and the pictures that show it drawn."""
    kept = roi.object is not None
    mask = _kept(roi.object.sha256) if kept else inbox.locate_mask(roi.uuid)
    said = {"kept": False, "kind": "", "findings": [], "apart_mm": None, "voxels": None, "sources": [], "outlines": []}
    if not mask.exists():
        return {**said, "findings": [LOST]}
    try:
        answer = parsing.check_mask(
            mask, images(series), directory / FILE, segment=None if kept else roi.segment, said=_said_of(roi), dicom=DICOM
        )
    except parsing.Unparseable as error:
        return {**said, "findings": [UNREADABLE | {"params": {"code": error.code}}]}
    if not answer["findings"] and _drawn_elsewhere(series, answer["sources"]):
        answer["findings"] = [ELSEWHERE]
    return answer


def _said_of(roi: Roi) -> dict[str, str]:
    """What the DICOM file says of an outline: its reader, and the program that drafted it where one did."""
    draft = Draft.objects.filter(roi=roi).first() if roi.origin != Roi.Origin.HAND else None
    return {"reader": roi.reader, "algorithm": draft.segmenter if draft else ""}


def _drawn_elsewhere(series: Series, sources: Sequence[str]) -> bool:
    """Whether the file names images of another series of this center; UIDs from before the edge are known to nobody here."""
    known = Instance.objects.filter(center_id=series.center_id, sop_instance_uid__in=sources)
    return known.exclude(pk__in=series.members.values("pk")).exists()


def images(series: Series) -> list[Path]:
    """The files of a series' objects, their bytes verified. Raises archive.ArchiveFault."""
    hashes = list(series.members.order_by("pk").values_list("object__sha256", flat=True))
    for sha256 in hashes:
        archive.read(sha256)
    return [archive.locate(sha256) for sha256 in hashes]


def _kept(sha256: str) -> Path:
    archive.read(sha256)
    return archive.locate(sha256)


def _unchanged(series: Series) -> bool:
    """Whether the series is, under lock, still what was looked at."""
    now = Series.objects.select_for_update(of=("self",), no_key=True).get(pk=series.pk)
    return now.revision == series.revision


def _write(roi: Roi, series: Series, said: dict[str, Any], file: Path) -> None:
    system = User.objects.system()
    with audit.act(by=system, action="roi.checked"):
        roi.object = roi.object or (archived(file, AS_NIFTI) if said["kept"] else None)
        roi.checked_revision, roi.findings = series.revision, said["findings"]
        roi.file_format = roi.file_format or said["kind"]
        roi.apart_mm, roi.voxels = said["apart_mm"], said["voxels"] or roi.voxels
        if said["findings"]:
            _refuse(roi, series, system)
        else:
            roi.dicom = archived(file.with_name(DICOM), AS_DICOM)
            _accept(roi, series, said["outlines"], system)


def _refuse(roi: Roi, series: Series, by: User) -> None:
    was_in_force = roi.state == Roi.State.ALIGNED
    roi.state = advance(roi, Roi.State.REFUSED, field="state").state
    roi.save()
    if was_in_force:
        regions.retract_milestones(series, by)


def _accept(roi: Roi, series: Series, outlines: list[dict[str, Any]], by: User) -> None:
    kept_as = Roi.State.ALIGNED if roi.session == Roi.Session.COUNTS else Roi.State.COMPARED
    for other in series.rois.filter(state=kept_as, session=roi.session).exclude(pk=roi.pk):
        replaced = advance(other, Roi.State.REPLACED, field="state")
        replaced.replaced_by = roi
        replaced.save(update_fields=["state", "replaced_by"])
    if roi.state == Roi.State.RECEIVED:
        roi.state = advance(roi, kept_as, field="state").state
    roi.save()
    _show(roi, series, outlines)
    if kept_as == Roi.State.ALIGNED:
        regions.note_ready(series, by)


def _show(roi: Roi, series: Series, outlines: list[dict[str, Any]]) -> None:
    """Draw the slices through the region and keep its outline on every slice that it marks."""
    instances = list(series.members.select_related("object").order_by("pk"))
    try:
        slices.draw_places(series, assessment.judge(instances), instances, {one["place"] for one in outlines if one["shown"]})
    except parsing.Unparseable as error:
        log.warning("outline %s: its slices could not be drawn (%s)", roi.uuid, error.code)
    RoiOutline.objects.bulk_create(
        RoiOutline(
            roi=roi, revision=series.revision, place=one["place"], width=one["width"], height=one["height"], polygons=one["polygons"],
            pixels=one["pixels"],
        )
        for one in outlines
    )  # fmt: skip


def archived(file: Path, what: dict[str, str]) -> ArchivedObject:
    """File a mask, or the same as DICOM, under its hash."""
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    archive.put(file, sha256)
    defaults = {"size": file.stat().st_size, **what}
    return ArchivedObject.objects.get_or_create(sha256=sha256, defaults=defaults)[0]


def _tidy() -> None:
    """Remove files that a killed web process left without a row, or a killed worker after its commit."""
    left = dict(inbox.masks_older_than(ABANDONED, time.time()))
    waiting = Roi.objects.filter(uuid__in=left, state=Roi.State.RECEIVED)
    for identity in set(left) - set(waiting.values_list("uuid", flat=True)):
        left[identity].unlink(missing_ok=True)
