"""Clinical features from what the platform holds of a patient: the same coding for training rows and predictions. Pure.

ALBI = 0.66·log10(bilirubin µmol/L) − 0.085·albumin g/L (Johnson 2015), as `docs/models.md` §5 gives it.
"""

import math
from collections.abc import Mapping

_MVI = {"M0": 0.0, "M1": 1.0, "M2": 2.0}
_YES_NO = {"yes": 1.0, "no": 0.0}
REQUIRED = ("afp", "tumour_diameter_cm", "tumour_number", "mvi", "cirrhosis")
"""The items without which no clinical prediction is made; others take the frozen median."""
READ = (*REQUIRED, "albumin", "bilirubin", "hbv", "margin_cm", "satellite_nodules")
"""Every item of the data dictionary that `features` reads."""


def features(values: Mapping[str, str], *, age_at_surgery: int | None, sex: str) -> dict[str, float | None]:
    """`clinical_…` features from stored baseline values (decimal text or codes); what is not known is None."""
    afp, bilirubin, albumin = (_number(values, code) for code in ("afp", "bilirubin", "albumin"))
    return {
        "clinical_age_at_surgery": None if age_at_surgery is None else float(age_at_surgery),
        "clinical_sex_male": {"M": 1.0, "F": 0.0}.get(sex),
        "clinical_afp_log10": None if afp is None else max(math.log10(afp), 0.0),
        "clinical_tumour_diameter_cm": _number(values, "tumour_diameter_cm"),
        "clinical_tumour_number": _number(values, "tumour_number"),
        "clinical_mvi": _MVI.get(values.get("mvi", "")),
        "clinical_cirrhosis": _YES_NO.get(values.get("cirrhosis", "")),
        "clinical_hbv": _YES_NO.get(values.get("hbv", "")),
        "clinical_satellite_nodules": _YES_NO.get(values.get("satellite_nodules", "")),
        "clinical_albi": None if bilirubin is None or albumin is None else 0.66 * math.log10(bilirubin) - 0.085 * albumin,
        "clinical_margin_cm": _number(values, "margin_cm"),
    }


def _number(values: Mapping[str, str], code: str) -> float | None:
    return float(values[code]) if code in values else None
