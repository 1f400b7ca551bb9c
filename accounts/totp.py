"""Codes that a device makes from a shared secret and the time: TOTP (RFC 6238) over HOTP (RFC 4226), six digits, 30 s, SHA-1. Pure."""

import base64
import hashlib
import hmac
from urllib.parse import quote

SECONDS, DIGITS = 30, 6
SECRET_SIZE = 20  # bytes, RFC 4226 §4 R6
SKEW = 1  # steps before and after, for a telephone whose clock is off (RFC 6238 §5.2)


def step_at(seconds: float) -> int:
    """The time step of an instant (seconds since 1970)."""
    return int(seconds // SECONDS)


def code(secret: bytes, step: int, digits: int = DIGITS) -> str:
    """The code of one step (RFC 4226 §5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = mac[-1] & 0x0F
    value = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(value % 10**digits).zfill(digits)


def matching(secret: bytes, typed: str, *, step: int, after: int) -> int | None:
    """The step whose code was typed, near `step` and later than `after` (so that no code serves twice), or None."""
    digits = "".join(typed.split())
    near = range(max(step - SKEW, after + 1), step + SKEW + 1)
    return next((each for each in near if hmac.compare_digest(code(secret, each).encode(), digits.encode())), None)


def as_text(secret: bytes) -> str:
    """The secret as people type it into an app: Base32 in groups of four."""
    text = base64.b32encode(secret).decode().rstrip("=")
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def address(secret: bytes, *, issuer: str, name: str) -> str:
    """The otpauth:// address that an app takes as a link."""
    label = f"{quote(issuer)}:{quote(name)}"
    return f"otpauth://totp/{label}?secret={as_text(secret).replace(' ', '')}&issuer={quote(issuer)}&digits={DIGITS}&period={SECONDS}"
