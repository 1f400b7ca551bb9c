"""Times of day in DICOM headers, as seconds after midnight. Pure."""

import re

_DIGITS = 6  # HHMMSS of a TM value (PS3.5 6.2)


def seconds(text: str) -> float | None:
    """A DICOM TM value (HHMMSS.FFFFFF), an offset from UTC behind it left aside, as seconds after midnight; None where it is no time."""
    digits, _, fraction = re.split(r"[+-]", text, maxsplit=1)[0].partition(".")
    if len(digits) != _DIGITS or not digits.isdigit() or (fraction and not fraction.isdigit()):
        return None
    return int(digits[:2]) * 3600.0 + int(digits[2:4]) * 60 + int(digits[4:]) + float(f"0.{fraction or '0'}")
