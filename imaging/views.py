"""Pages and pictures of series. They read and hand over; who sees what is decided by `imaging.series` and `studies.access`."""

from collections.abc import Sequence
from uuid import UUID

from csp.decorators import csp_update
from django.contrib.staticfiles import finders
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from imaging import archive, draft_panels, panels, proposals, region_panels, splitting, viewer_panels, viewer_volumes, windows
from imaging.models import KeySlice, Series
from imaging.regions import UPLOAD
from imaging.series import CONFIRM, VIEW, pick_phase, series_for
from imaging.words import WINDOWS
from studies.access import Permission, may, participants_for

NIIVUE = "vendor/niivue.js"
"""The library that draws volumes, where `make niivue` fetched it; without it the viewer shows slices."""


@require_GET
def series(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Is this the right phase, measured right? All key slices, the geometry and what the headers say."""
    shown = get_object_or_404(series_for(request.user), uuid=uuid)
    return series_page(request, shown)


def series_page(request: HttpRequest, shown: Series, *, errors: Sequence[str] = (), status: int = 200) -> HttpResponse:
    """The page of a series; `errors` are sentences about an outline that was just handed in."""
    [view] = panels.views_of(series_for(request.user).filter(pk=shown.pk), window=request.GET.get("window", ""))
    windows = [(name, WINDOWS[name]) for name in panels.windows_of(shown)]
    context = {
        "view": view,
        "windows": windows,
        "window": view.slices[0].window if view.slices else "",
        "picks": panels.picks_of(shown),
        "passes": splitting.passes_of(shown),
        "may_open_participant": may(request.user, Permission.PARTICIPANT_VIEW, shown.center),
        "may_confirm": may(request.user, CONFIRM, shown.center),
        "region": region_panels.region_view(shown, request.user),
        "drafting": draft_panels.draft_view(shown, request.user),
        "proposals": proposals.of_series(shown) if may(request.user, UPLOAD, shown.center) else [],
        "errors": errors,
    }
    return render(request, "imaging/series.html", context, status=status)


@require_POST
def series_phase(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Pick the contrast phase of a series, then go back to the page it was picked on."""
    picked = pick_phase(
        series=get_object_or_404(series_for(request.user), uuid=uuid),
        phase=request.POST.get("phase", ""),
        by=request.user,
        reason=request.POST.get("reason", ""),
    )
    back = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(back, {request.get_host()}):
        return redirect(back)
    return redirect("series", picked.uuid)


@require_POST
def series_split(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Take a series with several passes apart as the platform proposes."""
    shown = get_object_or_404(series_for(request.user), uuid=uuid)
    splitting.split(series=shown, by=request.user)
    return redirect(f"{reverse('series', args=[shown.uuid])}#parts")


@csp_update({"img-src": ["data:"]})  # NiiVue brings the letters that it draws with it, as pictures in its own file
@require_GET
def viewer(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Is the outline right? Both phases side by side at one height, slice by slice; works by links alone."""
    participant = get_object_or_404(participants_for(request.user, VIEW), uuid=uuid)
    shown = viewer_panels.viewer_of(participant, request.user, request.GET)
    context = {
        "viewer": shown,
        "participant": participant,
        "may_open_participant": may(request.user, Permission.PARTICIPANT_VIEW, participant.center),
        "niivue": NIIVUE if finders.find(NIIVUE) else "",
    }
    return render(request, "imaging/viewer.html", context)


@require_GET
def slice_image(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The bytes of one drawn slice as the worker stored them, or a kept slice through the window that is asked for."""
    drawn = get_object_or_404(KeySlice.objects.select_related("object", "series").filter(series__in=series_for(request.user)), uuid=uuid)
    data = archive.read(drawn.object.sha256)
    if drawn.window == windows.WHOLE:
        data = windows.through(data, *viewer_panels.window_of(drawn, request.GET.get("window", "")))
    response = HttpResponse(data, content_type="image/png")
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


@require_GET
def series_volume(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """A series as one volume, to be drawn by WebGL: the values that the viewer's slices show."""
    stack = viewer_volumes.stack_of(get_object_or_404(series_for(request.user), uuid=uuid))
    if stack is None:
        raise Http404
    size, pieces = viewer_volumes.volume(stack)
    return _nifti(StreamingHttpResponse(pieces), size)


@require_GET
def outline_volume(request: HttpRequest, uuid: UUID) -> HttpResponseBase:
    """An outline that the viewer shows, as a mask on the volume of its series."""
    roi = viewer_panels.outline_shown(uuid, request.user)
    stack = roi and viewer_volumes.stack_of(roi.series)
    if roi is None or stack is None:
        raise Http404
    data = viewer_volumes.mask(stack, roi.outlines.filter(revision=roi.series.revision).order_by("place"))
    return _nifti(HttpResponse(data), len(data))


def _nifti(response: HttpResponseBase, size: int) -> HttpResponseBase:
    response["Content-Type"], response["Content-Length"] = "application/octet-stream", str(size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response
