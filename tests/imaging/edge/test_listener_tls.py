"""TLS with certificates bound to center, AE title and address; plaintext from the hospital's own network only (NW-01, NW-04)."""

import contextlib
import shutil
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from imaging.edge import associations, clock, commands, peers
from imaging.edge.dicom.certificates import CertificateFault, Certificates
from imaging.edge.dicom.limits import Limits
from imaging.edge.home import Home
from tests.imaging.edge import wire
from tests.imaging.edge.parts import ct, saved, send, until
from tests.imaging.edge.running import Running

NOW = clock.now()
TITLES = ("CHEST", "LIVER", "LATE", "FARAWAY")


@dataclass
class Sender:
    certificate: Path
    key: Path


def sender(folder: Path, name: str, *, until_day: datetime = NOW + timedelta(days=30)) -> Sender:
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(NOW - timedelta(days=60)).not_valid_after(until_day)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    made_by = Sender(folder / f"{name}.crt", folder / f"{name}.key")
    made_by.certificate.write_bytes(made.public_bytes(pem))
    made_by.key.write_bytes(key.private_bytes(pem, raw, serialization.NoEncryption()))
    return made_by


@dataclass
class Secured:
    running: Running
    port: int
    certificates: Certificates
    senders: dict[str, Sender]

    def client(self, title: str | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.certificates.certificate))
        context.check_hostname = False
        if title is not None:
            context.load_cert_chain(self.senders[title].certificate, self.senders[title].key)
        return context

    def associate(self, title: str, context: ssl.SSLContext) -> tuple[int, bytes]:
        """The answer to an association request; (0, b"") when TLS did not come about."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            plain = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), timeout=20))
            link = stack.enter_context(context.wrap_socket(plain))
            answers = stack.enter_context(link.makefile("rb"))
            link.sendall(wire.associate_rq(caller=title))
            return wire.pdu(answers)
        return 0, b""

    def dropped(self) -> list[str]:
        return self.running.reasons()


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    certificates = Certificates(folder / "tls")
    certificates.make(["edge.example"], now=NOW)
    senders = {title: sender(folder, title) for title in ("CHEST", "LIVER", "FARAWAY", "NOBODY")}
    senders["LATE"] = sender(folder, "LATE", until_day=NOW - timedelta(days=1))
    for title in TITLES:
        certificates.trust(title, senders[title].certificate.read_bytes())
        peers.add(folder / "peers.json", ae_title=title, addresses=["10.1.2.3"] if title == "FARAWAY" else [])
    running = Running(folder, certificates=certificates, limits=Limits(association_seconds=4, handshake_seconds=1.5))
    yield Secured(running, running.listener.start("127.0.0.1", 0, secured=True), certificates, senders)
    running.listener.stop()


ACCEPTED, UNKNOWN, NO_TLS = 2, (3, b"\0\1\1\3"), (0, b"")


def test_registered_certificate_of_the_title_is_let_in(secured: Secured) -> None:
    assert secured.associate("CHEST", secured.client("CHEST"))[0] == ACCEPTED


@pytest.mark.parametrize(("title", "certificate", "answer", "noted"), [
    ("CHEST", "LIVER", UNKNOWN, "certificate-of-another"),
    ("STORESCU", "CHEST", UNKNOWN, "certificate-of-another"),
    ("FARAWAY", "FARAWAY", UNKNOWN, ""),
    ("CHEST", "NOBODY", NO_TLS, "tls-certificate-verify-failed"),
    ("CHEST", None, NO_TLS, "tls-peer-did-not-return-a-certificate"),
    ("LATE", "LATE", NO_TLS, "tls-certificate-verify-failed"),
])  # fmt: skip
def test_anybody_else_is_refused_and_noted(
    secured: Secured, title: str, certificate: str | None, answer: tuple[int, bytes], noted: str
) -> None:
    """Right title and wrong certificate, right certificate and wrong title or address, unknown, none, expired."""
    assert secured.associate(title, secured.client(certificate)) == answer
    if answer == UNKNOWN:
        row = secured.running.history()[-1]
        assert (row["what"], row["reason"], row.get("why", "")) == ("rejected", "1/1/3", noted)
    else:
        until(lambda: noted in secured.dropped(), f"{noted} in {secured.dropped()}")
        row = next(row for row in secured.running.history() if row.get("reason") == noted)
        assert [said.text for said in associations.explained(row, "PRIME")] == [associations.ENDS["tls"]]


def test_tls_1_1_is_refused_and_1_2_and_1_3_are_not(secured: Secured) -> None:
    old = secured.client("CHEST")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    assert secured.associate("CHEST", old) == NO_TLS
    until(lambda: "tls-unsupported-protocol" in secured.dropped(), "the history")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = secured.client("CHEST")
        context.minimum_version = context.maximum_version = version
        assert secured.associate("CHEST", context)[0] == ACCEPTED


def test_sender_with_a_certificate_is_not_heard_without_it(secured: Secured) -> None:
    assert send(secured.running.port, [ct(1)], caller="CHEST") == []
    assert secured.running.history()[-1]["why"] == "must-use-tls"
    assert send(secured.running.port, [ct(1)]) == [0]


def test_revoked_certificate_is_refused_at_once(secured: Secured) -> None:
    assert secured.certificates.revoke("LIVER") == 1
    try:
        assert secured.associate("LIVER", secured.client("LIVER")) == NO_TLS
    finally:
        secured.certificates.trust("LIVER", secured.senders["LIVER"].certificate.read_bytes())
    assert secured.associate("LIVER", secured.client("LIVER"))[0] == ACCEPTED


def test_silent_peers_of_the_tls_port_block_nobody(secured: Secured) -> None:
    """pynetdicom shook hands in its accept loop: one silent peer, and all the others waited."""
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(socket.create_connection(("127.0.0.1", secured.port), timeout=20)) for _ in range(8)]
        silent[0].sendall(b"\x16\x03\x01")
        for _ in range(3):
            assert secured.associate("CHEST", secured.client("CHEST"))[0] == ACCEPTED
        assert silent[0].recv(100) in (b"", b"\x15\x03\x03\0\2\2\x28")  # the handshake's own deadline ends them
    until(lambda: "deadline" in secured.dropped(), "the history")


@pytest.mark.skipif(shutil.which("storescu") is None, reason="dcmtk is not installed")
def test_stock_storescu_stores_over_tls(secured: Secured, tmp_path: Path) -> None:
    kept, own = len(secured.running.files()), secured.senders["CHEST"]
    path = saved(ct(5, Rows=512, Columns=512, PixelData=bytes(2 * 512 * 512)), tmp_path / "one.dcm")
    tls = ("+tls", str(own.key), str(own.certificate), "+cf", str(secured.certificates.certificate))
    command = ("storescu", *tls, "-aet", "CHEST", "-aec", "PRIME", "127.0.0.1", str(secured.port), str(path))
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    assert len(secured.running.files()) == kept + 1


@pytest.mark.parametrize(("address", "local"), [
    ("10.1.2.3", True), ("192.168.0.9", True), ("172.31.0.1", True), ("100.64.0.1", True), ("127.0.0.1", True), ("fd00::1", True),
    ("fe80::1%eth0", True), ("::ffff:10.1.2.3", True), ("8.8.8.8", False), ("172.32.0.1", False), ("2400:3200::1", False),
])  # fmt: skip
def test_plaintext_is_for_networks_that_the_internet_does_not_route(address: str, local: bool) -> None:
    assert peers.is_local(address) is local


def test_commands_set_tls_up(edge_home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, other = sender(tmp_path, "PACS"), sender(tmp_path, "OTHER")

    def edge(*words: str) -> int:
        return commands.main(["tls", *words, "--dir", str(edge_home.directory)])

    assert edge("make", "edge.example") == 0
    assert (edge_home.tls / "edge.key").stat().st_mode & 0o777 == 0o600
    assert edge("trust", "UNLISTED", str(own.certificate)) == 2
    assert "not a listed peer" in capsys.readouterr().err
    assert edge("trust", "STORESCU", str(own.certificate)) == 0
    assert edge("list") == 0
    shown = x509.load_pem_x509_certificate(own.certificate.read_bytes()).fingerprint(hashes.SHA256()).hex()
    assert shown in capsys.readouterr().out
    assert edge("use", str(other.certificate), str(own.key)) == 2, "a key of another certificate"
    assert edge("use", str(other.certificate), str(other.key)) == 0
    assert edge("revoke", "STORESCU") == 0
    assert edge("revoke", "STORESCU") == 2
    assert edge("nonsense") == 2


def test_two_senders_never_share_a_certificate(tmp_path: Path) -> None:
    certificates, shared = Certificates(tmp_path / "tls"), sender(tmp_path, "PACS").certificate.read_bytes()
    certificates.trust("ONE", shared)
    with pytest.raises(CertificateFault):
        certificates.trust("TWO", shared)
