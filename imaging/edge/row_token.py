"""The one thing about a row of the operating list that crosses: a keyed hash that only this center can compute (EN-05).

The key is derived from the center's key for this purpose alone, so that a token is never equal to a UID or a subject made with the same
key. Without the key nobody can try out hospital numbers, however few digits they have.
"""

import hmac
from datetime import date

from imaging.edge import links

PURPOSE = b"prime/row-token/1"


def row_key(center_key: bytes) -> bytes:
    """The 32-byte key of row tokens: HMAC-SHA-256(center key, `prime/row-token/1`)."""
    return hmac.digest(center_key, PURPOSE, "sha256")


def row_token(key: bytes, local_id: str, surgery_date: date) -> str:
    """64 hexadecimal digits: HMAC-SHA-256 under `row_key` of the hospital number as links compare it, a NUL, and the ISO date."""
    return hmac.digest(key, f"{links.local(local_id)}\0{surgery_date.isoformat()}".encode(), "sha256").hex()
