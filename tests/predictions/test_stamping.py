"""Time stamps of an authority on heads (RFC 3161), with an authority of the test's own, offline."""

import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.core.management import CommandError, call_command

from accounts import anchors, ledger
from predictions import outside, stamping
from tests import world

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here: stamps are neither asked for nor verified"),
]
POLICY = """[tsa]
default_tsa = one
[one]
serial = {folder}/serial
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""


class Authority:
    """A certificate for time stamping and the key to it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, folder.name)])
        now = datetime.now(UTC)  # noqa: TID251 - the real clock: openssl looks at it
        made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - timedelta(1), now + timedelta(1))
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
        made = made.add_extension(purpose, critical=True).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate = folder / "tsa.pem"
        self.certificate.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "key.pem").write_bytes(key.private_bytes(*plain))
        (folder / "serial").write_text("01\n")
        (folder / "policy").write_text(POLICY.format(folder=folder))

    def answer(self, query):
        reply = self.folder / "reply.tsr"
        words = ["-reply", "-queryfile", str(query), "-config", str(self.folder / "policy"), "-section", "one", "-out", str(reply)]
        signer = ["-signer", str(self.certificate), "-inkey", str(self.folder / "key.pem")]
        subprocess.run(["openssl", "ts", *words, *signer], check=True, capture_output=True)
        return reply


@pytest.fixture
def study(settings, tmp_path):
    settings.VAR = tmp_path / "var"
    found = world.build().study
    anchors.write(study=found.code, at=found.now())
    return found


def test_stamp_on_the_newest_head_counts_as_outside(study, settings, tmp_path):
    authority, query = Authority(tmp_path / "authority"), tmp_path / "head.tsq"
    settings.PRIME_TSA_CA = str(authority.certificate)
    newest = anchors.read(study.code)[-1]
    call_command("outside", "stamp", "--study", study.code, "--query", str(query))
    assert newest.head not in query.read_bytes()
    reply = authority.answer(query)
    call_command("outside", "stamp", "--study", study.code, "--answer", str(reply))
    [kept] = anchors.outside(study.code, synthetic=False)
    assert (kept.index, kept.head) == (newest.index, newest.head)
    assert abs(kept.at - newest.at) < 60 * 10**6
    assert ledger.said_last(study.code, "anchor", "holder") == "tsa"
    [stored] = (anchors.folder(study.code) / "received").glob("*.tsr")
    assert stored.read_bytes() == reply.read_bytes()
    with pytest.raises(CommandError, match="stamped already"):
        call_command("outside", "stamp", "--study", study.code, "--answer", str(reply))


def test_other_authority_other_head_and_other_bytes_are_refused(study, settings, tmp_path):
    one, other, query = Authority(tmp_path / "one"), Authority(tmp_path / "other"), tmp_path / "head.tsq"
    anchor, asked = stamping.query(study.code)
    query.write_bytes(asked)
    answer = one.answer(query).read_bytes()
    data = outside.head_json(study.code, anchor)
    assert stamping.verified(data, answer, one.certificate) > 0
    for given in ((data, answer, other.certificate), (data + b" ", answer, one.certificate), (data, answer[:-9], one.certificate)):
        with pytest.raises(stamping.StampRefused, match="no valid stamp"):
            stamping.verified(*given)


def test_nothing_is_asked_without_an_address_or_a_head(study, settings, tmp_path):
    with pytest.raises(stamping.StampRefused, match="no address"):
        stamping.post("file:///etc/passwd", b"")
    with pytest.raises(stamping.StampRefused, match="was anchored"):
        stamping.query("NONE")
