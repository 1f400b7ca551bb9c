"""Units as laboratories write them, read as the spelling of the dictionary; what is not known is no unit of ours. Pure."""

import re

from studies.laboratory.text import line

_CELLS = ("10^9/L", "10*9/L", "10e9/L", "10E+9/L", "10~9/L", "10^3/uL", "10*3/uL", "10e3/uL", "K/uL", "10^3/mm3", "10^6/mL", "G/L")
_TEN_THOUSAND = ("10^4/uL", "10*4/uL", "万/uL", "万/mm3")

_SPELLINGS: dict[str, tuple[str, ...]] = {
    "10^9/L": _CELLS,
    "10^4/µL": _TEN_THOUSAND,
    "g/L": ("g/L",),
    "g/dL": ("g/dL", "g/100mL", "g%"),
    "mg/L": ("mg/L", "ug/mL"),
    "mg/dL": ("mg/dL", "mg/100mL", "mg%"),
    "µmol/L": ("umol/L", "微摩尔/升", "umol/l"),
    "mmol/L": ("mmol/L", "毫摩尔/升"),
    "mEq/L": ("mEq/L",),
    "U/L": ("U/L", "IU/L", "单位/升"),
    "µkat/L": ("ukat/L",),
    "kU/L": ("kU/L",),
    "U/mL": ("U/mL",),
    "IU/mL": ("IU/mL",),
    "mAU/mL": ("mAU/mL",),
    "AU/L": ("AU/L",),
    "ng/mL": ("ng/mL",),
    "µg/L": ("ug/L",),
    "%": ("%", "百分比"),
    "s": ("s", "sec", "second", "seconds", "秒"),
    "cm": ("cm", "厘米"),
    "mm": ("mm", "毫米"),
    "m": ("m", "米"),
    "kg": ("kg", "公斤", "千克"),
    "min": ("min", "分钟"),
    "mL": ("mL", "毫升"),
}
"""Spelling of the dictionary → what means exactly the same. `10^3/µL` and `10^9/L` are one unit, `µg/mL` and `mg/L` too."""

_OTHERS = (
    "10^12/L", "10*12/L", "fL", "pg", "pg/mL", "ng/L", "ng/dL", "nmol/L", "pmol/L", "mIU/L", "uIU/mL", "mIU/mL", "copies/mL", "copy/mL",
    "拷贝/mL", "IU/dL", "log IU/mL", "log10IU/mL", "lgIU/mL", "S/CO", "COI", "PEIU/mL", "mmHg", "kPa", "mm/h", "/uL", "/HP", "/HPF", "/LP",
    "g/24h", "mg/24h", "mL/min", "mL/min/1.73m^2", "mg/g", "mg/mmol", "mOsm/kg", "°C", "mU/L", "uU/mL", "ug/mLFEU", "mg/LFEU", "ng/mLFEU",
    "mg/LDDU", "PEIU", "KIU/L", "NCU/mL", "RU/mL", "Ru/mL", "ug/dL", "mU/mL", "/mm3", "10^3IU/mL", "个/uL", "L/L", "u/g", "/L", "AU/mL",
)  # fmt: skip
"""Units of laboratories in which no item of ours is stored: known, so that a row with one is read, and never converted."""

NONE = frozenset({"", "-", "--", "/", "inr", "ratio", "r", "比值", "无"})
"""What stands in the column of units where a value has none."""


def key(text: str) -> str:
    """The spelling without blanks, case, multiplication sign and the two forms of the micro sign."""
    plain = re.sub(r"\s+", "", line(1, text).plain).replace("μ", "u").replace("µ", "u").replace("℃", "°c").casefold()
    lost = re.sub(r"^[×x*]?10(?=[39]/)", "10^", plain) if plain[:1] in "×x*" else plain  # `×109/L`: the exponent lost its height
    return re.sub(r"^[×x*](?=10)", "", lost)


_BY_KEY: dict[str, set[str]] = {}
for _unit, _written in _SPELLINGS.items():
    for _text in (_unit, *_written):
        _BY_KEY.setdefault(key(_text), set()).add(_unit)
_KNOWN = {*_BY_KEY, *(key(_text) for _text in _OTHERS)}


def is_unit(text: str) -> bool:
    """Whether a word is written as a unit of a laboratory, ours or another."""
    return key(text) in _KNOWN


def read(text: str, among: tuple[str, ...]) -> str | None:
    """The one of an item's units that is written here, or None. `G/L` is 10⁹/L where cells are counted and g/L where grams are."""
    written = key(text)
    if written in NONE:
        return "" if "" in among else None
    found = [unit for unit in among if unit and (written == key(unit) or unit in _BY_KEY.get(written, ()))]
    return found[0] if len(found) == 1 else None
