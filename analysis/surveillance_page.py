"""How closely each group of the comparison was looked after, in the words of a page; after publication alone (EP-08)."""

import math
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from analysis.consistency import State
from followup.surveillance import DAYS_PER_YEAR
from studies.models import Study


def page(analysis: dict[str, Any], study: Study) -> list[dict[str, Any]]:
    """A block for each tag and one for both, in each a line for everybody and one for each strategy; empty for results without checks."""
    words = {each.code: each.text.say(get_language()) for each in study.protocol.strategies}
    tags = {"": _("Both groups"), str(State.CONSISTENT): _("Consistent"), str(State.INCONSISTENT): _("Inconsistent")}
    told = analysis.get("surveillance", [])
    return [
        {"label": label, "rows": [_row(one, words) for one in told if one["tag"] == tag]}
        for tag, label in tags.items()
        if any(one["tag"] == tag for one in told)
    ]


def _row(one: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    rate, low, high = (_number(each, "{:.2f}") for each in one["a_year"])
    return {
        "label": words.get(one["strategy"], one["strategy"]) if one["strategy"] else _("All strategies"),
        "n": one["n"],
        "checks": one["checks"],
        "years": f"{one['days'] / DAYS_PER_YEAR:.1f}",
        "a_year": _("%(value)s (%(low)s to %(high)s)") % {"value": rate, "low": low, "high": high},
        "interval": _number(one["interval"], "{:g}"),
    }


def _number(value: str, form: str) -> str:
    """NE where the data do not determine it."""
    return form.format(float(value)) if math.isfinite(float(value)) else _("NE")
