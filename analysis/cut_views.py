"""The page of data cuts: which were taken, and a new blinded one to take away with the R program that finds its numbers again."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_POST

from accounts import release, step_up
from accounts.models import LedgerRow, User
from accounts.transitions import NotAllowedNow
from analysis import archive, cut
from studies import access
from studies.models import Study

VIEW = "cut.view"
KINDS = {"blinded": _("blinded"), "opening": _("for the opening, encrypted"), "training": _("for training")}


@require_GET
def cuts(request: HttpRequest) -> HttpResponse:
    """Which cuts were taken, and what does one hold?"""
    study = _study(request.user, VIEW)
    context = {"study": study, "rows": list(_taken(study)), "makes": access.may(request.user, cut.MAKE, study), "today": study.today()}
    return render(request, "analysis/cuts.html", context)


@step_up.asked("POST")
@require_POST
def cut_new(request: HttpRequest) -> HttpResponse:
    """Freeze the study as of today and hand the blinded cut out; the ledger names it from then on."""
    study = _study(request.user, cut.MAKE)
    try:
        made = cut.hand_out(study=study, by=request.user, commit=release.commit())
    except cut.CutRefused as refused:
        raise NotAllowedNow(" ".join(refused.reasons)) from None
    filename = f"{study.code}-cut-{made.manifest['on']}-{made.manifest['cut'][:8]}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{filename}"'}
    return HttpResponse(archive.pack(made.files), content_type="application/zip", headers=headers)


def _taken(study: Study) -> Iterable[dict[str, Any]]:
    """The cuts on the study's ledger, the latest first: when, which kind, as of which day, how many rows, SHA-256."""
    for row in LedgerRow.objects.filter(study=study.code, kind="cut").order_by("-index"):
        body = json.loads(bytes(row.body))
        yield body | {"kind": KINDS.get(body.get("kind", ""), ""), "at": datetime.fromtimestamp(row.at_us / 1e6, tz=study.now().tzinfo)}


def _study(user: User, permission: str) -> Study:
    study = access.studies_for(user, permission).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return study
