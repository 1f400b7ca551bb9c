"""An envelope that any two of three custodians open together, and no one alone.

One fresh key encrypts the content (AES-256-GCM). That key is wrapped once for each pair of custodians by nested HPKE: the
layer of the pair's first letter lies outside, that of the second inside. So the first custodian peels, the second opens,
and the two secrets never meet on one device. Source: SL-01, formats "Seal".
"""

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from accounts.canonical import canonical
from predictions.sealing_keys import KeyRefused, PrivateKey, PublicKey

CUSTODIANS = ("A", "B", "C")
PAIRS = tuple("".join(pair) for pair in combinations(CUSTODIANS, 2))  # AB, AC, BC
Associated = Mapping[str, str]

_WRAP = b"prime/wrap/1\0"
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Envelope:
    """`ciphertext` = GCM nonce (12 bytes) ‖ content ‖ tag (16); `wraps` = the content key for each of `PAIRS` (2,304 bytes each)."""

    ciphertext: bytes
    wraps: dict[str, bytes]

    @property
    def wraps_digest(self) -> str:
        """H over the wraps in the order of `PAIRS`, as 64 hexadecimal digits."""
        return hashlib.sha256(b"".join(self.wraps[pair] for pair in PAIRS)).hexdigest()

    @property
    def ciphertext_digest(self) -> str:
        return hashlib.sha256(self.ciphertext).hexdigest()


def enclose(content: bytes, associated: Associated, custodians: Mapping[str, PublicKey]) -> Envelope:
    """Close `content` for every pair of the three custodians, bound to the associated data."""
    _check_three(custodians)
    key, nonce = AESGCM.generate_key(256), os.urandom(_NONCE)
    ciphertext = nonce + AESGCM(key).encrypt(nonce, content, canonical(associated))
    return Envelope(ciphertext, {pair: _wrap(key, pair, associated, custodians) for pair in PAIRS})


def peel(envelope: Envelope, associated: Associated, pair: str, key: PrivateKey) -> bytes:
    """Take off the outer layer with the key of the pair's first custodian; what is left, only the second can open."""
    return key.decrypt(envelope.wraps[pair], _info(associated, pair))


def disclose(envelope: Envelope, associated: Associated, pair: str, half: bytes, key: PrivateKey) -> bytes:
    """The content, from a peeled half and the key of the pair's second custodian. Raises KeyRefused."""
    return _content(envelope, associated, key.decrypt(half, _info(associated, pair)))


def rewrap(
    envelope: Envelope, associated: Associated, pair: str, half: bytes, key: PrivateKey, *, custodians: Mapping[str, PublicKey]
) -> dict[str, bytes]:
    """The content key, from a peeled half and the second custodian's key, wrapped anew for the pairs of three custodians.

    The content is tried and dropped: a key that does not open it is not passed on. Raises KeyRefused.
    """
    _check_three(custodians)
    content_key = key.decrypt(half, _info(associated, pair))
    _content(envelope, associated, content_key)
    return {each: _wrap(content_key, each, associated, custodians) for each in PAIRS}


def _content(envelope: Envelope, associated: Associated, content_key: bytes) -> bytes:
    nonce, locked = envelope.ciphertext[:_NONCE], envelope.ciphertext[_NONCE:]
    try:
        return AESGCM(content_key).decrypt(nonce, locked, canonical(associated))
    except (InvalidTag, ValueError):
        raise KeyRefused("the ciphertext or its associated data was changed, or the wrap holds a foreign key") from None


def _check_three(custodians: Mapping[str, PublicKey]) -> None:
    if tuple(sorted(custodians)) != CUSTODIANS or len({key.opening for key in custodians.values()}) != len(CUSTODIANS):
        raise KeyRefused("an envelope is closed for three different custodians A, B and C")


def envelope_json(envelope: Envelope) -> dict[str, Any]:
    """An envelope as JSON: in bundles and beside a cut."""
    return {"ciphertext": _text(envelope.ciphertext), "wraps": {pair: _text(envelope.wraps[pair]) for pair in PAIRS}}


def read_envelope(value: dict[str, Any]) -> Envelope:
    """The inverse of `envelope_json`. Raises KeyError, TypeError or ValueError for anything else."""
    return Envelope(base64.b64decode(value["ciphertext"]), {pair: base64.b64decode(value["wraps"][pair]) for pair in PAIRS})


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _wrap(key: bytes, pair: str, associated: Associated, custodians: Mapping[str, PublicKey]) -> bytes:
    info = _info(associated, pair)
    outer, inner = custodians[pair[0]], custodians[pair[1]]
    return outer.encrypt(inner.encrypt(key, info), info)


def _info(associated: Associated, pair: str) -> bytes:
    return _WRAP + hashlib.sha256(canonical(associated)).digest() + pair.encode("ascii")
