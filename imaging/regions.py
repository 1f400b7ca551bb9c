"""Readers' outlines of the tumour: who may hand one in for which series, and how one is taken back. What it shows the worker finds out.

The web puts the file into the inbox and a row beside it; `imaging.region_checks` holds the mask against the series.
"""

import io
from typing import Protocol
from uuid import uuid4

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from accounts import audit
from accounts.models import User
from accounts.transitions import NotAllowedNow, advance
from imaging import features, inbox, region_files
from imaging.models import FeatureSet, Roi, Series
from imaging.series import SERIES_PAGE, series_for
from studies import milestones
from studies.access import require
from studies.models import Participant
from studies.vocabulary import MilestoneKind

UPLOAD = "roi.upload"
LARGEST = 256 * 2**20  # bytes of an uploaded file


class Upload(Protocol):
    """A file as it comes from a form or a program: its bytes and how many there are."""

    @property
    def size(self) -> int | None: ...
    def read(self, size: int, /) -> bytes: ...


def rois_for(user: User) -> QuerySet[Roi]:
    """The outlines on the series that a person may see."""
    return Roi.objects.filter(series__in=series_for(user)).select_related("series__participant__study", "series__center", "uploaded_by")


def features_for(user: User) -> QuerySet[FeatureSet]:
    """The measurements on the series that a person may see."""
    return FeatureSet.objects.filter(roi__in=rois_for(user)).select_related("roi__series__participant", "roi__series__center")


@transaction.atomic
def upload(
    *,
    series: Series,
    file: Upload,
    treatment_known: bool | None,
    by: User,
    reader: str = "",
    reason: str = "",
    segment: int | None = None,
    session: str = Roi.Session.COUNTS,
    origin: str = Roi.Origin.HAND,
) -> Roi:
    """Hand in an outline (NIfTI, NRRD, DICOM SEG or RTSTRUCT) drawn on a series by `reader` (the uploader unless named).

    `segment` names the tumour's region in a file that holds several; label 1 of a NIfTI or NRRD mask is taken otherwise.
    `treatment_known` says whether the reader knew the adjuvant treatment; it must be answered. Where an outline is in force, `reason`
    says why another takes its place. One of another `session` is drawn for comparison with the one in force and never counts: by somebody
    else ("second"), or by the same reader again ("repeat"). Raises ValidationError for what can be mended, NotAllowedNow while a check is
    going on. `origin` says whether a machine drafted it (`imaging.drafts` alone says so).
    """
    require(by, UPLOAD, series.center)
    series = Series.objects.select_for_update(of=("self",)).select_related("participant").get(pk=series.pk)
    reader = reader.strip() or by.username
    _may_come(series, reason, session)
    if session != Roi.Session.COUNTS:
        _may_be_compared(series, reader, session)
    if treatment_known is None:
        raise ValidationError(_("Say whether the reader knew the treatment."))
    body = _known(file)
    roi = Roi(
        uuid=uuid4(), series=series, reader=reader, treatment_known=treatment_known, reason=reason.strip(), uploaded_by=by,
        segment=segment, session=session, origin=origin,
    )  # fmt: skip
    roi.full_clean()
    _keep(roi, body, file.size or 0)
    with audit.act(by=by, action="roi.uploaded", reason=roi.reason):
        roi.save()
    return roi


@transaction.atomic
def void(*, roi: Roi, reason: str, by: User) -> Roi:
    """Take an outline back; its features count no more. Raises ValidationError without a reason, NotAllowedNow otherwise."""
    require(by, UPLOAD, roi.series.center)
    if not reason.strip():
        raise ValidationError(_("Say why the outline is taken back."))
    counted = roi.session == Roi.Session.COUNTS
    taken = advance(roi, Roi.State.VOIDED, field="state")
    taken.void_reason = reason.strip()
    with audit.act(by=by, action="roi.voided", reason=taken.void_reason):
        taken.full_clean()
        taken.save(update_fields=["state", "void_reason"])
        if counted:
            retract_milestones(taken.series, by)
    return taken


def retract_milestones(series: Series, by: User) -> None:
    """Say on the timeline that a series has no outline in force any more; a step of a larger write within `audit.act`."""
    said = milestones.in_force().filter(participant=series.participant)
    untrue = Q(kind=MilestoneKind.ROI_READY, ref_uuid=series.uuid)
    if not features.is_complete(series.participant):
        untrue |= Q(kind=MilestoneKind.FEATURES_READY)
    for milestone in said.filter(untrue):
        milestones.retract(milestone=milestone, by=by)


def note_ready(series: Series, by: User) -> None:
    """Say on the timeline that a series has an outline in force; a step of a larger write within `audit.act`."""
    milestones.record(
        participant=series.participant, kind=MilestoneKind.ROI_READY, on=series.participant.study.today(), by=by, ref=series.uuid,
        url_name=SERIES_PAGE,
    )  # fmt: skip


def may_take(series: Series) -> None:
    """Raise NotAllowedNow where no outline may be drawn on a series now."""
    participant: Participant = series.participant
    if participant.data_until is not None:
        raise NotAllowedNow(_("The participant has withdrawn and gives no new data."))
    if not series.verdict:
        raise NotAllowedNow(_("This series is still being received. Wait until its slices are shown, then upload the outline."))


def _may_come(series: Series, reason: str, session: str) -> None:
    may_take(series)
    if series.rois.filter(state=Roi.State.RECEIVED).exists():
        raise NotAllowedNow(_("Another outline of this series is being checked. Reload the page in a few seconds."))
    same = series.rois.filter(state__in=[Roi.State.ALIGNED, Roi.State.COMPARED], session=session)
    if same.exists() and not reason.strip():
        raise ValidationError(_("Say why another outline takes the place of the present one: both stay in the history."))


def _may_be_compared(series: Series, reader: str, session: str) -> None:
    """Agreement between readers needs two of them, agreement of a reader with himself one."""
    counts = series.rois.filter(state=Roi.State.ALIGNED).first()
    if counts is None:
        raise NotAllowedNow(_("There is no outline in force to compare with. Upload the outline that counts first."))
    if session == Roi.Session.SECOND and reader == counts.reader:
        raise ValidationError(_("The outline in force is by the same reader: upload this one as drawn again."))
    if session == Roi.Session.REPEAT and reader != counts.reader:
        raise ValidationError(_("The outline in force is by another reader: upload this one as a second reader's."))


def _known(file: Upload) -> inbox.Readable:
    """The file from its first byte, once its size and its first bytes are those of an outline."""
    if not file.size:
        raise ValidationError(_("Choose a file with the outline: NIfTI (.nii, .nii.gz), NRRD, DICOM SEG or RTSTRUCT."))
    if file.size > LARGEST:
        raise ValidationError(_("The file is larger than %(most)d MiB. Save the mask packed (.nii.gz).") % {"most": LARGEST // 2**20})
    start = file.read(region_files.HEAD)
    if region_files.kind_of(start) is None:
        raise ValidationError(_("This is no outline. Save it as NIfTI (.nii, .nii.gz), NRRD, DICOM SEG or RTSTRUCT and upload that."))
    return _Joined(io.BytesIO(start), file)


class _Joined:
    """Two readers one after the other."""

    def __init__(self, first: inbox.Readable, then: inbox.Readable) -> None:
        self.first, self.then = first, then

    def read(self, size: int) -> bytes:
        return self.first.read(size) or self.then.read(size)


def _keep(roi: Roi, body: inbox.Readable, length: int) -> None:
    """Put the file where the worker finds it, durable before its row is committed."""
    try:
        part, _digest = inbox.receive(body, length)
    except inbox.NoRoom:
        raise NotAllowedNow(_("The platform's disk is full. Nothing was stored; tell the operator.")) from None
    except inbox.CutShort:
        raise ValidationError(_("The file ended early. Upload it again.")) from None
    inbox.keep_mask(part, roi.uuid)
