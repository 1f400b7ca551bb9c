"""What the comparison is adjusted for: the protocol's confounders of one participant as text, from screening and baseline. Pure.

ALBI = 0.66·log10(bilirubin µmol/L) − 0.085·albumin g/L; grade 1 ≤ −2.60 < 2 ≤ −1.39 < 3 (Johnson 2015).
"""

import math
from collections.abc import Iterable, Mapping

_FIRST, _SECOND = -2.60, -1.39


def albi_grade(bilirubin: float, albumin: float) -> str:
    """The ALBI grade of bilirubin in µmol/L and albumin in g/L."""
    score = 0.66 * math.log10(bilirubin) - 0.085 * albumin
    return "1" if score <= _FIRST else "2" if score <= _SECOND else "3"


def confounders(codes: Iterable[str], values: Mapping[str, str], *, age_at_surgery: int | None, sex: str) -> dict[str, str]:
    """code → decimal text or option, empty where not known; in the order of `codes`."""
    known = {**values, "age_at_surgery": "" if age_at_surgery is None else str(age_at_surgery), "sex": sex}
    if "bilirubin" in values and "albumin" in values:
        known["albi_grade"] = f"grade {albi_grade(float(values['bilirubin']), float(values['albumin']))}"
    return {code: known.get(code, "") for code in codes}
