"""A seal: one prediction, closed so that two custodians can open it and nobody can change it unseen.

Source: SL-01, SL-02, SL-05, formats "Seal". The content of the envelope is nonce (32 bytes) ‖ payload ‖ zero bytes up to
`PADDED`, so that an answer, an abstention and a failure look alike from outside. The record for the ledger holds the
associated data, the suite, H(ciphertext), H(wraps) and H('prime/payload/1\\0' ‖ nonce ‖ payload).
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from predictions.sealing_envelope import Associated, Envelope, disclose, enclose
from predictions.sealing_envelope import peel as peel_envelope
from predictions.sealing_keys import SUITE_ID, KeyRefused, PrivateKey, PublicKey

PADDED = 16 * 1024  # bytes of payload, whatever was predicted
ASSOCIATED = ("study", "study_number", "tier", "model", "snapshot", "purpose")
CONFIRMATORY = "confirmatory"
EXPLORATORY = "exploratory"

_NONCE = 32
_PAYLOAD = b"prime/payload/1\0"


@dataclass(frozen=True, slots=True)
class SealRecord:
    """A seal as it is stored: the associated data, the envelope, and the body of its ledger record."""

    associated: dict[str, str]
    envelope: Envelope
    body: dict[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened seal: the canonical bytes of the payload and the nonce that committed it."""

    payload: bytes
    nonce: bytes


def seal(payload: bytes, associated: Associated, custodians: Mapping[str, PublicKey]) -> SealRecord:
    """Seal the canonical bytes of one payload. Raises ValueError where it is too long or the associated data is not complete."""
    if tuple(sorted(associated)) != tuple(sorted(ASSOCIATED)) or associated["purpose"] not in (CONFIRMATORY, EXPLORATORY):
        raise ValueError("the associated data of a seal are " + ", ".join(ASSOCIATED) + "; its purpose is confirmatory or exploratory")
    if not 0 < len(payload) <= PADDED or payload.endswith(b"\0"):
        raise ValueError(f"a payload has 1 to {PADDED} bytes of JSON, not {len(payload)}")
    nonce = os.urandom(_NONCE)
    envelope = enclose(nonce + payload.ljust(PADDED, b"\0"), associated, custodians)
    return SealRecord(dict(associated), envelope, body_of(associated, envelope, payload_commitment(nonce, payload)))


def body_of(associated: Associated, envelope: Envelope, commitment: str) -> dict[str, str]:
    """The body of the seal's ledger record; `commitment` is that of the payload, in hexadecimal digits."""
    return {
        **associated,
        "suite": SUITE_ID,
        "ciphertext": envelope.ciphertext_digest,
        "wraps": envelope.wraps_digest,
        "payload": commitment,
    }


def payload_commitment(nonce: bytes, payload: bytes) -> str:
    """H('prime/payload/1\\0' ‖ nonce ‖ payload) as 64 hexadecimal digits."""
    return hashlib.sha256(_PAYLOAD + nonce + payload).hexdigest()


def faults(record: SealRecord) -> list[str]:
    """What of a stored seal does not agree with its ledger body; empty when all does. Needs no key."""
    expected = body_of(record.associated, record.envelope, record.body.get("payload", ""))
    return [
        f"its {name} is not the one on the ledger" for name in sorted(expected | record.body) if expected.get(name) != record.body.get(name)
    ]


def peel(record: SealRecord, pair: str, key: PrivateKey) -> bytes:
    """The half that the pair's first custodian hands to the second. Raises KeyRefused."""
    return peel_envelope(record.envelope, record.associated, pair, key)


def open_half(record: SealRecord, pair: str, half: bytes, key: PrivateKey) -> Opened:
    """Open a peeled seal with the key of the pair's second custodian.

    Raises KeyRefused for another key, changed bytes, or a payload and nonce that do not give the ledger's commitment.
    """
    content = disclose(record.envelope, record.associated, pair, half, key)
    opened = Opened(content[_NONCE:].rstrip(b"\0"), content[:_NONCE])
    if payload_commitment(opened.nonce, opened.payload) != record.body["payload"]:
        raise KeyRefused("the payload is not the one committed on the ledger")
    return opened
