"""The signed receipts: the web can say `stored`, only the worker can say `archived` or `refused`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from imaging.edge import envelope, keys
from imaging.models import Package, PackageReceipt

_KEYS = {
    Package.State.STORED: ("web", "receipt-stored.key"),
    Package.State.ARCHIVED: ("worker", "receipt-archived.key"),
    Package.State.REFUSED: ("worker", "receipt-archived.key"),
}


def issue(package: Package) -> dict[str, Any]:
    """Sign and keep the receipt for the state a package is in; stands in the transaction that changed the state.

    A package whose number is not known yet (it is inside the ciphertext) is receipted with `seq` 0.
    Raises keys.KeyFault when this process may not read the key that the state demands.
    """
    owner, file = _KEYS[Package.State(package.state)]
    now = timezone.now()
    receipt = envelope.Receipt(package.digest, package.seq or 0, package.state, package.refusal, envelope.instant(now))
    body = envelope.sign_receipt(private_key=keys.read_key(Path(settings.VAR) / "keys" / owner / file), receipt=receipt)
    PackageReceipt.objects.create(package=package, state=package.state, body=body, issued_at=now)
    return body


def latest(package: Package) -> dict[str, Any] | None:
    """The last receipt given for a package, as it was sent; None while it is still being received."""
    given = package.receipts.order_by("-pk").first()
    return given.body if given else None
