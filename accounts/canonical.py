"""Canonical bytes: one value, one byte string, everywhere and for decades.

RFC 8785 (JSON Canonicalization Scheme) restricted to integers as the only numbers. A float enters as its shortest
`repr` string, text in Unicode NFC, so that two machines hash the same fact to the same digest. H is SHA-256.
Pure: the hospital's edge and the offline programs import it too.
"""

import hashlib
import json
import unicodedata
from typing import Any

_LARGEST = 2**53 - 1  # RFC 8785 §3.2.2.3: beyond it other JSON readers lose digits


def number(value: float) -> str:
    """A float as the string that stands for it in canonical bytes: its shortest repr ("0.1", "1e-09", "nan")."""
    return repr(float(value))


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON value made of None, bool, int, str, list/tuple and dict with str keys.

    Raises TypeError for a float or another type, ValueError for an integer beyond 2**53 − 1 or keys equal after NFC.
    """
    return _text(value).encode("utf-8")


def digest(value: Any) -> str:
    """H of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _text(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            if abs(value) > _LARGEST:
                raise ValueError(f"{value} is beyond 2**53 − 1; write it as a string")
            return str(int(value))
        case str():
            return json.dumps(unicodedata.normalize("NFC", value), ensure_ascii=False)
        case list() | tuple():
            return "[" + ",".join(_text(item) for item in value) + "]"
        case dict():
            return _object(value)
        case float():
            raise TypeError(f"{value!r} is a float; canonical bytes hold integers only: use canonical.number()")
    raise TypeError(f"{type(value).__name__} has no canonical bytes")


def _object(value: dict[str, Any]) -> str:
    if not all(isinstance(key, str) for key in value):
        raise TypeError("keys of canonical objects are text")
    pairs = {unicodedata.normalize("NFC", key): item for key, item in value.items()}
    if len(pairs) != len(value):
        raise ValueError("two keys are the same after Unicode normalisation")
    ordered = sorted(pairs, key=lambda key: key.encode("utf-16-be"))  # RFC 8785 §3.2.3: by UTF-16 code units
    return "{" + ",".join(f"{_text(key)}:{_text(pairs[key])}" for key in ordered) + "}"
