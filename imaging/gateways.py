"""Which gateways may hand in packages: registered and revoked by an operator, recognised by their signature."""

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, scope
from accounts.models import User
from accounts.transitions import NotAllowedNow
from imaging.edge import envelope, keys
from imaging.models import Gateway
from studies.access import require
from studies.models import Center, Study

MANAGE = "gateway.manage"
_PRINTABLE = re.compile(r"[ -~]{0,80}")


class Stranger(Exception):
    """A request is not from a gateway that may call now; the sentence says why, for the log of the edge."""

    status = HTTPStatus.UNAUTHORIZED


@transaction.atomic
def register(*, study: Study, document: dict[str, Any], by: User) -> Gateway:
    """Register the gateway that an edge's `init` described: `{"center", "gateway", "public_key", "software"}`.

    The same document again changes nothing. Raises ValidationError for a document that does not fit together.
    """
    center = _center(study, document)
    _require_operator(by, center)
    key = _key(document)
    code = envelope.gateway_id(center.code, key)
    if document.get("gateway") != code:
        raise ValidationError(_("The gateway's id does not belong to its key. Ask the hospital for the file that `edge init` wrote."))
    if (known := Gateway.objects.filter(code=code).first()) is not None:
        if known.revoked_at:
            raise NotAllowedNow(_("Gateway %(code)s was revoked. The edge needs a new key: run `edge init` there again.") % {"code": code})
        return known
    gateway = Gateway(center=center, code=code, public_key=keys.to_text(key), software=_software(document), added_by=by)
    gateway.full_clean()
    with audit.act(by=by, action="gateway.registered"):
        gateway.save()
    return gateway


@transaction.atomic
def revoke(*, gateway: Gateway, by: User, reason: str) -> Gateway:
    """Close the door to a gateway: its requests and its packages that are not yet opened are refused from now on."""
    _require_operator(by, gateway.center)
    gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
    if gateway.revoked_at:
        return gateway
    with audit.act(by=by, action="gateway.revoked", reason=reason):
        gateway.revoked_at, gateway.revoked_by = timezone.now(), by
        gateway.full_clean()
        gateway.save(update_fields=["revoked_at", "revoked_by"])
    return gateway


def public_key(code: str) -> bytes | None:
    """The Ed25519 key of an active gateway; None for one that is unknown or revoked."""
    text = Gateway.objects.filter(code=code, revoked_at=None).values_list("public_key", flat=True).first()
    return keys.from_text(text) if text else None


def claimed(request: HttpRequest) -> Gateway:
    """The active gateway that a request says it comes from, before its body was read; its row and no other. Raises Stranger."""
    return active(request.headers.get(envelope.GATEWAY_HEADER, ""))


def active(code: str) -> Gateway:
    """The gateway of this code that may call now; its row and no other. Raises Stranger."""
    with scope.of_gateway(code):
        gateway = Gateway.objects.filter(code=code, revoked_at=None).first()
    if gateway is None:
        raise Stranger("This gateway is not known here or was revoked. Ask the platform's operator to run `manage.py gateway add`.")
    return gateway


def prove(request: HttpRequest, gateway: Gateway, body_sha256: str, now: datetime) -> None:
    """Raise Stranger unless the request was signed by the gateway, for this body, within the last minutes."""
    try:
        envelope.verify_request(request.headers, request.method or "", request.path, body_sha256, keys.from_text(gateway.public_key), now)
    except envelope.EnvelopeRefused as refused:
        raise Stranger(str(refused)) from None


def prove_package(request: HttpRequest, gateway: Gateway, digest: str, now: datetime) -> str:
    """The SHA-256 that a package's bytes must have, signed by its gateway: for this request, or by the note it is carried with."""
    if envelope.CARRIED_HEADER in request.headers:
        return noted(request.headers, gateway, digest)
    sha256 = request.headers.get(envelope.DIGEST_HEADER, "")
    prove(request, gateway, sha256, now)
    return sha256


def noted(note: Mapping[str, str], gateway: Gateway, digest: str) -> str:
    """The SHA-256 that a carried package's bytes must have. Raises Stranger for a note that the gateway did not sign."""
    try:
        return envelope.verify_note(note, digest, keys.from_text(gateway.public_key))
    except envelope.EnvelopeRefused as refused:
        raise Stranger(str(refused)) from None


def _require_operator(by: User, center: Center) -> None:
    if by.pk != User.objects.system().pk:
        require(by, MANAGE, center)


def _center(study: Study, document: dict[str, Any]) -> Center:
    center = Center.objects.filter(study=study, code=str(document.get("center", ""))).first()
    if center is None:
        raise ValidationError(_("The file names a center that study %(study)s does not have.") % {"study": study.code})
    return center


def _key(document: dict[str, Any]) -> bytes:
    try:
        key = keys.from_text(str(document.get("public_key", "")))
        keys.verifying_key(key)
    except keys.KeyFault as fault:
        raise ValidationError(str(fault)) from None
    return key


def _software(document: dict[str, Any]) -> str:
    software = str(document.get("software", ""))
    if not _PRINTABLE.fullmatch(software):
        raise ValidationError(_("The gateway's software is named in at most 80 printable ASCII characters."))
    return software
