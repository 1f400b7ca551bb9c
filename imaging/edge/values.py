"""What may leave of one value, by its rule of the table: numbers in their grammar, words of a closed vocabulary, pseudonyms.

A value is judged as the bytes that came, never decoded by a charset that its sender claims.
"""

import re
import struct
from collections.abc import Callable
from typing import Any

from pydicom._uid_dict import UID_dictionary
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.multival import MultiValue

from imaging.edge import vocabulary
from imaging.edge.pseudonyms import keyed_uid

OLDEST = 89
_GRAMMAR = {
    "DS": re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII),
    "IS": re.compile(r"[+-]?\d{1,12}", re.ASCII),
    "date": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", re.ASCII),
    "time": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?", re.ASCII),
    "datetime": re.compile(
        r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d(\.\d{1,6})?([+-]\d{4})?", re.ASCII
    ),
    "offset": re.compile(r"[+-](0\d|1[0-4])[0-5]\d", re.ASCII),
}
_STRUCT = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "AT": "HH"}
_LARGEST, _DIGITS = 1e9, 16  # of a number in text: a telephone or identity card number has more digits
_LONGS, _SHORTS = 2**24, 2**13 - 1  # of whole numbers; of several 16-bit ones
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)
_DAYS_PER = {"D": 1, "W": 7, "M": 30.4375}


def text(raw: bytes, rule: str, key: bytes) -> str | list[str] | None:
    """What may leave of a text, or None. It is judged as bytes: never decoded by a charset that the sender claims."""
    if rule in _BYTES_RULES:
        return _BYTES_RULES[rule](raw)
    parts = [part.decode("ascii", errors="replace").strip(" \0") for part in raw.split(b"\\")]
    if rule == "uid":
        return keyed_uid(key, parts[0]) if parts[0] else None
    return _PARTS_RULES[rule](parts)


def _codes(parts: list[str]) -> list[str] | None:
    return [part if part in vocabulary.CODES else "OTHER" for part in parts] if parts[0] in vocabulary.CODES else None


def _grammatical(rule: str) -> Callable[[list[str]], str | None]:
    return lambda parts: parts[0] if _GRAMMAR[rule].fullmatch(parts[0]) else None


def _within(codes: list[str], room: int = 64) -> str | None:
    """Codes joined by spaces, as many as an LO has room for."""
    while len(" ".join(codes)) > room:
        codes = codes[:-1]
    return " ".join(codes) or None


def numbers(element: DataElement | RawDataElement | None, name: str, *, signed: bool) -> tuple[str, Any]:
    """The VR and numbers of an element whose declared VR, count and digits are those that DICOM gives it; else None."""
    tag = tag_for_keyword(name) or 0
    vr = dictionary_VR(tag).replace("US or SS", "SS" if signed else "US")
    declared = None if element is None else element.VR
    if declared not in (None, "UN", vr, *(("US", "SS", "US or SS") if dictionary_VR(tag) == "US or SS" else ())):
        return vr, None
    values = _digits(raw_of(element), vr) if vr in ("DS", "IS") else _binary(element, vr)
    multiplicity = dictionary_VM(tag)
    if not values or (multiplicity.isdigit() and len(values) != int(multiplicity)) or (vr in _STRUCT and not _plausible(values, vr)):
        return vr, None
    return vr, values if len(values) > 1 else values[0]


def _digits(raw: bytes, vr: str) -> list[str] | None:
    parts = [part.decode("ascii", errors="replace").strip(" \0") for part in raw.split(b"\\")]
    if not all(_GRAMMAR[vr].fullmatch(part) and abs(float(part)) < _LARGEST for part in parts):
        return None
    return [part if len(part) <= _DIGITS else f"{float(part):.9g}" for part in parts]


def _binary(element: DataElement | RawDataElement | None, vr: str) -> list[Any] | None:
    value = None if element is None else element.value
    if not isinstance(value, bytes):
        return None if value is None else list(value) if isinstance(value, (list, tuple, MultiValue)) else [value]
    code = _STRUCT[vr]
    size = struct.calcsize(f"<{code}")
    if len(value) % size or not value:
        return None
    pairs = list(struct.unpack(f"<{len(value) // size}{code[0]}" if len(code) == 1 else f"<{len(value) // 2}H", value))
    return pairs if vr != "AT" else [(group << 16) + item for group, item in zip(pairs[::2], pairs[1::2], strict=True)]


def _plausible(values: list[Any], vr: str) -> bool:
    """Whether binary numbers are of a size that an image has: eight letters read as one number are not."""
    if vr == "AT":
        return all(keyword_for_tag(int(value)) for value in values)
    if vr in ("FL", "FD"):
        return all(value == 0 or 1 / _LARGEST < abs(value) < _LARGEST for value in values)
    most = _SHORTS if vr in ("US", "SS") and len(values) > 1 else _LONGS
    return all(abs(int(value)) <= most for value in values)


def raw_of(element: DataElement | RawDataElement | None) -> bytes:
    value = None if element is None else element.value
    if isinstance(value, bytes):
        return value
    if isinstance(value, (list, tuple, MultiValue)):
        return "\\".join(str(part) for part in value).encode()
    return b"" if value is None else str(value).encode()


def _age(text: str) -> str | None:
    found = _AGE.fullmatch(text)
    if found is None:
        return None
    count, unit = int(found[1]), found[2]
    years = count if unit == "Y" else int(count * _DAYS_PER[unit] / 365.25)
    return f"{min(years, OLDEST):03d}Y"


def age_between(born: str, on: str) -> str | None:
    if not (_GRAMMAR["date"].fullmatch(born) and _GRAMMAR["date"].fullmatch(on)) or born > on:
        return None
    years = int(on[:4]) - int(born[:4]) - (on[4:] < born[4:])
    return f"{min(years, OLDEST):03d}Y"


_BYTES_RULES: dict[str, Callable[[bytes], str | None]] = {
    "words": lambda raw: _within(vocabulary.phase_words(raw)),
    "agent": lambda raw: _within(vocabulary.codes_in(raw, vocabulary.AGENTS)[:1]),
    "maker": lambda raw: (vocabulary.codes_in(raw, vocabulary.MAKERS) or ["OTHER"])[0],
    "region": lambda raw: (vocabulary.codes_in(raw, vocabulary.REGIONS) or [vocabulary.ANY_REGION])[0],
    "device": lambda raw: vocabulary.device_words(raw) or None,
}
_PARTS_RULES: dict[str, Callable[[list[str]], str | list[str] | None]] = {
    **{rule: _grammatical(rule) for rule in ("date", "time", "datetime", "offset")},
    "class": lambda parts: parts[0] if parts[0] in UID_dictionary else None,
    "code": _codes,
    "sex": lambda parts: parts[0] if parts[0] in ("M", "F", "O") else None,
    "age": lambda parts: _age(parts[0]),
}
