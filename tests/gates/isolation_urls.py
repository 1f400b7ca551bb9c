"""Addresses that only tests have: answers that are drawn late, and views that fail after they wrote."""

from collections.abc import Iterator

from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import audit
from prime_platform import urls
from studies.models import Participant

handler400, handler403, handler404 = urls.handler400, urls.handler403, urls.handler404
NUMBERS = "{% for person in people %}{{ person.study_number }} {% endfor %}"


def numbers(request: HttpRequest) -> HttpResponse:
    """Every participant there is, as far as the database shows them, and the connection that said so."""
    return HttpResponse(f"{connection.connection.info.backend_pid} {' '.join(each.study_number for each in Participant.objects.all())}")


def late(request: HttpRequest) -> TemplateResponse:
    """Drawn after the view has returned."""
    return TemplateResponse(request, engines["django"].from_string(NUMBERS), {"people": Participant.objects.all()})


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    """Drawn while it is sent."""

    def lines() -> Iterator[str]:
        for person in Participant.objects.order_by("pk").iterator(chunk_size=1):
            yield f"{person.study_number}\n"

    return StreamingHttpResponse(lines())


def refuses(request: HttpRequest) -> HttpResponse:
    """Writes, and is then refused."""
    audit.record(kind="read", by=request.user, subject="undone")
    raise PermissionDenied


def fails(request: HttpRequest) -> HttpResponse:
    """Writes, and leaves the transaction in pieces."""
    audit.record(kind="read", by=request.user, subject="undone")
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    return HttpResponse()


class Api(APIView):
    """The same through the REST framework, which answers refusals itself."""

    def get(self, request: Request) -> Response:
        return Response([each.study_number for each in Participant.objects.all()])

    def post(self, request: Request) -> Response:
        audit.record(kind="read", by=request.user, subject="undone")
        raise NotFound


urlpatterns = [
    *urls.urlpatterns,
    path("test/numbers/", numbers), path("test/late/", late), path("test/streamed/", streamed), path("test/refuses/", refuses),
    path("test/fails/", fails), path("api/v1/test/", Api.as_view()),
]  # fmt: skip
