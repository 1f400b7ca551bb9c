"""The package format: what was sealed comes out, whatever was touched is refused (formats d)."""

import hashlib
import io
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.canonical import canonical
from imaging.edge import envelope, keys, package
from imaging.edge.manifest import Manifest, ManifestRefused
from imaging.edge.package import PackageRefused

GATEWAY_KEY = keys.new_signing_key()
PLATFORM_KEY = keys.new_package_key()
PLATFORM_PUBLIC = keys.package_public_bytes(PLATFORM_KEY)
GATEWAY = envelope.gateway_id("01", keys.signing_public(GATEWAY_KEY))


def known(gateway: str) -> bytes | None:
    return keys.signing_public(GATEWAY_KEY) if gateway == GATEWAY else None


def manifest_of(contents: list[bytes], **changed: Any) -> Manifest:
    objects = [
        {
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
            "sop_class": "1.2.840.10008.5.1.4.1.1.2",
            "sop_uid": f"2.25.{number + 1}",
            "series_uid": "2.25.99",
        }
        for number, data in enumerate(contents)
    ]
    manifest: dict[str, Any] = {
        "v": 1,
        "study": "PRIME",
        "center": "01",
        "gateway": GATEWAY,
        "software": "prime-edge 0.1.0",
        "seq": 7,
        "made_at": "2026-03-02T08:15:30Z",
        "study_number": "01-0007-42",
        "approval": "伦审 2026-12",
        "rules_sha256": "ab" * 32,
        "series": [{"uid": "2.25.99", "modality": "CT", "count": len(contents), "slice_thickness": "5.0"}],
        "objects": objects,
    }
    return manifest | changed  # type: ignore[return-value]


def sealed(tmp_path: Path, contents: list[bytes], **changed: Any) -> bytes:
    files = {}
    for data in contents:
        path = tmp_path / hashlib.sha256(data).hexdigest()
        path.write_bytes(data)
        files[path.name] = path
    out = io.BytesIO()
    package.seal_package(
        manifest=manifest_of(contents, **changed), objects=files, signing_key=GATEWAY_KEY, package_key=PLATFORM_PUBLIC, out=out
    )
    return out.getvalue()


def opened(tmp_path: Path, data: bytes, lookup: Callable[[str], bytes | None] = known) -> package.OpenedPackage:
    path = tmp_path / "in.package"
    path.write_bytes(data)
    return package.open_package(path, PLATFORM_KEY, lookup, tmp_path / "out")


@pytest.mark.parametrize("sizes", [[1], [511, 512, 513], [package.CHUNK - 1, 2], [package.CHUNK, 3], [3 * package.CHUNK + 17, 5, 70_000]])
def test_package_gives_back_every_byte(tmp_path: Path, sizes: list[int]) -> None:
    contents = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    data = sealed(tmp_path, contents)
    result = opened(tmp_path, data)
    assert [result.objects[entry["sha256"]].read_bytes() for entry in result.manifest["objects"]] == contents
    assert result.id == package.package_id(manifest_of(contents)) == package.read_id(io.BytesIO(data))
    assert result.manifest == manifest_of(contents)


def test_package_layout_is_the_documented_one(tmp_path: Path) -> None:
    """The bytes are taken apart with nothing but the standard library, HPKE, AES-GCM and the module's docstring."""
    contents = [b"A" * package.CHUNK, b"B" * 1000]
    data = sealed(tmp_path, contents)
    identity = hashlib.sha256(canonical(manifest_of(contents))).hexdigest()
    assert data[:72] == b"PRIMEPK1" + identity.encode()
    (length,) = struct.unpack(">H", data[72:74])
    info = b"prime/package/1\0" + identity.encode()
    content_key = package.SUITE.decrypt(data[74 : 74 + length], keys.package_private(PLATFORM_KEY), info=info)
    body = data[74 + length :]
    pieces = [body[: package.CHUNK + 16], body[package.CHUNK + 16 :]]
    plain = b"".join(
        AESGCM(content_key).decrypt(bytes(11) + bytes([i]), piece, b"prime/chunk/1\0" + bytes(7) + bytes([i, i == 1]))
        for i, piece in enumerate(pieces)
    )
    with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
        assert tar.getnames() == ["manifest.json", "manifest.sig"] + ["objects/" + hashlib.sha256(item).hexdigest() for item in contents]
        said, signature = (tar.extractfile(name).read() for name in ("manifest.json", "manifest.sig"))  # type: ignore[union-attr]
    assert said == canonical(manifest_of(contents))
    Ed25519PublicKey.from_public_bytes(keys.signing_public(GATEWAY_KEY)).verify(signature, b"prime/manifest/1\0" + said)


def test_tar_bytes_inside_a_package_are_pinned() -> None:
    """A golden digest: the plaintext layout cannot change without a new version."""
    header = package._header("objects/" + "0" * 64, 1000)
    assert len(header) == 512
    assert hashlib.sha256(header).hexdigest() == "20b3fb3ed51f424fb5308471a693faaddde76e1a8818cdbc768dbc406fe6cf77"


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_package_with_any_byte_flipped_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tmp_path = tmp_path_factory.mktemp("flip")
    whole = bytearray(sealed(tmp_path, [b"x" * 3000, b"y" * 10]))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(PackageRefused):
        opened(tmp_path, bytes(whole))
    assert not (tmp_path / "out").exists()


@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_package_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, cut: float) -> None:
    tmp_path = tmp_path_factory.mktemp("cut")
    whole = sealed(tmp_path, [b"x" * 3000])
    with pytest.raises(PackageRefused):
        opened(tmp_path, whole[: int(len(whole) * cut)])


def chunks_of(whole: bytes) -> tuple[bytes, list[bytes]]:
    start = 74 + int.from_bytes(whole[72:74], "big")
    step = package.CHUNK + 16
    return whole[:start], [whole[at : at + step] for at in range(start, len(whole), step)]


@pytest.mark.parametrize("order", [[1, 0, 2], [0, 2], [0, 1], [0, 1, 1, 2], [0, 1, 2, 2], []])
def test_package_with_chunks_swapped_dropped_or_repeated_is_refused(tmp_path: Path, order: list[int]) -> None:
    head, chunks = chunks_of(sealed(tmp_path, [b"z" * (2 * package.CHUNK + 9)]))
    assert len(chunks) == 3
    with pytest.raises(PackageRefused, match="cut short or altered"):
        opened(tmp_path, head + b"".join(chunks[i] for i in order))


def test_package_with_bytes_added_at_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageRefused):
        opened(tmp_path, sealed(tmp_path, [b"x"]) + b"\0")


def test_package_for_another_platform_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.package").write_bytes(sealed(tmp_path, [b"x"]))
    with pytest.raises(PackageRefused, match="not sealed for this platform"):
        package.open_package(tmp_path / "in.package", keys.new_package_key(), known, tmp_path / "out")


def test_package_of_an_unknown_gateway_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackageRefused, match="does not know"):
        opened(tmp_path, sealed(tmp_path, [b"x"]), lambda gateway: None)


def test_package_signed_by_another_gateway_is_refused(tmp_path: Path) -> None:
    other = keys.signing_public(keys.new_signing_key())
    with pytest.raises(PackageRefused, match="not signed by the gateway"):
        opened(tmp_path, sealed(tmp_path, [b"x"]), lambda gateway: other)


def forged(tmp_path: Path, tar: bytes, said: bytes) -> bytes:
    """A package with any tar inside, made by somebody who knows the format and the platform's public key."""
    identity = hashlib.sha256(said).hexdigest().encode()
    wrap = package.SUITE.encrypt(b"k" * 32, keys.package_public(PLATFORM_PUBLIC), info=b"prime/package/1\0" + identity)
    sealed_tar = AESGCM(b"k" * 32).encrypt(bytes(12), tar, b"prime/chunk/1\0" + bytes(8) + b"\1")
    return b"PRIMEPK1" + identity + struct.pack(">H", len(wrap)) + wrap + sealed_tar


def tar_of(members: list[tuple[str, bytes]]) -> bytes:
    parts = []
    for name, data in members:
        parts.append(package._header(name, len(data)) + data + bytes(-len(data) % 512))
    return b"".join(parts) + bytes(1024)


def signature_of(said: bytes) -> bytes:
    return keys.signing_key(GATEWAY_KEY).sign(b"prime/manifest/1\0" + said)


@pytest.mark.parametrize("name", ["../../etc/cron.d/x", "/etc/passwd", "objects/../manifest.json", "objects/" + "0" * 64, "objects/x"])
def test_object_under_another_name_is_refused_and_writes_nothing(tmp_path: Path, name: str) -> None:
    """NW-05: names come from the manifest's hashes, never from the tar."""
    said = canonical(manifest_of([b"data"]))
    tar = tar_of([("manifest.json", said), ("manifest.sig", signature_of(said)), (name, b"data")])
    with pytest.raises(PackageRefused, match="tar is not as it must be"):
        opened(tmp_path, forged(tmp_path, tar, said))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.XHDTYPE])
def test_member_that_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    said = canonical(manifest_of([b"data"]))
    link = tarfile.TarInfo("objects/" + hashlib.sha256(b"data").hexdigest())
    link.type, link.linkname, link.mode = kind, "/etc/passwd", 0o600
    tar = tar_of([("manifest.json", said), ("manifest.sig", signature_of(said))])[:-1024] + link.tobuf() + bytes(2048)
    with pytest.raises(PackageRefused):
        opened(tmp_path, forged(tmp_path, tar, said))


@pytest.mark.parametrize("data", [b"dat4", b"data-longer", b"da"])
def test_object_that_is_not_the_one_listed_is_refused(tmp_path: Path, data: bytes) -> None:
    said = canonical(manifest_of([b"data"]))
    name = "objects/" + hashlib.sha256(b"data").hexdigest()
    tar = tar_of([("manifest.json", said), ("manifest.sig", signature_of(said)), (name, data)])
    with pytest.raises(PackageRefused):
        opened(tmp_path, forged(tmp_path, tar, said))


@pytest.mark.parametrize("extra", [[("objects/more", b"x")], [("manifest.json", b"{}")]])
def test_package_with_more_than_its_manifest_lists_is_refused(tmp_path: Path, extra: list[tuple[str, bytes]]) -> None:
    said = canonical(manifest_of([b"data"]))
    members = [("manifest.json", said), ("manifest.sig", signature_of(said)), ("objects/" + hashlib.sha256(b"data").hexdigest(), b"data")]
    with pytest.raises(PackageRefused):
        opened(tmp_path, forged(tmp_path, tar_of(members + extra), said))


@pytest.mark.parametrize(
    "changed",
    [
        {"study_number": "02-0007-42"},
        {"center": "02"},
        {"seq": 0},
        {"seq": True},
        {"v": 2},
        {"series": []},
        {"series": [{"uid": "2.25.99", "modality": "CT", "count": 3}]},
        {"series": [{"uid": "2.25.98", "modality": "CT", "count": 1}]},
        {"objects": []},
        {"software": "x" * 81},
        {"rules_sha256": "AB" * 32},
    ],
)
def test_manifest_that_could_not_be_opened_is_not_sealed_either(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(ManifestRefused):
        sealed(tmp_path, [b"data"], **changed)
    said = canonical(manifest_of([b"data"], **changed))
    with pytest.raises(PackageRefused):
        opened(tmp_path, forged(tmp_path, tar_of([("manifest.json", said), ("manifest.sig", signature_of(said))]), said))


def test_manifest_in_other_than_canonical_bytes_is_refused(tmp_path: Path) -> None:
    """Formats a: one meaning has one byte string, hence one id."""
    said = canonical(manifest_of([b"data"])).replace(b'","', b'", "')
    tar = tar_of([("manifest.json", said), ("manifest.sig", signature_of(said))])
    with pytest.raises(PackageRefused, match="canonical"):
        opened(tmp_path, forged(tmp_path, tar, said))


def test_sealing_refuses_a_file_that_changed_after_it_was_listed(tmp_path: Path) -> None:
    path = tmp_path / "object"
    path.write_bytes(b"other")
    name = hashlib.sha256(b"data").hexdigest()
    with pytest.raises(PackageRefused, match="not the object"):
        package.seal_package(
            manifest=manifest_of([b"data"]),
            objects={name: path},
            signing_key=GATEWAY_KEY,
            package_key=PLATFORM_PUBLIC,
            out=io.BytesIO(),
        )


def test_two_seals_of_one_manifest_share_the_id_and_no_ciphertext(tmp_path: Path) -> None:
    first, second = sealed(tmp_path, [b"data"]), sealed(tmp_path, [b"data"])
    assert first[:72] == second[:72]
    assert first[74:] != second[74:]
