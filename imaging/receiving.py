"""How a package is taken in, whichever way it came: over the network or carried on a disk. Safe to repeat.

The caller has proved that the gateway signed for these bytes. They are durable in the inbox and in the package's row before the signed
receipt `stored` is given.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from accounts import scope
from accounts.transitions import advance
from imaging import inbox, receipts
from imaging.edge.package import PackageRefused, read_id
from imaging.models import Gateway, Package


class NotTaken(Exception):
    """A package is not taken: the status for the network, and a sentence for the edge's operator."""

    def __init__(self, status: HTTPStatus, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def take(*, gateway: Gateway, digest: str, part: Path) -> dict[str, Any]:
    """Take the whole package at `part` (moved away when it is new) and return its last receipt. Raises NotTaken."""
    with scope.at_center(gateway.center_id):
        known = _own(gateway, digest, part)
        if known.state == Package.State.RECEIVED or _lost(known):
            known = _store(known, inbox.keep(part, digest))
        body = receipts.latest(known)
    part.unlink(missing_ok=True)
    if body is None:
        raise NotTaken(HTTPStatus.CONFLICT, "The package is being taken by another request; ask again.")
    return body


def last_receipt(*, gateway: Gateway, digest: str) -> dict[str, Any] | None:
    """The last receipt of a gateway's own package; None for one that must be sent (again)."""
    with scope.at_center(gateway.center_id):
        own = Package.objects.filter(digest=digest, gateway=gateway).first()
        return receipts.latest(own) if own and not _lost(own) else None


def _own(gateway: Gateway, digest: str, part: Path) -> Package:
    """The row of this package, made when new. Raises NotTaken for bytes that are no such package or belong to another gateway."""
    try:
        with part.open("rb") as file:
            claimed = read_id(file)
    except PackageRefused as refused:
        raise NotTaken(HTTPStatus.BAD_REQUEST, str(refused)) from None
    if claimed != digest:
        raise NotTaken(HTTPStatus.BAD_REQUEST, "The package's id is not the one in the address.")
    try:
        known, _ = Package.objects.get_or_create(digest=digest, defaults={"gateway": gateway})
    except IntegrityError:  # another center's gateway sent it: that row cannot be seen from here
        known = None
    if known is None or known.gateway_id != gateway.pk:
        raise NotTaken(HTTPStatus.NOT_FOUND, "This gateway has sent no such package.")
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
