"""The sensitivity analyses, the bounds and the freedoms of a published result in words: always the naive ratio beside the adjusted one."""

import math
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from analysis.result_charts import forest
from analysis.result_words import refusal_sentence
from analysis.weighting import Estimate

WORDS: dict[str, Promise] = {
    "landmark": gettext_lazy("Landmark at day %(detail)s"),
    "window": gettext_lazy("Treatment window and landmark of %(detail)s days"),
    "clone_censor_weight": gettext_lazy("From surgery on: clone, censor, weight"),
    "crossover": gettext_lazy("Censored where a treatment was added after the window"),
    "tag_set": gettext_lazy("Any acceptable strategy counts as recommended"),
    "haic_is_tace": gettext_lazy("HAIC counts as TACE"),
    "earliest": gettext_lazy("Partial dates at their earliest"),
    "latest": gettext_lazy("Partial dates at their latest"),
    "missed": gettext_lazy("Censored before two missed assessments in a row"),
    "therapy": gettext_lazy("Censored at a new anti-cancer therapy"),
    "central": gettext_lazy("Recurrence as the blinded committee read it"),
    "overall_survival": gettext_lazy("Overall survival"),
    "imputed": gettext_lazy("Missing confounders drawn several times instead of filled by the median"),
    "between_centers": gettext_lazy("Limits from leaving out one center after the other"),
    "frailty": gettext_lazy("A risk of its own for each center (gamma frailty)"),
    "without_center": gettext_lazy("Without center %(detail)s"),
    "worst": gettext_lazy("Who has no tag, against the recommendation (%(detail)s)"),
    "best": gettext_lazy("Who has no tag, in favour of the recommendation (%(detail)s)"),
}


def page(analysis: dict[str, Any]) -> dict[str, Any]:
    """What a page shows of them; empty for results from before the plan was code."""
    if "sensitivity" not in analysis:
        return {}
    bounds = analysis["bounds"]
    rows = [_row(one) for one in analysis["sensitivity"]]
    return {
        "rows": rows,
        "bounds": [_row(bounds["worst"]), _row(bounds["best"])],
        "left_out": bounds["left_out"],
        "robust": not bounds["crossing"],
        "freedoms": _freedoms(analysis["sensitivity"]),
        "between_visits": _between_visits(analysis.get("between_visits")),
    }


def _between_visits(said: dict[str, Any] | None) -> dict[str, Any] | None:
    """Both rows at the month, or why neither; None for a cut that did not tell the checks."""
    if said is None:
        return None
    if said["refused"]:
        return {"month": said["month"], "refused": refusal_sentence(said["refused"])}
    named = ((_("Unadjusted"), "naive"), (_("Adjusted"), "adjusted"))
    rows = [{"label": label, "groups": [_ratio(one, 100, "{:.1f}") for one in said[code]]} for label, code in named]
    return {"month": said["month"], "refused": "", "rows": rows}


def _row(one: dict[str, Any]) -> dict[str, Any]:
    label = str(WORDS.get(one["code"], one["code"])) % {"detail": one["detail"]}
    naive, adjusted = (_ratio(one[name]) for name in ("naive", "adjusted"))
    drawn = "" if one["adjusted"] is None else forest(Estimate(*map(float, one["adjusted"])), label)
    refused = refusal_sentence(one["refused"]) if one["refused"] else ""
    return {"label": label, "n": " + ".join(map(str, one["n"])), "events": " + ".join(map(str, one["events"])), "naive": naive,
            "adjusted": adjusted, "forest": drawn, "refused": refused}  # fmt: skip


def _ratio(values: list[str] | None, factor: float = 1.0, form: str = "{:.2f}") -> str:
    if values is None:
        return _("NE")
    value, low, high = (_number(factor * float(each), form) for each in values)
    return _("%(value)s (%(low)s to %(high)s)") % {"value": value, "low": low, "high": high}


def _number(value: float, form: str = "{:.2f}") -> str:
    return form.format(value) if math.isfinite(value) else _("NE")


def _freedoms(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """How far the adjusted ratio moves with each choice that somebody could have made after the fact."""
    kinds = (("landmark", _("Choice of the landmark")), ("without_center", _("Leaving one center out")))
    rows = []
    for code, label in kinds:
        values = [float(one["adjusted"][0]) for one in found if one["code"] == code and one["adjusted"] is not None]
        if values:
            rows.append({"label": label, "low": _number(min(values)), "high": _number(max(values))})
    return rows
