"""The page Models: what is being trained, what was trained, and who locked it; and each model's card without its rule.

For the model's owner alone. It reads three tables of facts that are the same whatever a model recommends (docs/blinding.md §2); it
writes nothing: a model is trained, registered, locked and retired by commands, a statement is signed on a custodian's own device.
"""

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import get_language
from django.views.decorators.http import require_GET

from accounts.canonical import canonical
from predictions import registry, runs
from predictions.models import ModelVersion, TrainingRun
from predictions.training.card import page
from studies import access

VIEW = "model.view"
SHOWN = 20
"""How many trainings the page lists, the newest first."""
Status = ModelVersion.Status


@require_GET
def models(request: HttpRequest) -> HttpResponse:
    """For whom is which model meant, and how far is what is being trained?"""
    return render(request, "predictions/models.html", {"versions": _versions(request).order_by("-registered_at"), **_runs(request)})


@require_GET
def trainings(request: HttpRequest) -> HttpResponse:
    """The part of the page that changes while something is being trained."""
    return render(request, "predictions/_trainings.html", _runs(request))


@require_GET
def model(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """One model: its state, what two custodians sign, and its card without the rule."""
    version = get_object_or_404(_versions(request), uuid=uuid)
    language: Any = "zh" if (get_language() or "zh").startswith("zh") else "en"
    said = page.sections(version.card, language, public=True) if version.card else []
    card = [(mark_safe(heading), mark_safe(body)) for heading, body in said]  # noqa: S308 - escaped where they are made, from numbers
    spoken = "en" if version.intended_use.isascii() else "zh-Hans"
    context = {"version": version, "card": card, "signable": version.status == Status.VALIDATED, "spoken": spoken}
    return render(request, "predictions/model.html", context)


@require_GET
def statement(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """What two custodians sign before a model is locked, as the file that `model approve` takes."""
    version = get_object_or_404(_versions(request).filter(status=Status.VALIDATED), uuid=uuid)
    name = f"{version.study.code}-model-tier-{version.tier}.json"
    return HttpResponse(
        canonical(registry.to_sign(version)),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _versions(request: HttpRequest) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(study__in=access.studies_for(request.user, VIEW)).select_related("study")


def _runs(request: HttpRequest) -> dict[str, Any]:
    studies = access.studies_of(request.user, VIEW)
    if not studies:
        raise PermissionDenied
    found = list(TrainingRun.objects.filter(study__in=[each.pk for each in studies]).order_by("-begun_at", "-pk")[:SHOWN])
    silent = timezone.now() - runs.SILENT
    going = [run for run in found if run.status == TrainingRun.Status.RUNNING]
    return {
        "runs": found,
        "going": any(run.heard_at > silent for run in going),
        "silent": {run.pk for run in going if run.heard_at <= silent},
    }
