"""TLS for senders: our own certificate, and the senders' certificates, each bound to one AE title of this center's edge (NW-04).

Trust is the list and nothing else: the very certificates that were registered, not whoever an authority may sign for. So taking one off the
list revokes it at once, and an expired one is refused by its date. Files of `tls/`: `edge.crt`, `edge.key` (0600), `clients.json`.
"""

import json
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from imaging.edge.durable import write_durably

DAYS = 5 * 365
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"  # of TLS 1.2 what BCP 195 recommends; 1.3 has no others


class CertificateFault(Exception):
    """What was asked about a certificate cannot be; the sentence says why."""


@dataclass(frozen=True)
class Bound:
    """A sender's certificate: whose, its SHA-256, and its last day."""

    ae_title: str
    sha256: str
    until: datetime


class Certificates:
    """The `tls` directory of one edge. Everything is read anew for each handshake, so that a change holds at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.certificate, self.key, self._clients = (directory / name for name in ("edge.crt", "edge.key", "clients.json"))

    @property
    def ready(self) -> bool:
        """Whether there is a certificate to listen with."""
        return self.certificate.exists() and self.key.exists()

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or 1.3, with a registered client certificate or not at all."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_cert_chain(self.certificate, self.key)
        trusted = "".join(pem for pems in self._read().values() for pem in pems)
        if trusted:
            context.load_verify_locations(cadata=trusted)
        return context

    def is_bound(self, ae_title: str, certificate: bytes) -> bool:
        """Whether this certificate (DER) is one of this AE title's."""
        return any(ssl.PEM_cert_to_DER_cert(pem) == certificate for pem in self._read().get(ae_title, []))

    def has_any(self, ae_title: str) -> bool:
        """Whether a sender has a certificate: then it must use it."""
        return bool(self._read().get(ae_title))

    def make(self, names: list[str], *, now: datetime) -> None:
        """A key and a self-signed certificate for these host names, to be given to the senders' administrators."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=DAYS))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(key, hashes.SHA256())
        )
        secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        self.use(made.public_bytes(serialization.Encoding.PEM), secret)

    def use(self, certificate: bytes, key: bytes) -> None:
        """Listen with this certificate (PEM, its chain after it) and key; CertificateFault when they do not belong together."""
        self.directory.mkdir(mode=0o700, exist_ok=True)
        with TemporaryDirectory(dir=self.directory) as tried:
            pair = Path(tried) / "pair"
            write_durably(pair, [certificate, b"\n", key])
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(pair)
            except ssl.SSLError:
                raise CertificateFault("This is no certificate in PEM with the private key that belongs to it.") from None
        self._write(self.key, key)
        self._write(self.certificate, certificate)

    def trust(self, ae_title: str, pem: bytes) -> Bound:
        """Bind a sender's certificate to its AE title; one that another title has is refused."""
        try:
            parsed = x509.load_pem_x509_certificate(pem)
        except ValueError:
            raise CertificateFault("This is no certificate in PEM.") from None
        text, known = parsed.public_bytes(serialization.Encoding.PEM).decode(), self._read()
        if any(text in pems for title, pems in known.items() if title != ae_title):
            raise CertificateFault("Another sender has this certificate; each needs its own.")
        self._replace(known | {ae_title: [*(one for one in known.get(ae_title, []) if one != text), text]})
        return _bound(ae_title, text)

    def revoke(self, ae_title: str) -> int:
        """Forget a sender's certificates, from now on; how many there were."""
        known = self._read()
        forgotten = known.pop(ae_title, [])
        self._replace(known)
        return len(forgotten)

    def listed(self) -> list[Bound]:
        """Every certificate that is trusted."""
        return [_bound(title, pem) for title, pems in sorted(self._read().items()) for pem in pems]

    def _read(self) -> dict[str, list[str]]:
        if not self._clients.exists():
            return {}
        known: dict[str, list[str]] = json.loads(self._clients.read_bytes())
        return known

    def _replace(self, known: dict[str, list[str]]) -> None:
        self.directory.mkdir(mode=0o700, exist_ok=True)
        self._write(self._clients, json.dumps(known, indent=1, sort_keys=True).encode())

    def _write(self, path: Path, data: bytes) -> None:
        path.with_name(path.name + ".part").unlink(missing_ok=True)
        write_durably(path, [data])


def _bound(ae_title: str, pem: str) -> Bound:
    parsed = x509.load_pem_x509_certificate(pem.encode())
    return Bound(ae_title, parsed.fingerprint(hashes.SHA256()).hex(), parsed.not_valid_after_utc)
