"""The platform's own keys: made once, each in the directory of the one process that uses it (`docs/formats.md`, d)."""

import json
import os
import secrets
from pathlib import Path

from imaging.edge import keys
from prime_platform.embedded.state import Identities, give


def ensure(var: Path, who: Identities, *, study: str, url: str) -> Path:
    """Make the missing keys and write what every edge must know of this platform; the path of that public file.

    web holds the key that says "stored"; worker holds the one that says "archived" or "refused" and the package key.
    """
    stored = _key(var / "keys/web/receipt-stored.key", keys.new_signing_key(), who, "web")
    archived = _key(var / "keys/worker/receipt-archived.key", keys.new_signing_key(), who, "worker")
    for name in ("export.key", "second_factor.key"):  # where the web process may not write its own directory, as in a container
        _secret(var / "keys/web" / name, who, "web")
    package = _key(var / "keys/worker/package.key", keys.new_package_key(), who, "worker")
    public = {
        "v": 1,
        "study": study,
        "url": url,
        "package": keys.to_text(keys.package_public_bytes(package)),
        "receipt_stored": keys.to_text(keys.signing_public(stored)),
        "receipt_archived": keys.to_text(keys.signing_public(archived)),
    }
    file = var / "keys/public/platform.json"
    text = json.dumps(public, indent=1) + "\n"
    if not file.exists() or file.read_text() != text:
        partial = file.with_suffix(".part")
        partial.write_text(text)
        partial.chmod(0o644)
        partial.rename(file)
    return file


def _secret(path: Path, who: Identities, part: str) -> None:
    """32 random bytes, made once."""
    if not path.exists():
        write_private_bytes(path, secrets.token_bytes(32))
        give(path, who, part)


def write_private_bytes(path: Path, content: bytes) -> None:
    """Write a new file that its owner alone reads."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _key(path: Path, fresh: bytes, who: Identities, part: str) -> bytes:
    if not path.exists():
        keys.write_key(path, fresh)
        give(path, who, part)
    return keys.read_key(path)
