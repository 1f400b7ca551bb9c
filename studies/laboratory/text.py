"""One pasted line in plain signs that still knows where each came from, so that what is stored is the text as it was pasted. Pure."""

import re
import unicodedata
from dataclasses import dataclass

_SUPERSCRIPT = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+", strict=True))
_SAME = {
    **dict.fromkeys("–—−﹣‐‑‒―", "-"),
    **dict.fromkeys("〜∼˜", "~"),
    **dict.fromkeys("∗✕╳", "*"),
    **dict.fromkeys("≦⩽", "≤"),
    **dict.fromkeys("≧⩾", "≥"),
    **dict.fromkeys("〈‹", "<"),
    **dict.fromkeys("〉›", ">"),
    **dict.fromkeys("【〔［", "["),
    **dict.fromkeys("】〕］", "]"),
    **dict.fromkeys("⬆▲🠕⇧", "↑"),
    **dict.fromkeys("⬇▼🠗⇩", "↓"),
    **dict.fromkeys("│┃┆|｜", "\t"),
    **dict.fromkeys("，；;、", ","),
    "∕": "/",
    "⁄": "/",
    "\u200b": "",
    "\ufeff": "",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the pasted block: its number from 1, as pasted, in plain signs, and for each of these the place it came from."""

    number: int
    pasted: str
    plain: str
    places: tuple[int, ...]

    def original(self, start: int, end: int) -> str:
        """What was pasted where `plain[start:end]` stands."""
        return self.pasted[self.places[start] : self.places[end - 1] + 1] if end > start else ""


def lines_of(block: str) -> list[Line]:
    """The lines of a pasted block, however their ends are written."""
    pasted = re.split(r"\r\n|\r|\n|\u2028|\u2029", block)
    return [line(number, text) for number, text in enumerate(pasted, start=1)]


def line(number: int, pasted: str) -> Line:
    """A pasted line with full-width, superscript and typographic signs made plain. Commas that part items become blanks."""
    plain, places = "", list[int]()
    for place, sign in enumerate(pasted):
        same = _plain(sign, pasted[place - 1] if place else "")
        plain += same
        places += [place] * len(same)
    return Line(number, pasted, _parted(plain), tuple(places))


def _plain(sign: str, before: str) -> str:
    if sign in _SUPERSCRIPT:
        return _SUPERSCRIPT[sign] if before in _SUPERSCRIPT else "^" + _SUPERSCRIPT[sign]
    if sign in _SAME:
        return _SAME[sign]
    same = unicodedata.normalize("NFKC", sign)
    return " " if same.isspace() and same != "\t" else same


def _parted(plain: str) -> str:
    """A comma within a number stays and will be doubted; any other parts two things. The length does not change."""
    return re.sub(r"(?<!\d),|,(?!\d)", " ", plain)
