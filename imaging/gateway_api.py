"""`/edge/v1/`: where the gateways of the hospitals call. No session, no cookie: every request is signed by the gateway's key.

A gateway sees its own packages only; another's do not exist for it. The body of a package goes to the inbox unopened.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Heartbeat
from accounts.transitions import advance
from imaging import gateways, inbox, receipts
from imaging.edge.package import MAX_PACKAGE_BYTES, PackageRefused, read_id
from imaging.models import Gateway, Package

MOST_HEARTBEAT_BYTES = 16_384
_CODE = re.compile(r"[a-z][a-z0-9_-]{0,39}")
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
        except (Answer, gateways.Stranger) as error:
            response = JsonResponse({"detail": [str(error)]}, status=error.status)
        response["Cache-Control"] = "no-store"
        return response

    return csrf_exempt(answered)


@_answering
@require_http_methods(["PUT"])
def package(request: HttpRequest, digest: str) -> HttpResponse:
    """Take one package: durable in the inbox and in its row before the signed receipt `stored` is given. Safe to repeat."""
    gateway = gateways.claimed(request)
    part, sha256 = _receive(request)
    try:
        gateways.prove(request, gateway, sha256, timezone.now())
        known = _own(gateway, digest, part)
        if known.state == Package.State.RECEIVED or _lost(known):
            known = _store(known, inbox.keep(part, digest))
        body = receipts.latest(known)
    finally:
        part.unlink(missing_ok=True)
    return JsonResponse(body, status=HTTPStatus.CREATED)


@_answering
@require_GET
def receipt(request: HttpRequest, digest: str) -> HttpResponse:
    """The last receipt for one package."""
    gateway = gateways.claimed(request)
    gateways.prove(request, gateway, _NOTHING, timezone.now())
    own = Package.objects.filter(digest=digest, gateway=gateway).first()
    body = receipts.latest(own) if own and not _lost(own) else None  # after 404 the edge sends the package again
    if body is None:
        raise Answer(HTTPStatus.NOT_FOUND, "This gateway has sent no such package.")
    return JsonResponse(body)


@_answering
@require_POST
def heartbeat(request: HttpRequest) -> HttpResponse:
    """Note that an edge is alive, with the counts it reports; texts are not kept."""
    gateway = gateways.claimed(request)
    body = request.read(MOST_HEARTBEAT_BYTES + 1)
    gateways.prove(request, gateway, hashlib.sha256(body).hexdigest(), timezone.now())
    Heartbeat.objects.update_or_create(
        name=f"edge:{gateway.center.code}", defaults={"at": timezone.now(), "detail": {"gateway": gateway.code, **_counts(body)}}
    )
    return HttpResponse(status=HTTPStatus.NO_CONTENT)


def _receive(request: HttpRequest) -> tuple[Any, str]:
    try:
        length = int(request.headers.get("Content-Length", ""))
    except ValueError:
        raise Answer(HTTPStatus.LENGTH_REQUIRED, "Send the package with its Content-Length.") from None
    if length > MAX_PACKAGE_BYTES:
        raise Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The package is larger than 16 GiB; make smaller packages.")
    try:
        return inbox.receive(request, length)
    except inbox.NoRoom:
        raise Answer(HTTPStatus.INSUFFICIENT_STORAGE, "The platform's disk is nearly full; the package stays with you.") from None
    except inbox.CutShort:
        raise Answer(HTTPStatus.BAD_REQUEST, "The package ended before its announced length; send it again.") from None


def _own(gateway: Gateway, digest: str, part: Any) -> Package:
    """The row of this package, made when new. Raises Answer for bytes that are no such package or belong to another gateway."""
    try:
        with part.open("rb") as file:
            claimed = read_id(file)
    except PackageRefused as refused:
        raise Answer(HTTPStatus.BAD_REQUEST, str(refused)) from None
    if claimed != digest:
        raise Answer(HTTPStatus.BAD_REQUEST, "The package's id is not the one in the address.")
    known, _ = Package.objects.get_or_create(digest=digest, defaults={"gateway": gateway})
    if known.gateway_id != gateway.pk:
        raise Answer(HTTPStatus.NOT_FOUND, "This gateway has sent no such package.")
    return known


def _lost(package: Package) -> bool:
    return package.state == Package.State.STORED and not inbox.locate(package.digest).exists()


@transaction.atomic
def _store(received: Package, size: int) -> Package:
    locked = Package.objects.select_for_update().get(pk=received.pk)
    if locked.state != Package.State.RECEIVED:  # it came twice at once and the other was first, or its ciphertext is back
        return locked
    stored = advance(locked, Package.State.STORED, field="state")
    stored.size = size
    stored.save(update_fields=["state", "size"])
    receipts.issue(stored)
    return stored


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
