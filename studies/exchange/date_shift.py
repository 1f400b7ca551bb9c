"""Shifted dates of exports: one offset per participant, from one to 365 days back, for everything that leaves (DI-04).

The offset is HMAC-SHA-256(export key, study number), so that it is the same in every export of the installation and says
nothing to who has no key. Every interval within a participant is kept to the day. A date known to the month or year becomes
an ISO 8601 interval of its first and last possible day: shifting its text would claim a month that was never known. Pure.
"""

import calendar
import hashlib
import hmac
import re
from datetime import date, timedelta

DAYS = 365
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)


def offset(key: bytes, study_number: str) -> int:
    """Days to add to every date of a participant: −1 … −365, never 0. Raises ValueError for a key under 32 bytes."""
    if len(key) < hashlib.sha256().digest_size:
        raise ValueError("an export key has at least 32 bytes")
    mac = hmac.new(key, b"prime/export-dates/1\0" + study_number.encode(), hashlib.sha256).digest()
    return -(int.from_bytes(mac) % DAYS + 1)


def shift(text: str, days: int) -> str:
    """An ISO date moved by `days`; `2026` and `2026-05` become `first/last`. Raises ValueError for other text."""
    found = _PARTIAL.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no ISO date")
    year, month, day = (int(part) if part else 0 for part in found.groups())
    if day:
        return move(date(year, month, day), days).isoformat()
    first = date(year, month or 1, 1)
    last_month = month or 12
    last = date(year, last_month, calendar.monthrange(year, last_month)[1])
    return f"{move(first, days).isoformat()}/{move(last, days).isoformat()}"


def move(day: date, days: int) -> date:
    """A calendar date `days` later (earlier where negative)."""
    return day + timedelta(days=days)
