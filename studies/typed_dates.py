"""A date as a person types it, understood once and said back, or refused; never guessed.

Year first in every form, so that 03/04 can never be read two ways: 2026-11-19, 2026/11/19, 2026.11.19, 20261119 and
2026年11月19日, in full-width digits too. Where only the month or the year is known it may stop there. Pure.
"""

import re
import unicodedata
from datetime import date

_FORMS = (
    re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?", re.ASCII),
    re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII),
)
_PARTIAL_FORMS = (
    re.compile(r"(\d{4})年?", re.ASCII),
    re.compile(r"(\d{4})[-/.](\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})年(\d{1,2})月", re.ASCII),
)
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "‐": "-", "。": ".", "．": "."})


class NotUnderstood(ValueError):
    """The text is no date in a form that can be read one way only."""


def understand(text: str) -> date:
    """The calendar date that `text` says. Raises NotUnderstood for another form, ValueError for a day that never was."""
    if found := _match(text, _FORMS):
        year, month, day = found
        return date(year, month, day)
    raise NotUnderstood(text)


def understand_partial(text: str) -> str:
    """The same for a date that may stop at the month or year, as ISO 8601 text: `2026`, `2026-05` or `2026-05-03` (EP-09)."""
    if found := _match(text, _PARTIAL_FORMS):
        year, month = (*found, 1)[:2]
        return date(year, month, 1).isoformat()[: 4 if len(found) == 1 else 7]
    return understand(text).isoformat()


def _match(text: str, forms: tuple[re.Pattern[str], ...]) -> tuple[int, ...]:
    plain = "".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split())
    matches = (form.fullmatch(plain) for form in forms)
    return next((tuple(map(int, found.groups())) for found in matches if found), ())
