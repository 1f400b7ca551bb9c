"""What the edge and the platform say to each other over HTTPS: signed requests one way, signed receipts back.

Both sides import exactly this module, so that they cannot disagree. A request carries four headers:
`Prime-Gateway` (the gateway's id), `Prime-Time` (UTC, ISO 8601, `2026-03-02T08:15:30Z`), `Prime-Digest` (sha256 of the body; of the
whole package where a part of it is sent) and `Prime-Signature` (base64 Ed25519 over the canonical bytes of `{"at", "gateway", "method",
"path", "sha256"}`), so that a signature can be checked before the body is read. A package that travels on a disk or through a folder
carries the same headers for the method CARRY, which no request has, as its note: they are good for this package at any time.
A receipt is `{"receipt": {"at", "package", "reason", "seq", "state"}, "signature"}`, signed over the canonical
bytes of the inner object: `stored` with the web's key, `archived` and `refused` with the worker's key.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature

from accounts.canonical import canonical
from imaging.edge import keys

CLOCK_WINDOW = timedelta(minutes=5)
GATEWAY_HEADER, TIME_HEADER, DIGEST_HEADER, SIGNATURE_HEADER = "Prime-Gateway", "Prime-Time", "Prime-Digest", "Prime-Signature"
CARRIED_HEADER, CARRY = "Prime-Carried", "CARRY"
PACKAGE_PATH = "/edge/v1/packages/{id}"
RECEIPT_PATH = "/edge/v1/packages/{id}/receipt"
HEARTBEAT_PATH = "/edge/v1/heartbeat"
SCREENINGS_PATH = "/edge/v1/screenings"
STATES = ("stored", "archived", "refused")
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_GATEWAY_ID = re.compile(r"[0-9]{2}-[0-9a-f]{8}")
_PACKAGE_ID = re.compile(r"[0-9a-f]{64}")


class EnvelopeRefused(Exception):
    """A request or receipt is not what its signature says, or not from whom it says; the sentence names the fault."""


@dataclass(frozen=True)
class Receipt:
    """What the platform says about one package: `state` is stored, archived or refused, `at` is UTC."""

    package: str
    seq: int
    state: str
    reason: str
    at: str


def gateway_id(center: str, public_key: bytes) -> str:
    """The id of a gateway: its center's code and 8 hex digits of its Ed25519 public key's SHA-256, `01-9f86d081`."""
    return f"{center}-{keys.fingerprint(public_key)}"


def is_gateway_id(text: str) -> bool:
    """Whether `text` has the form of a gateway id."""
    return _GATEWAY_ID.fullmatch(text) is not None


def instant(at: datetime) -> str:
    """An aware instant as `Prime-Time` text: UTC, whole seconds."""
    return at.astimezone(UTC).strftime(_TIME)


def sign_request(*, private_key: bytes, gateway: str, method: str, path: str, body_sha256: str, at: datetime) -> dict[str, str]:
    """The four headers that sign one request; `private_key` is the gateway's 32-byte Ed25519 seed, `at` is aware."""
    said = _request(gateway, method, path, body_sha256, instant(at))
    signature = keys.signing_key(private_key).sign(canonical(said))
    return {
        GATEWAY_HEADER: gateway,
        TIME_HEADER: said["at"],
        DIGEST_HEADER: body_sha256,
        SIGNATURE_HEADER: keys.to_text(signature),
    }


def verify_request(  # noqa: PLR0917 - the order both sides agreed on
    headers: Mapping[str, str], method: str, path: str, body_sha256: str, key: bytes, now: datetime
) -> str:
    """The gateway id of a request truly signed by `key` (32-byte Ed25519 public) within 5 minutes of `now`.

    `path` is the path as sent (no query string is ever used), `body_sha256` the hex digest of the body as received.
    Raises EnvelopeRefused with a sentence otherwise. Look the key up by the `Prime-Gateway` header first.
    """
    try:
        gateway, at, signature = (headers[name] for name in (GATEWAY_HEADER, TIME_HEADER, SIGNATURE_HEADER))
    except KeyError as error:
        raise EnvelopeRefused(f"The header {error.args[0]} is missing.") from None
    if abs(_parse(at) - now) > CLOCK_WINDOW:
        raise EnvelopeRefused("The request's time is more than 5 minutes off; check the clocks of gateway and platform.")
    _verify(canonical(_request(gateway, method, path, body_sha256, at)), signature, key, "request")
    return gateway


def carry_note(*, private_key: bytes, gateway: str, package: str, sha256: str, at: datetime) -> dict[str, str]:
    """What lies beside a package that is carried: who made it, and which bytes it must have."""
    path = PACKAGE_PATH.format(id=package)
    return sign_request(private_key=private_key, gateway=gateway, method=CARRY, path=path, body_sha256=sha256, at=at)


def verify_note(note: Mapping[str, str], package: str, key: bytes) -> str:
    """The SHA-256 that the bytes of a carried package must have; EnvelopeRefused when `key` did not sign this note."""
    at, digest = note.get(TIME_HEADER, ""), note.get(DIGEST_HEADER, "")
    verify_request(note, CARRY, PACKAGE_PATH.format(id=package), digest, key, _parse(at))
    return digest


def sign_receipt(*, private_key: bytes, receipt: Receipt) -> dict[str, Any]:
    """The body that answers with a receipt: `{"receipt": {…}, "signature": base64}`; ValueError for an unknown state."""
    if receipt.state not in STATES:
        raise ValueError(f"A receipt's state is one of {', '.join(STATES)}.")
    signature = keys.signing_key(private_key).sign(canonical(asdict(receipt)))
    return {"receipt": asdict(receipt), "signature": keys.to_text(signature)}


def verify_receipt(body: Any, *, package: str, stored_key: bytes, archived_key: bytes) -> Receipt:
    """The receipt in `body` when it is about `package` and signed by the key its state demands.

    The web's key (`stored_key`) can say `stored` only: a web server that was taken over cannot make an edge purge.
    Raises EnvelopeRefused.
    """
    try:
        receipt = _receipt(body["receipt"])
        signature = str(body["signature"])
    except (KeyError, TypeError):
        raise EnvelopeRefused("This is not a receipt.") from None
    if receipt.package != package:
        raise EnvelopeRefused("The receipt is about another package.")
    key = stored_key if receipt.state == "stored" else archived_key
    _verify(canonical(asdict(receipt)), signature, key, "receipt")
    return receipt


def is_package_id(text: str) -> bool:
    """Whether `text` has the form of a package id: 64 lower-case hexadecimal digits."""
    return _PACKAGE_ID.fullmatch(text) is not None


def _request(gateway: str, method: str, path: str, body_sha256: str, at: str) -> dict[str, str]:
    return {"method": method, "path": path, "sha256": body_sha256, "at": at, "gateway": gateway}


def _receipt(said: dict[str, Any]) -> Receipt:
    receipt = Receipt(**said)
    texts = (receipt.package, receipt.state, receipt.reason, receipt.at)
    if not all(isinstance(text, str) for text in texts) or type(receipt.seq) is not int or receipt.state not in STATES:
        raise EnvelopeRefused("This is not a receipt.")
    return receipt


def _parse(text: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME).replace(tzinfo=UTC)
    except ValueError:
        raise EnvelopeRefused(f"{TIME_HEADER} is written like 2026-03-02T08:15:30Z.") from None


def _verify(message: bytes, signature: str, key: bytes, what: str) -> None:
    try:
        keys.verifying_key(key).verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        raise EnvelopeRefused(f"The {what}'s signature does not fit.") from None
