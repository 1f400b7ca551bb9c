"""A date as a person types it, understood once and said back, or refused; never guessed.

Year first in every form, so that 03/04 can never be read two ways: 2026-11-19, 2026/11/19, 2026.11.19, 20261119 and
2026年11月19日, in full-width digits too. Pure.
"""

import re
import unicodedata
from datetime import date

_FORMS = (
    re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})", re.ASCII),
    re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]?", re.ASCII),
    re.compile(r"(\d{4})(\d{2})(\d{2})", re.ASCII),
)
_DASHES = str.maketrans({"–": "-", "—": "-", "−": "-", "‐": "-", "。": ".", "．": "."})


class NotUnderstood(ValueError):
    """The text is no date in a form that can be read one way only."""


def understand(text: str) -> date:
    """The calendar date that `text` says. Raises NotUnderstood for another form, ValueError for a day that never was."""
    plain = "".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split())
    for form in _FORMS:
        if found := form.fullmatch(plain):
            year, month, day = map(int, found.groups())
            return date(year, month, day)
    raise NotUnderstood(text)
