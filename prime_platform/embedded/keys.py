"""The platform's own keys: made once, each in the directory of the one process that uses it (`docs/formats.md`, d)."""

import json
from pathlib import Path

from imaging.edge import keys
from prime_platform.embedded.state import Identities, give


def ensure(var: Path, who: Identities, *, study: str, url: str) -> Path:
    """Make the missing keys and write what every edge must know of this platform; the path of that public file.

    web holds the key that says "stored"; worker holds the one that says "archived" or "refused" and the package key.
    """
    stored = _key(var / "keys/web/receipt-stored.key", keys.new_signing_key(), who, "web")
    archived = _key(var / "keys/worker/receipt-archived.key", keys.new_signing_key(), who, "worker")
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


def _key(path: Path, fresh: bytes, who: Identities, part: str) -> bytes:
    if not path.exists():
        keys.write_key(path, fresh)
        give(path, who, part)
    return keys.read_key(path)
