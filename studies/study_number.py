"""The study number `CC-NNNN-DD`: center, sequence and two check digits (EN-05, docs/formats.md b).

The check digits are those of ISO 7064 MOD 97-10: the eight digits read as one number leave 1 when divided by 97. Every
wrong digit and every exchange of neighbours is found. Pure; it carries no initials, date or hospital number.
"""

import re
import unicodedata

LARGEST_SEQUENCE = 9999
_FORM = re.compile(r"(\d{2})-?(\d{4})-?(\d{2})", re.ASCII)
_DASHES = str.maketrans({dash: "-" for dash in "‐‑‒–—―−－"})


def make(center: str, sequence: int) -> str:
    """The study number of the `sequence`-th participant (1…9999) of a center ("00"…"99"). Raises ValueError otherwise."""
    if not re.fullmatch(r"[0-9]{2}", center):
        raise ValueError(f"A center code is two digits, not {center!r}.")
    if not 1 <= sequence <= LARGEST_SEQUENCE:
        raise ValueError(f"A center numbers its participants from 1 to {LARGEST_SEQUENCE}, not {sequence}.")
    digits = f"{center}{sequence:04d}"
    return f"{center}-{sequence:04d}-{98 - int(digits) * 100 % 97:02d}"


def check(text: str) -> str:
    """The study number as it is written, from what a person typed (full-width digits, other dashes, spaces, no dashes).

    Raises ValueError with a sentence when the form or the check digits are wrong.
    """
    plain = "".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split())
    found = _FORM.fullmatch(plain)
    if found is None:
        raise ValueError("A study number looks like 01-0007-42: center, sequence, check digits.")
    center, sequence, check_digits = found.groups()
    if int(sequence) == 0 or make(center, int(sequence))[-2:] != check_digits:
        raise ValueError(f"{center}-{sequence}-{check_digits} is no study number: its check digits do not fit. Compare every digit.")
    return f"{center}-{sequence}-{check_digits}"
