"""What a free text may never carry onto the platform: numbers that look like an identity. Pure.

Finds citizen identity numbers (GB 11643-1999, eighteen places whose last checks the others) and telephone numbers of the mainland.
A name cannot be recognised; the page says so.
"""

import re
import unicodedata
from enum import StrEnum

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
_CITIZEN = re.compile(r"(?<![0-9])[1-9][0-9]{16}[0-9Xx](?![0-9])")
_MOBILE = re.compile(r"(?<![0-9])(?:\+?86[- ]?)?1[3-9][0-9](?:[- ]?[0-9]{4}){2}(?![0-9])")
_LANDLINE = re.compile(r"(?<![0-9])0[0-9]{2,3}-[0-9]{7,8}(?![0-9])")


class Likeness(StrEnum):
    """What a text seems to contain."""

    CITIZEN = "citizen"
    """A citizen identity number with a right check digit: certain, and refused."""
    LONG = "long"
    """Eighteen places without one: a slip in such a number, or another number."""
    PHONE = "phone"


def likenesses(text: str) -> frozenset[Likeness]:
    """What of an identity a text seems to contain; full-width digits count as digits."""
    plain = unicodedata.normalize("NFKC", text)
    numbers = _CITIZEN.findall(plain)
    found = {Likeness.CITIZEN if _checks(number) else Likeness.LONG for number in numbers}
    rest = _CITIZEN.sub(" ", plain)
    if _MOBILE.search(rest) or _LANDLINE.search(rest):
        found.add(Likeness.PHONE)
    return frozenset(found)


def _checks(number: str) -> bool:
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, number[:-1], strict=True))
    return CHECKS[total % 11] == number[-1].upper()
