"""The page of measurements: how far they are, how far readers agree, and the lists of features. It reads and hands over."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from accounts.transitions import NotAllowedNow
from imaging import feature_list, measuring_progress
from imaging.models import FeatureList
from imaging.series import VIEW as IMAGE_VIEW
from studies.access import may, permissions_of, studies_for
from studies.models import Study


@require_GET
def measurements(request: HttpRequest) -> HttpResponse:
    """How many of how many outlines are measured, which failed and why; and the newest list of each study."""
    held = permissions_of(request.user)
    if feature_list.VIEW not in held:
        raise PermissionDenied(_("Your role does not see how features are measured."))
    progress = measuring_progress.progress_for(request.user) if IMAGE_VIEW in held else None
    lists = list(feature_list.lists_for(request.user))
    studies = [_of_study(study, lists, request) for study in studies_for(request.user, feature_list.VIEW)]
    return render(request, "imaging/measurements.html", {"progress": progress, "studies": studies, "threshold": feature_list.THRESHOLD})


def _of_study(study: Study, lists: list[FeatureList], request: HttpRequest) -> dict[str, Any]:
    own = [one for one in lists if one.study_id == study.pk]
    return {
        "study": study,
        "lists": own,
        "groups": _groups(own[0]) if own else [],
        "compared": feature_list.progress(study) if may(request.user, feature_list.MAKE, study) else [],
    }


def _groups(one: FeatureList) -> list[tuple[str, int, int]]:
    """Of each phase and image filter: how many features are kept, of how many."""
    found: dict[str, list[bool]] = {}
    for row in one.content["features"]:
        phase, rest = row["name"].split("_", 1)
        found.setdefault(f"{phase} {rest.split('_')[0].split('-')[0]}", []).append(row["kept"])
    return [(name, sum(kept), len(kept)) for name, kept in found.items()]


@require_GET
def feature_list_file(request: HttpRequest) -> HttpResponse:
    """A list with every figure, as the file that `manage.py train --feature-list` reads: the newest, or a `version` of a `study`."""
    if feature_list.VIEW not in permissions_of(request.user):
        raise PermissionDenied(_("Your role does not see how features are measured."))
    lists = feature_list.lists_for(request.user)
    if version := request.GET.get("version"):
        if not version.isdecimal():
            raise Http404
        one = get_object_or_404(lists, study__code=request.GET.get("study", ""), version=int(version))
    else:
        one = lists.first()
    if one is None:
        raise NotAllowedNow(_("No list yet."))
    response = JsonResponse(one.document, json_dumps_params={"indent": 1})
    response["Content-Disposition"] = f'attachment; filename="{one.study.code}-features-{one.version}.json"'
    return response


@require_POST
def feature_list_new(request: HttpRequest) -> HttpResponse:
    """Draw up a new list."""
    if feature_list.MAKE not in permissions_of(request.user):
        raise PermissionDenied(_("Your role does not draw up lists of features."))
    study = get_object_or_404(studies_for(request.user, feature_list.VIEW), code=request.POST.get("study", ""))
    feature_list.make(study=study, by=request.user)
    return redirect("measurements")
