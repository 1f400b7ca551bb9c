"""The small drawings of the result: one hazard ratio on a log axis, and balance before and after weighting, as inline SVG."""

import math
from collections.abc import Sequence

from analysis import svg
from analysis.propensity import Balance
from analysis.weighting import Estimate

_LOW, _HIGH = 0.25, 4.0
_ROW, _LABEL, _WIDTH = 24.0, 150.0, 330.0
_NOTICEABLE = 0.1  # a standardised difference above it is usually called imbalance (Austin 2009)


def forest(ratio: Estimate, label: str) -> str:
    """A square with its limits between 0.25 and 4 on a log axis, the line of no effect through it; nothing where not estimable."""
    width, height = 166.0, 24.0
    middle = height / 2

    def x(value: float) -> float:
        share = (math.log(value) - math.log(_LOW)) / (math.log(_HIGH) - math.log(_LOW))
        return 4 + (width - 8) * min(max(share, 0.0), 1.0)

    parts = [svg.line(x(1), 2.0, x(1), height - 2, "ax")]
    if all(math.isfinite(value) and value > 0 for value in (ratio.value, ratio.lower, ratio.upper)):
        parts.append(svg.line(x(ratio.lower), middle, x(ratio.upper), middle, "km k0"))
        parts.append(svg.element("rect", x=x(ratio.value) - 4, y=middle - 4, width=8, height=8, class_="a0"))
    return svg.picture(width, height, label, parts).replace('class="c"', 'class="c forest"', 1)


def balance_chart(rows: Sequence[tuple[str, Balance]], title: str, axis: str) -> str:
    """Absolute standardised differences of labelled covariates: an orange square before weighting, a blue dot after it."""
    most = max([_NOTICEABLE * 2, *(abs(one.before) for _, one in rows), *(abs(one.after) for _, one in rows)])
    bottom = 8 + _ROW * len(rows)

    def x(value: float) -> float:
        return _LABEL + (_WIDTH - _LABEL - 14) * abs(value) / most

    parts = [svg.line(x(0), 4.0, x(0), bottom, "ax"), svg.line(x(_NOTICEABLE), 4.0, x(_NOTICEABLE), bottom, "cut")]
    for place, (label, one) in enumerate(rows):
        y = 8 + _ROW * place + _ROW / 2
        parts.append(svg.line(x(0), y, _WIDTH - 8, y, "gl"))
        parts.append(svg.text(_LABEL - 8, y + 4, label, text_anchor="end", class_="sm"))
        parts.append(svg.element("rect", x=x(one.before) - 4, y=y - 4, width=8, height=8, class_="a2"))
        parts.append(svg.element("circle", cx=x(one.after), cy=y, r=4.5, class_="a1"))
    for value in (0.0, _NOTICEABLE, round(most, 1)):
        parts.append(svg.text(x(min(value, most)), bottom + 16, f"{value:g}", text_anchor="middle", class_="sm"))
    parts.append(svg.text((_LABEL + _WIDTH) / 2, bottom + 32, axis, text_anchor="middle", class_="sm"))
    return svg.picture(_WIDTH, bottom + 40, title, parts)
