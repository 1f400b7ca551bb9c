"""Forms, progress and download of outlines and their features. They read and hand over; the rules stand in `imaging.regions`."""

import csv
import re
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts import audit, step_up
from accounts.models import AccessRecord
from imaging import archive, extraction, outline_export, regions
from imaging.models import Roi
from imaging.region_panels import EXPORT, region_view
from imaging.series import series_for
from imaging.views import series_page
from studies.access import require
from studies.exchange import date_shift, row_tokens

ANSWERS = {"yes": True, "no": False}


@require_POST
def upload(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Hand in an outline; what can be mended is said above the form."""
    shown = get_object_or_404(series_for(request.user), uuid=uuid)
    try:
        regions.upload(
            series=shown,
            file=request.FILES.get("mask") or _Nothing(),
            treatment_known=ANSWERS.get(request.POST.get("treatment_known", "")),
            reader=request.POST.get("reader", ""),
            reason=request.POST.get("reason", ""),
            segment=number(request.POST.get("segment", "")),
            session=request.POST.get("session", Roi.Session.COUNTS),
            by=request.user,
        )
    except ValidationError as error:
        return series_page(request, shown, errors=error.messages, status=400)
    return _back(shown.uuid)


@require_GET
def state(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The part of the series page that changes while the worker checks and measures."""
    shown = get_object_or_404(series_for(request.user), uuid=uuid)
    return render(request, "imaging/_region_state.html", {"region": region_view(shown, request.user)})


@require_POST
def void(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take an outline back, with a reason."""
    roi = get_object_or_404(regions.rois_for(request.user), uuid=uuid)
    regions.void(roi=roi, reason=request.POST.get("reason", ""), by=request.user)
    return _back(roi.series.uuid)


@require_POST
def measure(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Have a measurement that was given up tried again."""
    roi = get_object_or_404(regions.rois_for(request.user), uuid=uuid)
    extraction.measure_again(roi=roi, by=request.user)
    return _back(roi.series.uuid)


@step_up.asked("GET")
@require_GET
def features_csv(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Every feature of one measurement as a file for R; recorded as an export."""
    kept = get_object_or_404(regions.features_for(request.user), uuid=uuid)
    series = kept.roi.series
    require(request.user, EXPORT, series.center)
    person = series.participant
    detail = {"study": person.study.code, "participant": str(person.uuid), "rows": len(kept.values)}
    audit.record(kind=AccessRecord.Kind.EXPORT, by=request.user, subject=f"features {kept.uuid}", detail=detail)
    mark = "SYNTHETIC-" if person.study.synthetic else ""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"{mark}{person.study_number}-{series.phase or 'series'}-{kept.sha256[:12]}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response, lineterminator="\n")
    writer.writerow(["feature", "value", "image_sha256", "mask_sha256", "parameters_sha256", "software_sha256"])
    hashes = [kept.image_sha256, kept.mask_sha256, kept.profile_sha256, kept.software_sha256]
    writer.writerows([name, value, *hashes] for name, value in kept.values)
    return response


def number(text: str) -> int | None:
    """A region's number as it was typed; None where the field was left empty. Raises ValidationError."""
    if not text.strip():
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text.strip()):
        raise ValidationError(_("The number of the region is a whole number, as the file's program shows it."))
    return int(text)


@step_up.asked("GET")
@require_GET
def outline_dicom(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """An outline as a DICOM segmentation for a viewer, its days shifted; recorded as an export."""
    roi = get_object_or_404(regions.rois_for(request.user).select_related("dicom", "series__imaging_study"), uuid=uuid)
    series = roi.series
    require(request.user, EXPORT, series.center)
    if roi.dicom is None:
        raise Http404
    person = series.participant
    days, scanned = row_tokens.offset(person.study_number), series.imaging_study.study_date
    data = outline_export.dated(
        archive.read(roi.dicom.sha256),
        study_day=scanned and date_shift.move(scanned, days),
        content_day=date_shift.move(timezone.localdate(roi.uploaded_at), days),
    )
    detail = {"study": person.study.code, "participant": str(person.uuid), "rows": 1}
    audit.record(kind=AccessRecord.Kind.EXPORT, by=request.user, subject=f"outline {roi.uuid}", detail=detail)
    mark = "SYNTHETIC-" if person.study.synthetic else ""
    response = HttpResponse(data, content_type="application/dicom")
    response["Content-Disposition"] = f'attachment; filename="{mark}{person.study_number}-{series.phase or "series"}-{roi.reader}.dcm"'
    return response


class _Nothing:
    """The file of a form that was sent without one."""

    size = 0

    def read(self, size: int, /) -> bytes:
        return b""


def _back(series: UUID) -> HttpResponse:
    return redirect(f"{reverse('series', args=[series])}#outline")
