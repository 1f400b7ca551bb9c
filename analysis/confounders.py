"""What the comparison is adjusted for: the protocol's confounders of one participant as text, from screening and baseline. Pure."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from studies.scores import albi, albi_grade


def confounders(codes: Iterable[str], values: Mapping[str, str], *, age_at_surgery: int | None, sex: str) -> dict[str, str]:
    """code → decimal text or option, empty where not known; in the order of `codes`."""
    known = {**values, "age_at_surgery": "" if age_at_surgery is None else str(age_at_surgery), "sex": sex}
    if "bilirubin" in values and "albumin" in values:
        known["albi_grade"] = f"grade {albi_grade(albi(Decimal(values['bilirubin']), Decimal(values['albumin'])))}"
    return {code: known.get(code, "") for code in codes}
