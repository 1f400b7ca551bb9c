"""The two pages of this room: are we on course (before publication), and what came out (after it). They read and hand over."""

from hashlib import sha256

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts import audit, scope, step_up
from accounts.models import User
from accounts.transitions import NotAllowedNow
from analysis import overview as overviews
from analysis import publishing, report
from analysis import result as results
from analysis.models import Publication
from studies import access
from studies.access import Permission
from studies.models import Study
from studies.vocabulary import Phase

RESULT, EXPORT, SEALS = "result.view", "result.export", "seal.view"


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """Are we on course? Pooled accrual, completeness and one curve; never a split."""
    study = next(iter(access.studies_of(request.user, Permission.STUDY_VIEW)), None)
    if study is None:
        raise PermissionDenied
    with scope.over_whole_study(study.pk):  # pooled counts and one curve: the page's permission is for all centers together
        context = overviews.page(study, sees_seals=SEALS in access.permissions_of(request.user, study))
    return render(request, "analysis/overview.html", context | {"published": study.phase == Phase.PUBLISHED})


@require_GET
def result(request: HttpRequest) -> HttpResponse:
    """Better, after like is compared with like? Both rows, or neither."""
    publication = _publication(request)
    audit.record(kind="read", by=request.user, subject="result", detail={"study": publication.study.code})
    return render(
        request, "analysis/result.html", results.page(publication) | {"exports": access.may(request.user, EXPORT, publication.study)}
    )


@step_up.asked("GET")
@require_GET
def result_file(request: HttpRequest, name: str) -> HttpResponse:
    """One published table as it left the opening, for R; who takes it is recorded."""
    publication = _publication(request)
    access.require(request.user, EXPORT, publication.study)
    file = publication.files.filter(name=name).first()
    if file is None:
        raise Http404
    audit.record(kind="export", by=request.user, subject=name, detail={"study": publication.study.code, "sha256": file.sha256})
    filename = f"{publication.study.code}-{name}"
    return HttpResponse(
        bytes(file.content), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{filename}"'}
    )


@step_up.asked("GET")
@require_GET
def result_archive(request: HttpRequest) -> HttpResponse:
    """Every published file under its own name, with checksums and the R program: unpack, `Rscript analysis.R`; who takes it is recorded."""
    publication = _publication(request)
    access.require(request.user, EXPORT, publication.study)
    packed = publishing.archive(publication)
    detail = {"study": publication.study.code, "sha256": sha256(packed).hexdigest()}
    audit.record(kind="export", by=request.user, subject="result.zip", detail=detail)
    disposition = f'attachment; filename="{publication.study.code}-result.zip"'
    return HttpResponse(packed, content_type="application/zip", headers={"Content-Disposition": disposition})


@step_up.asked("GET")
@require_GET
def result_report(request: HttpRequest) -> HttpResponse:
    """The full report as one file that stands alone, in the reader's language; a browser prints it or makes it a PDF."""
    publication = _publication(request)
    access.require(request.user, EXPORT, publication.study)
    audit.record(kind="export", by=request.user, subject="report.html", detail={"study": publication.study.code})
    document = report.html(publication, language=get_language() or report.LANGUAGES[0])
    disposition = f'attachment; filename="{publication.study.code}-report.html"'
    return HttpResponse(document, content_type="text/html; charset=utf-8", headers={"Content-Disposition": disposition})


def shows_result(user: User) -> bool:
    """Whether a study of this person is published: only then does its result stand in the navigation."""
    return any(study.phase == Phase.PUBLISHED for study in access.studies_of(user, RESULT))


def _study(request: HttpRequest, permission: str) -> Study:
    study = access.studies_for(request.user, permission).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return study


def _publication(request: HttpRequest) -> Publication:
    study = _study(request, RESULT)
    publication = Publication.objects.select_related("study").filter(study=study, study__phase=Phase.PUBLISHED).first()
    if publication is None:
        raise NotAllowedNow(
            _(
                "Splits by recommendation, by agreement or by treatment do not exist before publication, for anybody on this site. "
                "This request is recorded."
            )
        )
    return publication
