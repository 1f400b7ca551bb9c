"""The page of the codebook: what does the study record, and how? One page to read, to print and to keep."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_GET

from studies import access
from studies.access import Permission
from studies.exchange import codebook


@require_GET
def codebook_page(request: HttpRequest) -> HttpResponse:
    """The whole codebook in the reader's language."""
    study = access.studies_for(request.user, Permission.STUDY_VIEW).order_by("pk").first()
    if study is None:
        raise PermissionDenied
    return render(request, "studies/codebook.html", codebook.context(study, get_language()))
