"""An edge's own directory: what lies where, its settings, and how it is made. One edge is one center (formats e).

`arriving/` being received · `spool/` received, durable · `quarantine/` held for a person · `outbox/` packages ·
`keys/` 0600 · `edge.sqlite` state · `edge.json` settings · `peers.json` who may send · `platform.json` where packages go ·
`associations.jsonl` who called · `tls/` certificates · `running.json` where it listens · `*.lock` held by who runs.
"""

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imaging.edge import envelope, keys
from imaging.edge.durable import write_durably

SOFTWARE = "prime-edge 0.1.0"
RESERVE_BYTES = 2 * 2**30
QUIET_SECONDS = 3
LOOKED_AT_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4)
_CENTER = re.compile(r"[0-9]{2}")


class HomeFault(Exception):
    """The edge's directory is not as it must be; the sentence says what to do."""


@dataclass(frozen=True)
class Platform:
    """Where packages go: the study's code, the platform's address and its three public keys."""

    study: str
    url: str
    package: bytes
    receipt_stored: bytes
    receipt_archived: bytes


class Home:
    """The directory of one edge."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.spool, self.quarantine, self.outbox = (directory / name for name in ("spool", "quarantine", "outbox"))
        self.database, self.peers = directory / "edge.sqlite", directory / "peers.json"
        self.nodes = directory / "nodes.json"
        self.associations, self.tls = directory / "associations.jsonl", directory / "tls"

    @property
    def settings(self) -> dict[str, Any]:
        """`center`, `gateway`, `approval`, `reserve_bytes` and `quiet_seconds` of `edge.json`; HomeFault where no edge was made."""
        try:
            said: dict[str, Any] = json.loads((self.directory / "edge.json").read_bytes())
        except FileNotFoundError:
            raise HomeFault(f"There is no edge in {self.directory}. Make one: edge init --center CC --platform FILE") from None
        return said

    @property
    def center_key(self) -> bytes:
        """The 32 bytes that key this center's UIDs."""
        return keys.read_key(self.directory / "keys" / "center.key")

    @property
    def gateway_key(self) -> bytes:
        """The Ed25519 seed that signs this gateway's manifests and requests."""
        return keys.read_key(self.directory / "keys" / "gateway.key")

    @property
    def platform(self) -> Platform:
        """The platform this edge sends to."""
        return read_platform((self.directory / "platform.json").read_bytes())

    @contextmanager
    def only_one(self, part: str) -> Iterator[None]:
        """Hold a part of the directory for one process; HomeFault when another one holds it, or its disk takes nothing."""
        try:
            descriptor = os.open(self._lock(part), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno != errno.EROFS:
                raise
            raise HomeFault(f"The disk under {self.directory} is read-only: check it, mount it for writing, and start again.") from None
        try:
            for patience in (*LOOKED_AT_SECONDS, None):  # somebody may just be looking
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if patience is None:
                        raise HomeFault("Another edge is running in this directory.") from None
                    time.sleep(patience)
            yield
        finally:
            os.close(descriptor)

    def is_held(self, part: str) -> bool:
        """Whether a process holds this part of the directory now."""
        try:
            descriptor = os.open(self._lock(part), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)

    def _lock(self, part: str) -> Path:
        return self.directory / f"{part}.lock"

    def announce(self, **facts: Any) -> None:
        """Add to `running.json` where a half is found: ports, AE title, process id."""
        descriptor = os.open(self._lock("running"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write(self.directory / "running.json", json.dumps(self.running | facts).encode())
        finally:
            os.close(descriptor)

    @property
    def running(self) -> dict[str, Any]:
        """What the halves announced when they began; empty when none ever did."""
        try:
            said: dict[str, Any] = json.loads((self.directory / "running.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return said


def read_platform(data: bytes) -> Platform:
    """The platform described by the bytes of a `platform.json`; HomeFault when a part of it is missing or no key."""
    try:
        said = json.loads(data)
        if said["v"] != 1 or not re.fullmatch(r"https?://[^/?#@\s]+", said["url"].rstrip("/")):
            raise ValueError
        public = {name: keys.from_text(said[name]) for name in ("package", "receipt_stored", "receipt_archived")}
        keys.package_public(public["package"])
        keys.verifying_key(public["receipt_stored"])
        keys.verifying_key(public["receipt_archived"])
        return Platform(study=str(said["study"]), url=said["url"].rstrip("/"), **public)
    except (KeyError, TypeError, ValueError, AttributeError, keys.KeyFault):
        raise HomeFault("This is no platform.json of a PRIME platform: ask its operator for the file again.") from None


def make(directory: Path, *, center: str, platform: bytes, approval: str) -> dict[str, Any]:
    """Make an edge: directories 0700, keys 0600, settings. Returns the gateway's public description, also written as
    `gateway.json`, for `gateway add` on the platform. HomeFault when there is an edge already: keys are never overwritten."""
    if not _CENTER.fullmatch(center):
        raise HomeFault("A center's code is two digits.")
    read_platform(platform)
    home = Home(directory)
    if (directory / "edge.json").exists() or (directory / "keys").exists():
        raise HomeFault(f"There is an edge in {directory} already; its keys are never overwritten.")
    for path in (directory, home.spool, home.quarantine, home.outbox, directory / "keys"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    gateway_key = keys.new_signing_key()
    keys.write_key(directory / "keys" / "center.key", keys.new_center_key())
    keys.write_key(directory / "keys" / "gateway.key", gateway_key)
    public = keys.signing_public(gateway_key)
    gateway = envelope.gateway_id(center, public)
    described = {"v": 1, "center": center, "gateway": gateway, "public_key": keys.to_text(public), "software": SOFTWARE}
    settings = {"center": center, "gateway": gateway, "approval": approval, "reserve_bytes": RESERVE_BYTES, "quiet_seconds": QUIET_SECONDS}
    _write(directory / "platform.json", platform)
    _write(directory / "gateway.json", json.dumps(described, indent=1, ensure_ascii=False).encode() + b"\n")
    _write(directory / "edge.json", json.dumps(settings, indent=1, ensure_ascii=False).encode() + b"\n")  # last: now it is an edge
    return described


def move_platform(home: Home, data: bytes) -> None:
    """Send to the address of this `platform.json` from now on; HomeFault unless it is the same platform (the same keys)."""
    old, new = home.platform, read_platform(data)
    if (old.study, old.package, old.receipt_archived) != (new.study, new.package, new.receipt_archived):
        raise HomeFault("This platform.json belongs to another platform or study; an edge never changes to another one.")
    _write(home.directory / "platform.json", data)


def drop_to_owner(directory: Path) -> None:
    """When root, become the owner of the edge's directory; files made from now on are for their owner only."""
    os.umask(0o077)
    if os.getuid() != 0 or not directory.exists():
        return
    owner = directory.stat()
    if owner.st_uid != 0:
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _write(path: Path, data: bytes) -> None:
    path.with_name(path.name + ".part").unlink(missing_ok=True)
    write_durably(path, [data])
