"""Forms, progress and download of outlines and their features. They read and hand over; the rules stand in `imaging.regions`."""

import csv
from uuid import UUID

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from accounts import audit
from accounts.models import AccessRecord
from imaging import extraction, regions
from imaging.region_panels import EXPORT, region_view
from imaging.series import series_for
from imaging.views import series_page
from studies.access import require

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


@require_GET
def features_csv(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Every feature of one measurement as a file for R; recorded as an export."""
    kept = get_object_or_404(regions.features_for(request.user), uuid=uuid)
    series = kept.roi.series
    require(request.user, EXPORT, series.center)
    audit.record(kind=AccessRecord.Kind.EXPORT, by=request.user, subject=f"features {kept.uuid}", detail={"rows": len(kept.values)})
    mark = "SYNTHETIC-" if series.participant.study.synthetic else ""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"{mark}{series.participant.study_number}-{series.phase or 'series'}-{kept.sha256[:12]}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response, lineterminator="\n")
    writer.writerow(["feature", "value", "image_sha256", "mask_sha256", "parameters_sha256", "software_sha256"])
    hashes = [kept.image_sha256, kept.mask_sha256, kept.profile_sha256, kept.software_sha256]
    writer.writerows([name, value, *hashes] for name, value in kept.values)
    return response


class _Nothing:
    """The file of a form that was sent without one."""

    size = 0

    def read(self, size: int, /) -> bytes:
        return b""


def _back(series: UUID) -> HttpResponse:
    return redirect(f"{reverse('series', args=[series])}#outline")
