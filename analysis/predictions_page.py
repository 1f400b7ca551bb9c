"""How well the opened predictions came true and what following them would gain, in the words of a page; after publication alone."""

import math
from collections.abc import Sequence
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from analysis.result_words import refusal_sentence
from studies.models import Study

MONTH = 30.4375


def page(analysis: dict[str, Any], study: Study) -> dict[str, Any]:
    """What a page shows of them; empty for results from before they were computed."""
    if "foretold" not in analysis:
        return {}
    words = {each.code: each.text.say(get_language()) for each in study.protocol.strategies}
    groups = [_group(one, words) for one in analysis["foretold"]]
    fifths = analysis["foretold"][0]["fifths"] if groups else []
    return {
        "groups": groups,
        "months": [one["month"] for one in analysis["foretold"][0]["months"]] if groups else [],
        "fifths": [{"n": one["n"], "foretold": _percent(one["foretold"]), "observed": _interval(one["observed"], 100, "{:.1f}")}
                   for one in fifths],
        "policy": _policy(analysis["policy"], words),
    }  # fmt: skip


def _group(one: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    return {
        "label": words.get(one["strategy"], one["strategy"]) if one["strategy"] else _("All who have a tag"),
        "n": one["n"],
        "events": one["events"],
        "concordance": _interval(one["concordance"], 1, "{:.3f}"),
        "slope": _interval(one["slope"], 1, "{:.2f}"),
        "months": [
            {
                "foretold": _percent(each["foretold"]),
                "observed": _interval(each["observed"], 100, "{:.1f}"),
                "scaled_brier": _text(each["scaled_brier"], 100, "{:.1f}"),
            }
            for each in one["months"]
        ],
    }


def _policy(said: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    if said["refused"]:
        return {"refused": refusal_sentence(said["refused"])}
    fixed = [
        {"label": _("%(strategy)s for everybody") % {"strategy": words.get(code, code)}, "months": _interval(value, 1 / MONTH, "{:.1f}")}
        for code, value in said["fixed"].items()
    ]
    best = words.get(said["best"], said["best"])
    return {
        "refused": "",
        "n": said["n"],
        "truncated": said["truncated"],
        "p": "< 0.01" if float(said["permuted_p"]) < 0.01 else f"{float(said['permuted_p']):.2f}",
        "until": f"{float(said['horizon']) / MONTH:.1f}",
        "rows": [
            {"label": _("Everybody as recommended"), "months": _interval(said["recommended"], 1 / MONTH, "{:.1f}")},
            {"label": _("As it was done"), "months": _interval(said["observed"], 1 / MONTH, "{:.1f}")},
            *fixed,
        ],
        "gains": [
            {"label": _("Gain over what was done"), "months": _interval(said["gain_over_observed"], 1 / MONTH, "{:+.1f}")},
            {"label": _("Gain over %(strategy)s for everybody") % {"strategy": best},
             "months": _interval(said["gain_over_best"], 1 / MONTH, "{:+.1f}")},
        ],
    }  # fmt: skip


def _interval(values: Sequence[str], factor: float, form: str) -> str:
    value, low, high = (_text(each, factor, form) for each in values)
    return value if value == _("NE") else _("%(value)s (%(low)s to %(high)s)") % {"value": value, "low": low, "high": high}


def _percent(value: str) -> str:
    return _text(value, 100, "{:.1f}")


def _text(value: str, factor: float, form: str) -> str:
    """With a true minus; NE where the data do not determine it."""
    known = float(value) * factor
    return form.format(known).replace("-", "−") if math.isfinite(known) else _("NE")
