"""`/edge/v1/`: where the gateways of the hospitals call. No session, no cookie: every request is signed by the gateway's key.

A gateway sees its own packages only; another's do not exist for it. The body of a package goes to the inbox unopened.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import scope
from accounts.models import Heartbeat
from accounts.transitions import NotAllowedNow
from imaging import gateways, inbox, operating_rows, receiving
from imaging.edge import envelope
from imaging.edge.package import MAX_PACKAGE_BYTES

MOST_HEARTBEAT_BYTES, MOST_ROWS_BYTES = 16_384, 65_536
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_NOTHING = hashlib.sha256(b"").hexdigest()
View = Callable[..., HttpResponse]


class Answer(Exception):
    """An answer other than success: its status and the sentence for the edge's operator."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def _answering(view: View) -> View:
    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except (Answer, gateways.Stranger, receiving.NotTaken) as error:
            response = JsonResponse({"detail": [str(error)]}, status=error.status)
        response["Cache-Control"] = "no-store"
        return response

    return csrf_exempt(answered)


@_answering
@require_http_methods(["GET", "PUT"])
def package(request: HttpRequest, digest: str) -> HttpResponse:
    """Take one package, or the rest of one; the signature is checked before the body is read. Safe to repeat.

    Asked for by GET, it says how many bytes of the package that the gateway signed for are here.

    The whole one is answered with the signed receipt (201), a part of it with the number of bytes that are here (202). A part that
    does not continue them is answered 409 with that number.
    """
    gateway = gateways.claimed(request)
    sha256 = gateways.prove_package(request, gateway, _id(digest), timezone.now())
    part = inbox.coming(gateway.pk, digest, _id(sha256))
    if request.method == "GET":
        return JsonResponse({"received": inbox.received(part)})
    if not _gathered(request, part, sha256):
        return JsonResponse({"received": inbox.received(part)}, status=HTTPStatus.ACCEPTED)
    try:
        return JsonResponse(receiving.take(gateway=gateway, digest=digest, part=part), status=HTTPStatus.CREATED)
    except receiving.NotTaken:
        part.unlink(missing_ok=True)
        raise


@_answering
@require_GET
def receipt(request: HttpRequest, digest: str) -> HttpResponse:
    """The last receipt for one package."""
    gateway = gateways.claimed(request)
    if envelope.CARRIED_HEADER in request.headers:
        gateways.noted(request.headers, gateway, digest)
    else:
        gateways.prove(request, gateway, _NOTHING, timezone.now())
    body = receiving.last_receipt(gateway=gateway, digest=digest)
    if body is None:
        raise Answer(HTTPStatus.NOT_FOUND, "This gateway has sent no such package.")  # the edge sends it again
    return JsonResponse(body)


@_answering
@require_POST
def heartbeat(request: HttpRequest) -> HttpResponse:
    """Note that an edge is alive, with the counts it reports; texts are not kept."""
    gateway = gateways.claimed(request)
    body = request.read(MOST_HEARTBEAT_BYTES + 1)
    gateways.prove(request, gateway, hashlib.sha256(body).hexdigest(), timezone.now())
    with scope.at_center(gateway.center_id):
        Heartbeat.objects.update_or_create(
            name=f"edge:{gateway.center.code}", defaults={"at": timezone.now(), "detail": {"gateway": gateway.code, **_counts(body)}}
        )
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


@_answering
@require_POST
def screenings(request: HttpRequest) -> HttpResponse:
    """Rows of the operating list, answered with their screening numbers. Safe to repeat."""
    gateway = gateways.claimed(request)
    body = request.read(MOST_ROWS_BYTES + 1)
    gateways.prove(request, gateway, hashlib.sha256(body).hexdigest(), timezone.now())
    try:
        rows = operating_rows.read(json.loads(body) if len(body) <= MOST_ROWS_BYTES else None)
    except operating_rows.NoRows as error:
        raise Answer(HTTPStatus.BAD_REQUEST, str(error)) from None
    except (ValueError, RecursionError):
        raise Answer(HTTPStatus.BAD_REQUEST, "The rows are no JSON.") from None
    try:
        with scope.at_center(gateway.center_id), scope.with_study(gateway.center.study_id):
            answered = operating_rows.take(gateway=gateway, rows=rows)
    except NotAllowedNow as error:
        raise Answer(HTTPStatus.CONFLICT, str(error)) from None
    return JsonResponse({"rows": [each.as_json() for each in answered]})


def _id(text: str) -> str:
    if not envelope.is_package_id(text):
        raise Answer(HTTPStatus.NOT_FOUND, "A package's id is the SHA-256 of its manifest.")
    return text


def _gathered(request: HttpRequest, part: Path, sha256: str) -> bool:
    """Add the body to what came of the package before; whether it is whole."""
    start, length, total = _range(request)
    if total > MAX_PACKAGE_BYTES:
        raise Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The package is larger than 16 GiB; make smaller packages.")
    try:
        return inbox.gather(part, request, start=start, length=length, total=total, sha256=sha256)
    except inbox.NoRoom:
        raise Answer(HTTPStatus.INSUFFICIENT_STORAGE, "The platform's disk is nearly full; the package stays with you.") from None
    except inbox.CutShort:
        raise Answer(HTTPStatus.BAD_REQUEST, "The package ended before its announced length; continue it.") from None
    except inbox.OutOfStep as step:
        raise Answer(HTTPStatus.CONFLICT, f"{step.received} bytes are here; continue after them.") from None
    except inbox.Altered:
        raise Answer(HTTPStatus.UNAUTHORIZED, "The package's bytes are not those that were signed.") from None


def _range(request: HttpRequest) -> tuple[int, int, int]:
    """Where the body begins in its package, its length, and the package's size."""
    try:
        length = int(request.headers.get("Content-Length", ""))
    except ValueError:
        raise Answer(HTTPStatus.LENGTH_REQUIRED, "Send the package with its Content-Length.") from None
    text = request.headers.get("Content-Range")
    if text is None:
        return 0, length, length
    found = _RANGE.fullmatch(text)
    if found is None or int(found[2]) - int(found[1]) + 1 != length:
        raise Answer(HTTPStatus.BAD_REQUEST, "Content-Range and Content-Length do not fit together.")
    return int(found[1]), length, int(found[3])


def _counts(body: bytes) -> dict[str, Any]:
    """What may be kept of a heartbeat: numbers and instants under codes, and groups of numbers."""
    try:
        said = json.loads(body) if len(body) <= MOST_HEARTBEAT_BYTES else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Answer(HTTPStatus.BAD_REQUEST, "A heartbeat is a small JSON object.")
    groups = {name: _numbers(value) for name, value in said.items() if isinstance(value, dict) and _CODE.fullmatch(name)}
    instants = {
        name: value for name, value in said.items() if isinstance(value, str) and _INSTANT.fullmatch(value) and _CODE.fullmatch(name)
    }
    return _numbers(said) | groups | instants


def _numbers(said: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in said.items() if type(value) is int and _CODE.fullmatch(name)}
