"""The package: the only thing that crosses from a hospital to the platform, both directions.

A package file is, in this order (all integers big endian):

| bytes | what |
|---|---|
| 8 | `PRIMEPK1` |
| 64 | the package's id: SHA-256 of the manifest bytes, hexadecimal |
| 2 + n | length and HPKE ciphertext of the 32-byte content key (`SUITE`; info = `prime/package/1\\0` ‖ id) |
| rest | chunks of 4 MiB of plaintext, AES-256-GCM under the content key, each 16 bytes longer than its plaintext |

Chunk i has nonce = 96-bit i and associated data = `prime/chunk/1\\0` ‖ 64-bit i ‖ one byte (1 for the last chunk, else 0).
The plaintext is a ustar file of `manifest.json` (canonical bytes), `manifest.sig` (Ed25519 of the gateway over
`prime/manifest/1\\0` ‖ manifest bytes) and `objects/<sha256>` in the manifest's order, closed by 1,024 zero bytes. Every
tar header is fully determined by name and size, so nothing can hide in one.
"""

import hashlib
import os
import secrets
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tarfile import USTAR_FORMAT, TarInfo
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from accounts.canonical import canonical
from imaging.edge import envelope, keys
from imaging.edge import manifest as manifests
from imaging.edge.manifest import Manifest, ManifestRefused

MAGIC = b"PRIMEPK1"
CHUNK = 4 * 2**20
MAX_PACKAGE_BYTES = 16 * 2**30
SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_TAG, _BLOCK, _END = 16, 512, bytes(1024)
_MAX_WRAP, _KEY = 4096, 32


class PackageRefused(Exception):
    """A package cannot be taken; the sentence says why, without any content of it."""


@dataclass(frozen=True)
class OpenedPackage:
    """A package whose every byte was verified: its id, its manifest and where each object (by SHA-256) was written."""

    id: str
    manifest: Manifest
    objects: dict[str, Path]


def package_id(manifest: Manifest) -> str:
    """The id of the package with this manifest: SHA-256 of its canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(canonical(manifest)).hexdigest()


def seal_package(*, manifest: Manifest, objects: dict[str, Path], signing_key: bytes, package_key: bytes, out: BinaryIO) -> str:
    """Write the package of `manifest` and `objects` (SHA-256 → file) to `out`, in pieces of 4 MiB; return its id.

    `signing_key` is the gateway's Ed25519 seed, `package_key` the platform's public package key. Raises
    ManifestRefused for a manifest that could not be opened again, PackageRefused when a file is not the object listed.
    """
    said = canonical(manifests.check(manifest))
    if len(said) > manifests.MAX_MANIFEST_BYTES:
        raise ManifestRefused("The manifest is too long; make smaller packages.")
    identity = hashlib.sha256(said).hexdigest().encode("ascii")
    content_key = secrets.token_bytes(_KEY)
    wrap = SUITE.encrypt(content_key, keys.package_public(package_key), info=_info(identity))
    out.write(MAGIC + identity + struct.pack(">H", len(wrap)) + wrap)
    signature = keys.signing_key(signing_key).sign(_signed(said))
    _encrypt(_tar(said, signature, manifest, objects), content_key, out)
    return identity.decode("ascii")


def read_id(file: BinaryIO) -> str:
    """The id a package file claims, from its first 72 bytes; PackageRefused when it is no package."""
    head = file.read(len(MAGIC) + 64)
    claimed = head[len(MAGIC) :].decode("ascii", errors="replace")
    if not head.startswith(MAGIC) or not envelope.is_package_id(claimed):
        raise PackageRefused("This file is not a package.")
    return claimed


def open_package(path: Path, private_key: bytes, gateway_key_lookup: Callable[[str], bytes | None], destination: Path) -> OpenedPackage:
    """Verify the package at `path` wholly and write its objects to `destination` (made here, must not exist).

    `private_key` is the platform's 96-byte package key; `gateway_key_lookup(gateway id)` returns the 32-byte Ed25519
    public key, or None for a gateway that is unknown or closed. Raises PackageRefused; then `destination` is gone
    again. Objects are flushed but not synced: the archive that takes them makes them durable.
    """
    if path.stat().st_size > MAX_PACKAGE_BYTES:
        raise PackageRefused("The package is larger than 16 GiB.")
    destination.mkdir(mode=0o700)
    try:
        with path.open("rb") as file:
            return _open(file, private_key, gateway_key_lookup, destination)
    except BaseException as error:
        _empty(destination)
        if isinstance(error, ManifestRefused):
            raise PackageRefused(str(error)) from None
        raise


def _open(file: BinaryIO, private_key: bytes, gateway_key_lookup: Callable[[str], bytes | None], destination: Path) -> OpenedPackage:
    identity = read_id(file)
    tar = _Plaintext(_decrypt(file, _unwrap(file, identity, private_key)))
    said = tar.member("manifest.json", limit=manifests.MAX_MANIFEST_BYTES)
    if hashlib.sha256(said).hexdigest() != identity:
        raise PackageRefused("The package's id is not the hash of its manifest.")
    manifest = manifests.parse(said)
    _verify_gateway(gateway_key_lookup(manifest["gateway"]), said, tar.member("manifest.sig", limit=64))
    objects = {}
    for entry in manifest["objects"]:
        objects[entry["sha256"]] = destination / entry["sha256"]
        tar.extract(f"objects/{entry['sha256']}", entry["size"], entry["sha256"], objects[entry["sha256"]])
    tar.end()
    return OpenedPackage(identity, manifest, objects)


def _info(identity: bytes) -> bytes:
    return b"prime/package/1\0" + identity


def _signed(manifest: bytes) -> bytes:
    return b"prime/manifest/1\0" + manifest


def _associated(index: int, last: bool) -> bytes:
    return b"prime/chunk/1\0" + struct.pack(">QB", index, last)


def _header(name: str, size: int) -> bytes:
    info = TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(USTAR_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)


def _tar(said: bytes, signature: bytes, manifest: Manifest, objects: dict[str, Path]) -> Iterator[bytes]:
    for name, data in (("manifest.json", said), ("manifest.sig", signature)):
        yield _header(name, len(data)) + data + _padding(len(data))
    for entry in manifest["objects"]:
        yield _header(f"objects/{entry['sha256']}", entry["size"])
        yield from _object(objects[entry["sha256"]], entry["sha256"], entry["size"])
        yield _padding(entry["size"])
    yield _END


def _object(path: Path, sha256: str, size: int) -> Iterator[bytes]:
    hashed, seen = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            hashed.update(piece)
            seen += len(piece)
            yield piece
    if seen != size or hashed.hexdigest() != sha256:
        raise PackageRefused("A file is not the object that the manifest lists.")


def _encrypt(pieces: Iterator[bytes], content_key: bytes, out: BinaryIO) -> None:
    cipher, index, held = AESGCM(content_key), 0, bytearray()
    for piece in pieces:
        held += piece
        while len(held) > CHUNK:  # the last chunk is never empty
            _write_chunk(cipher, index, False, bytes(held[:CHUNK]), out)
            del held[:CHUNK]
            index += 1
    _write_chunk(cipher, index, True, bytes(held), out)


def _write_chunk(cipher: AESGCM, index: int, last: bool, plaintext: bytes, out: BinaryIO) -> None:
    out.write(cipher.encrypt(index.to_bytes(12, "big"), plaintext, _associated(index, last)))


def _unwrap(file: BinaryIO, identity: str, private_key: bytes) -> bytes:
    length = int.from_bytes(file.read(2), "big")
    if length > _MAX_WRAP:
        raise PackageRefused("The package's key wrap is too long.")
    try:
        return SUITE.decrypt(file.read(length), keys.package_private(private_key), info=_info(identity.encode("ascii")))
    except (InvalidTag, ValueError):
        raise PackageRefused("The package was not sealed for this platform's key, or it was altered.") from None


def _decrypt(file: BinaryIO, content_key: bytes) -> Iterator[bytes]:
    """The plaintext, chunk by chunk; a missing, added, swapped or altered chunk is refused before it is used."""
    if len(content_key) != _KEY:
        raise PackageRefused("The package's content key has the wrong length.")
    cipher, index, piece = AESGCM(content_key), 0, file.read(CHUNK + _TAG)
    while piece:
        following = file.read(CHUNK + _TAG)
        try:
            yield cipher.decrypt(index.to_bytes(12, "big"), piece, _associated(index, not following))
        except (InvalidTag, ValueError):
            raise PackageRefused("The package was cut short or altered.") from None
        index, piece = index + 1, following
    if not index:
        raise PackageRefused("The package was cut short or altered.")


class _Plaintext:
    """Reads the members of the tar in the one order they may have."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks = chunks
        self.held = memoryview(b"")

    def read(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self.held:
                self.held = memoryview(next(self.chunks, b""))
                if not self.held:
                    raise PackageRefused("The package ends before its last object.")
            piece, self.held = self.held[:size], self.held[size:]
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        return b"".join(self.read(size))

    def size_of(self, name: str, limit: int) -> int:
        header = self.exactly(_BLOCK)
        try:
            size = int(header[124:135], 8)
        except ValueError:
            raise PackageRefused("The package's tar is not as it must be.") from None
        if not 0 <= size <= limit or header != _header(name, size):
            raise PackageRefused("The package's tar is not as it must be.")
        return size

    def member(self, name: str, *, limit: int) -> bytes:
        size = self.size_of(name, limit)
        data = self.exactly(size)
        self.pad(size)
        return data

    def extract(self, name: str, size: int, sha256: str, path: Path) -> None:
        if self.size_of(name, size) != size:
            raise PackageRefused("An object does not have the size that the manifest lists.")
        hashed = hashlib.sha256()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for piece in self.read(size):
                hashed.update(piece)
                file.write(piece)
        if hashed.hexdigest() != sha256:
            raise PackageRefused("An object is not the one that the manifest lists.")
        self.pad(size)

    def pad(self, size: int) -> None:
        if any(self.exactly(len(_padding(size)))):
            raise PackageRefused("The package's tar is not as it must be.")

    def end(self) -> None:
        if any(self.exactly(len(_END))) or self.held or next(self.chunks, b""):
            raise PackageRefused("The package goes on after its last object.")


def _verify_gateway(key: bytes | None, said: bytes, signature: bytes) -> None:
    if key is None:
        raise PackageRefused("The package comes from a gateway that this platform does not know.")
    try:
        keys.verifying_key(key).verify(signature, _signed(said))
    except InvalidSignature:
        raise PackageRefused("The manifest is not signed by the gateway it names.") from None


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
