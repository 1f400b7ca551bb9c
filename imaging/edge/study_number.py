"""The study number `CC-NNNN-DD` as the edge reads it (EN-05, formats b): the check digits of ISO 7064 MOD 97-10.

The edge may import no room, so it has its own copy of this small rule; a test keeps it equal to the platform's.
"""

import re
import unicodedata

LARGEST_SEQUENCE = 9999
_FORM = re.compile(r"([0-9]{2})-?([0-9]{4})-?([0-9]{2})")
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−－", "-"))


def make(center: str, sequence: int) -> str:
    """The study number of the `sequence`-th participant (1…9999) of a center ("00"…"99"); ValueError otherwise."""
    if not re.fullmatch(r"[0-9]{2}", center):
        raise ValueError(f"A center code is two digits, not {center!r}.")
    if not 1 <= sequence <= LARGEST_SEQUENCE:
        raise ValueError(f"A center numbers its participants from 1 to {LARGEST_SEQUENCE}, not {sequence}.")
    remainder = int(f"{center}{sequence:04d}") * 100 % 97
    return f"{center}-{sequence:04d}-{98 - remainder:02d}"


def check(text: str) -> str:
    """The study number a person typed (full-width digits, other dashes, spaces, no dashes), as it is written.

    Raises ValueError with a sentence when the form or the check digits are wrong.
    """
    plain = "".join(unicodedata.normalize("NFKC", text).translate(_DASHES).split())
    found = _FORM.fullmatch(plain)
    if found is None:
        raise ValueError("A study number looks like 01-0007-50: center, sequence, check digits.")
    center, sequence, digits = found.groups()
    if int(sequence) == 0 or make(center, int(sequence))[-2:] != digits:
        raise ValueError(f"{center}-{sequence}-{digits} is no study number: its check digits do not fit. Compare every digit.")
    return f"{center}-{sequence}-{digits}"
