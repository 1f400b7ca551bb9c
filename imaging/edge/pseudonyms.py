"""Pseudonyms under the center's own key: the same original gives the same one for years, and nobody without the key can go back (DI-05)."""

import hashlib
import hmac


def keyed_uid(key: bytes, uid: str) -> str:
    """`2.25.` and the first 128 bits of HMAC-SHA-256(center key, UID) as a decimal integer (DI-05); at most 44 characters."""
    return f"2.25.{int.from_bytes(hmac.digest(key, uid.encode(), 'sha256')[:16], 'big')}"


def keyed_subject(key: bytes, center: str, local_id: str) -> str:
    """A stable subject code for images without a study number: the center and 12 digits of HMAC-SHA-256(center key, local id)."""
    return f"{center}-{hmac.digest(key, b'subject' + bytes(1) + local_id.encode(), hashlib.sha256).hex()[:12]}"
