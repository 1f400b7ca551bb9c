"""The platform's key for what leaves and what comes from outside: shifted dates, and the tokens of other people's row keys (DI-07).

The key is 32 random bytes in the web process's key directory, born where it is first asked for; it is in no backup of the
database, so that neither a dump nor an export leads from a token or a shifted date back to its source.
"""

import hashlib
import hmac
import os
import secrets

from django.conf import settings

from studies.exchange import date_shift

NAME = "keys/web/export.key"
SIZE = 32


def export_key() -> bytes:
    """The export key of this installation; made when there is none."""
    path = settings.VAR / NAME
    try:
        return path.read_bytes()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # somebody was first
        return path.read_bytes()
    with os.fdopen(made, "wb") as file:
        file.write(secrets.token_bytes(SIZE))
        file.flush()
        os.fsync(file.fileno())
    return path.read_bytes()


def row_token(mapping: str, key: str) -> str:
    """The token that stands for the key of a source's row: the same for the same row, and nothing to who has no key."""
    return hmac.new(export_key(), f"prime/row/1\0{mapping}\0{key}".encode(), hashlib.sha256).hexdigest()


def offset(study_number: str) -> int:
    """By how many days every date of a participant is shifted when it leaves."""
    return date_shift.offset(export_key(), study_number)
