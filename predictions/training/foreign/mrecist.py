"""mRECIST response of the targets at three months, two readers and an adjudicator (PM-06; Lencioni and Llovet 2010). Pure."""

import math
from collections.abc import Sequence
from enum import StrEnum

_ROUNDING = 1e-9  # sums of measured millimetres, not of exact fractions


class Category(StrEnum):
    """Categories of response; NE: not assessable."""

    CR = "CR"
    PR = "PR"
    SD = "SD"
    PD = "PD"
    NE = "NE"


RESPONSE = (Category.CR, Category.PR)


def category(baseline: float, now: float, *, nadir: float | None = None, new_lesion: bool = False) -> Category:
    """The category of summed viable diameters (same unit): −30 % of baseline is PR, +20 % of the nadir (default: baseline) is PD.

    A new lesion is PD whatever the targets do; a sum that is missing, or a baseline of nothing, is NE.
    """
    lowest = baseline if nadir is None else nadir
    if new_lesion:
        return Category.PD
    if any(math.isnan(value) for value in (baseline, now, lowest)) or baseline <= 0:
        return Category.NE
    if now == 0:
        return Category.CR
    if lowest == 0 or now >= 1.2 * lowest - _ROUNDING:
        return Category.PD
    return Category.PR if now <= 0.7 * baseline + _ROUNDING else Category.SD


def agreed(readings: Sequence[Category]) -> Category:
    """What two readers say alike, or the third, who adjudicates; NE where nobody decides."""
    one, two = readings[0], readings[1]
    if one == two and one is not Category.NE:
        return one
    return readings[2] if len(readings) > 2 else Category.NE
