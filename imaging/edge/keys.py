"""The keys of an edge and of the platform: how they are made, written and read.

Every key file is one line of base64 text, mode 0600, so that it can be printed and escrowed on paper:

| key | bytes | who holds it |
|---|---|---|
| center key | 32, for HMAC-SHA-256 of UIDs | the edge |
| Ed25519 key | 32, the seed; signs manifests, requests or receipts | the edge; the platform's web and worker |
| package key | 96: ML-KEM-768 seed (64) then X25519 key (32) | the platform's worker |
| package public key | 1216: ML-KEM-768 (1184) then X25519 (32) | everybody (`platform.json`) |
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey

CENTER_KEY_BYTES = 32
_ED25519, _MLKEM_SEED, _MLKEM_PUBLIC, _X25519 = 32, 64, 1184, 32


class KeyFault(Exception):
    """A key cannot be used as it is; the sentence says which and why."""


def new_center_key() -> bytes:
    """32 random bytes that key the UIDs of one center."""
    return secrets.token_bytes(CENTER_KEY_BYTES)


def new_signing_key() -> bytes:
    """A new Ed25519 private key as its 32-byte seed."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def new_package_key() -> bytes:
    """A new hybrid private key (ML-KEM-768 seed then X25519) as 96 bytes."""
    return MLKEM768PrivateKey.generate().private_bytes_raw() + X25519PrivateKey.generate().private_bytes_raw()


def signing_key(raw: bytes) -> Ed25519PrivateKey:
    """The Ed25519 private key of 32 bytes; KeyFault for another length."""
    if len(raw) != _ED25519:
        raise KeyFault("An Ed25519 private key has 32 bytes.")
    return Ed25519PrivateKey.from_private_bytes(raw)


def verifying_key(raw: bytes) -> Ed25519PublicKey:
    """The Ed25519 public key of 32 bytes; KeyFault for another length."""
    if len(raw) != _ED25519:
        raise KeyFault("An Ed25519 public key has 32 bytes.")
    return Ed25519PublicKey.from_public_bytes(raw)


def signing_public(raw: bytes) -> bytes:
    """The 32 public bytes that belong to an Ed25519 private key."""
    return signing_key(raw).public_key().public_bytes_raw()


def package_private(raw: bytes) -> MLKEM768X25519PrivateKey:
    """The hybrid private key of 96 bytes; KeyFault for another length."""
    if len(raw) != _MLKEM_SEED + _X25519:
        raise KeyFault("A package key has 96 bytes: an ML-KEM-768 seed, then an X25519 key.")
    mlkem = MLKEM768PrivateKey.from_seed_bytes(raw[:_MLKEM_SEED])
    return MLKEM768X25519PrivateKey(mlkem, X25519PrivateKey.from_private_bytes(raw[_MLKEM_SEED:]))


def package_public(raw: bytes) -> MLKEM768X25519PublicKey:
    """The hybrid public key of 1216 bytes; KeyFault for another length."""
    if len(raw) != _MLKEM_PUBLIC + _X25519:
        raise KeyFault("A public package key has 1216 bytes: ML-KEM-768, then X25519.")
    mlkem = MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_PUBLIC])
    return MLKEM768X25519PublicKey(mlkem, X25519PublicKey.from_public_bytes(raw[_MLKEM_PUBLIC:]))


def package_public_bytes(private: bytes) -> bytes:
    """The 1216 public bytes that belong to a package key of 96 bytes."""
    package_private(private)
    mlkem = MLKEM768PrivateKey.from_seed_bytes(private[:_MLKEM_SEED]).public_key().public_bytes_raw()
    return mlkem + X25519PrivateKey.from_private_bytes(private[_MLKEM_SEED:]).public_key().public_bytes_raw()


def fingerprint(public: bytes) -> str:
    """The first 8 hex digits of the SHA-256 of a public key, to read aloud over the telephone."""
    return hashlib.sha256(public).hexdigest()[:8]


def to_text(raw: bytes) -> str:
    """Key bytes as base64 text (RFC 4648 §4)."""
    return base64.b64encode(raw).decode("ascii")


def from_text(text: str) -> bytes:
    """The bytes of base64 text; KeyFault when it is not base64."""
    try:
        return base64.b64decode(text.strip().encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise KeyFault("A key is one line of base64 text.") from None


def write_key(path: Path, raw: bytes) -> None:
    """Write a key once, mode 0600, synced; FileExistsError when the file is there already."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(to_text(raw).encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> bytes:
    """The bytes of a key file; KeyFault when it is missing, a link, or readable by others than its owner."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError as error:
        raise KeyFault(f"The key file {path.name} cannot be read: {error.strerror}.") from None
    with os.fdopen(descriptor, "rb") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise KeyFault(f"The key file {path.name} is open to other users; run `chmod 600` on it.")
        return from_text(file.read(8192).decode("ascii", errors="replace"))
