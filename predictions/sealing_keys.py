"""A custodian's keys: one pair to open with, one pair to sign with, born alone on the custodian's own device.

Opening: HPKE (RFC 9180) with the hybrid KEM ML-KEM-768 + X25519, HKDF-SHA256 and AES-256-GCM, so that a seal recorded
today stays closed should X25519 fall. Signing: Ed25519 (RFC 8032), for approvals and proofs. A key file is JSON; with a
passphrase its secret part is AES-256-GCM under scrypt (RFC 7914). Pure: bytes in, bytes out; the caller reads and writes files.
"""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from accounts.canonical import canonical

SUITE_ID = "HPKE-v1/MLKEM768-X25519/HKDF-SHA256/AES-256-GCM"
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)

_PUBLIC = "prime custodian public key"
_PRIVATE = "prime custodian private key"
_MLKEM_SEED, _X25519, _MLKEM_PUBLIC, _ED25519 = 64, 32, 1184, 32
_SCRYPT = {"n": 2**16, "r": 8, "p": 1}  # 64 MiB, a quarter of a second
_PROOF = b"prime/prove/1\0"
_RECEIPT = b"prime/receipt/1\0"


class KeyRefused(ValueError):
    """A key file, a passphrase, a ciphertext or a signature is not what it should be; the text says which."""


@dataclass(frozen=True)
class PublicKey:
    """What a custodian hands out: ML-KEM-768 ‖ X25519 public key (1,216 bytes) and Ed25519 public key (32 bytes)."""

    opening: bytes
    signing: bytes

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over both keys in eight groups of eight hexadecimal digits: what two people compare by voice."""
        digits = hashlib.sha256(b"prime/custodian/1\0" + self.opening + self.signing).hexdigest()
        return " ".join(digits[place : place + 8] for place in range(0, 64, 8))

    @cached_property
    def _hpke(self) -> hpke.MLKEM768X25519PublicKey:
        lattice, curve = self.opening[:_MLKEM_PUBLIC], self.opening[_MLKEM_PUBLIC:]
        return hpke.MLKEM768X25519PublicKey(MLKEM768PublicKey.from_public_bytes(lattice), X25519PublicKey.from_public_bytes(curve))

    def encrypt(self, plaintext: bytes, info: bytes) -> bytes:
        """HPKE base mode, single shot: enc (1,120 bytes) ‖ ciphertext ‖ tag, bound to `info`."""
        return SUITE.encrypt(plaintext, self._hpke, info)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """True where this custodian signed exactly `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.signing).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def as_json(self) -> dict[str, str]:
        """The key as the ledger's activation record and the public key file hold it."""
        return {"type": _PUBLIC, "suite": SUITE_ID, "opening": _b64(self.opening), "signing": _b64(self.signing)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read `as_json()`'s form. Raises KeyRefused for another type, suite or length."""
        if value.get("type") != _PUBLIC or value.get("suite") != SUITE_ID:
            raise KeyRefused("this is no custodian's public key of the suite " + SUITE_ID)
        opening, signing = base64.b64decode(value["opening"]), base64.b64decode(value["signing"])
        if len(opening) != _MLKEM_PUBLIC + _X25519 or len(signing) != _ED25519:
            raise KeyRefused("the public key has the wrong length")
        return cls(opening, signing)


@dataclass(frozen=True, repr=False)
class PrivateKey:
    """What never leaves the custodian's device: ML-KEM-768 seed (64 bytes), X25519 and Ed25519 secrets (32 bytes each)."""

    lattice: bytes
    curve: bytes
    signing: bytes

    @classmethod
    def generate(cls) -> Self:
        """A fresh key from the operating system's randomness."""
        return cls(
            MLKEM768PrivateKey.generate().private_bytes_raw(),
            X25519PrivateKey.generate().private_bytes_raw(),
            Ed25519PrivateKey.generate().private_bytes_raw(),
        )

    @cached_property
    def public(self) -> PublicKey:
        lattice = MLKEM768PrivateKey.from_seed_bytes(self.lattice).public_key().public_bytes_raw()
        curve = X25519PrivateKey.from_private_bytes(self.curve).public_key().public_bytes_raw()
        return PublicKey(lattice + curve, Ed25519PrivateKey.from_private_bytes(self.signing).public_key().public_bytes_raw())

    @cached_property
    def _hpke(self) -> hpke.MLKEM768X25519PrivateKey:
        lattice, curve = MLKEM768PrivateKey.from_seed_bytes(self.lattice), X25519PrivateKey.from_private_bytes(self.curve)
        return hpke.MLKEM768X25519PrivateKey(lattice, curve)

    def decrypt(self, ciphertext: bytes, info: bytes) -> bytes:
        """The inverse of `PublicKey.encrypt`. Raises KeyRefused for another key, other bytes or another `info`."""
        try:
            return SUITE.decrypt(ciphertext, self._hpke, info)
        except InvalidTag:
            raise KeyRefused("this key does not open this layer, or the layer was changed") from None

    def sign(self, message: bytes) -> bytes:
        """The Ed25519 signature (64 bytes) on `message`."""
        return Ed25519PrivateKey.from_private_bytes(self.signing).sign(message)


def write_private(key: PrivateKey, passphrase: str = "") -> bytes:
    """The bytes of a private key file; without a passphrase only the file's mode protects it."""
    secret = key.lattice + key.curve + key.signing
    head: dict[str, Any] = {"type": _PRIVATE, "suite": SUITE_ID, "public": key.public.as_json()}
    if not passphrase:
        return json.dumps(head | {"secret": _b64(secret)}, indent=1).encode()
    salt, nonce = os.urandom(16), os.urandom(12)
    locked = AESGCM(_stretch(passphrase, salt, _SCRYPT)).encrypt(nonce, secret, canonical(key.public.as_json()))
    return json.dumps(head | {"scrypt": _SCRYPT | {"salt": _b64(salt)}, "secret": _b64(nonce + locked)}, indent=1).encode()


def needs_passphrase(data: bytes) -> bool:
    """True where a private key file is locked with a passphrase."""
    return "scrypt" in _key_file(data)


def read_private(data: bytes, passphrase: str = "") -> PrivateKey:
    """The key in a private key file. Raises KeyRefused for a wrong passphrase or a damaged or foreign file."""
    value = _key_file(data)
    secret = base64.b64decode(value["secret"])
    if "scrypt" in value:
        cost = {name: int(value["scrypt"][name]) for name in _SCRYPT}
        stretched = _stretch(passphrase, base64.b64decode(value["scrypt"]["salt"]), cost)
        try:
            secret = AESGCM(stretched).decrypt(secret[:12], secret[12:], canonical(value["public"]))
        except InvalidTag:
            raise KeyRefused("the passphrase is wrong, or the key file was changed") from None
    if len(secret) != _MLKEM_SEED + _X25519 + _ED25519:
        raise KeyRefused("the key file is damaged")
    key = PrivateKey(secret[:_MLKEM_SEED], secret[_MLKEM_SEED : _MLKEM_SEED + _X25519], secret[_MLKEM_SEED + _X25519 :])
    if key.public.as_json() != value["public"]:
        raise KeyRefused("the key file's secret part does not belong to its public part")
    return key


def challenge(public: PublicKey, secret: bytes) -> bytes:
    """A challenge that only the holder of `public`'s secret can read; `secret` is 32 random bytes that the asker keeps."""
    return public.encrypt(secret, _PROOF)


def prove(key: PrivateKey, asked: bytes) -> dict[str, str]:
    """Answer a challenge: proof of holding the opening key (the answer) and the signing key (the signature on it)."""
    answer = _answer(key.decrypt(asked, _PROOF), key.public)
    return {"fingerprint": key.public.fingerprint, "answer": _b64(answer), "signature": _b64(key.sign(_PROOF + answer))}


def proves(proof: dict[str, str], public: PublicKey, secret: bytes) -> bool:
    """True where `proof` answers the challenge made for `public` from `secret`."""
    answer = base64.b64decode(proof["answer"])
    return answer == _answer(secret, public) and public.verify(base64.b64decode(proof["signature"]), _PROOF + answer)


def confirm_head(key: PrivateKey, head: dict[str, Any], at: int) -> dict[str, Any]:
    """An outside holder's receipt for a head: the holder had it by `at` (microseconds, the holder's clock)."""
    said = {"study": head["study"], "index": head["index"], "h": head["h"], "at": at}
    return {"v": 1, **said, "holder": key.public.as_json(), "signature": _b64(key.sign(_RECEIPT + canonical(said)))}


def confirms(receipt: dict[str, Any], public: PublicKey) -> bool:
    """True where the holder of `public` signed this receipt."""
    said = {name: receipt[name] for name in ("study", "index", "h", "at")}
    return public.verify(base64.b64decode(receipt["signature"]), _RECEIPT + canonical(said))


def _answer(secret: bytes, public: PublicKey) -> bytes:
    return hashlib.sha256(_PROOF + secret + public.opening + public.signing).digest()


def _stretch(passphrase: str, salt: bytes, cost: dict[str, int]) -> bytes:
    return Scrypt(salt=salt, length=32, n=cost["n"], r=cost["r"], p=cost["p"]).derive(passphrase.encode())


def _key_file(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except ValueError:
        raise KeyRefused("this is no custodian's key file") from None
    if not isinstance(value, dict) or value.get("type") != _PRIVATE or value.get("suite") != SUITE_ID:
        raise KeyRefused("this is no custodian's private key file of the suite " + SUITE_ID)
    return value


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
