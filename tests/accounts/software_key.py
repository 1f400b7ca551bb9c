"""A security key made of software: it answers as WebAuthn level 2 says (§6.1 authenticator data, §5.8.1 client data), or wrongly."""

import json
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_decode, websafe_encode

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
ORIGIN = "https://prime.example"


@dataclass
class SoftwareKey:
    """One credential for one address; `counter` is what it says next of how often it signed."""

    host: str = "prime.example"
    origin: str = ORIGIN
    counter: int = 1
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def made(self, options: dict[str, Any]) -> str:
        """The answer to `navigator.credentials.create`, without an attestation."""
        public = cbor.encode(dict(ES256.from_cryptography_key(self.private.public_key())))
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + public
        statement = {"fmt": "none", "attStmt": {}, "authData": self._data(PRESENT | ATTESTED) + attested}
        said = self._client_data("webauthn.create", options)
        return self._answer(attestationObject=cbor.encode(statement), clientDataJSON=said)

    def answered(self, options: dict[str, Any]) -> str:
        """The answer to `navigator.credentials.get`."""
        data, said = self._data(PRESENT | VERIFIED), self._client_data("webauthn.get", options)
        signature = self.private.sign(data + sha256(said).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(authenticatorData=data, clientDataJSON=said, signature=signature)

    def _data(self, flags: int) -> bytes:
        data = sha256(self.host.encode()).digest() + bytes([flags]) + self.counter.to_bytes(4, "big")
        self.counter += 1
        return data

    def _client_data(self, kind: str, options: dict[str, Any]) -> bytes:
        challenge = websafe_encode(websafe_decode(options["publicKey"]["challenge"]))
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _answer(self, **parts: bytes) -> str:
        name = websafe_encode(self.credential_id)
        response = {part: websafe_encode(data) for part, data in parts.items()}
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}})
