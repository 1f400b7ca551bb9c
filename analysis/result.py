"""The published result as a page shows it: flow, balance, then both rows in one table and both figures side by side (AN-21).

Everything comes from one `Comparison`, which has both rows or does not exist. A figure that is not estimable is said in words.
"""

import math
import re
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from analysis import predictions_page, sensitivity_page, surveillance_page
from analysis.charts import DAYS_PER_MONTH, Clock, Strand, SurvivalWords, last_shown, survival_chart
from analysis.models import Publication
from analysis.result_charts import balance_chart, forest
from analysis.result_json import read_comparison
from analysis.result_words import reason_word, refusal_sentence
from analysis.weighting import Comparison, Estimate, Row
from studies.models import Study
from studies.protocol import Coded
from studies.vocabulary import Sex

AFTER_LANDMARK = ("DEATH_BEFORE_L", "RECUR_BEFORE_L", "CENSORED_BEFORE_L", "WITHDRAWN")
STRATEGY = ("OTHER_MODALITY", "TREATMENT_INCOMPLETE", "INELIGIBLE_POSTHOC")
ABSTAINED = ("ABSTAIN",)


def page(publication: Publication) -> dict[str, Any]:
    """What the page shows of a publication, in the reader's language."""
    said, study = publication.analysis, publication.study
    comparison = None if said["comparison"] is None else read_comparison(said["comparison"])
    shown: dict[str, Any] = {
        "study": study,
        "publication": publication,
        "pipe": _pipe(said["flow"], said["rule"]["landmark_days"]),
        "reasons": [{**one, "word": reason_word(one["reason"])} for one in said["flow"]["not_evaluable"]],
        "refused": refusal_sentence(said["refused"]),
        "seals": publication.report["seals"],
        "ledger": publication.report["ledger"],
        "request": publication.report["request"],
    }
    if comparison:
        shown |= {"both": _both(comparison, said["comparison"], study), "sensitivity": sensitivity_page.page(said)}
        shown |= {"predictions": predictions_page.page(said, study), "surveillance": surveillance_page.page(said, study)}
    return shown


def _pipe(flow: dict[str, Any], landmark: int) -> list[dict[str, Any]]:
    """From enrolled to analysed; the steps subtract to the last one (EN-07)."""
    counts = {one["reason"]: one["n"] for one in flow["not_evaluable"]}
    open_ones = flow["pending"] + flow["outside_scope"]
    named = (*AFTER_LANDMARK, *STRATEGY, *ABSTAINED)
    late = sum(n for reason, n in counts.items() if reason not in named)
    analysed = flow["consistent"] + flow["inconsistent"]
    agreed = _("%(consistent)s as recommended, %(inconsistent)s otherwise") % flow
    return [
        {"op": "", "label": _("Enrolled"), "n": flow["enrolled"], "more": _("consecutive, all centers")},
        {"op": "−", "label": _("Seal does not count"), "n": late, "more": _("none, late, or not opened")},
        {"op": "−", "label": _("Model abstained"), "n": sum(counts.get(one, 0) for one in ABSTAINED), "more": _("outside its competence")},
        {
            "op": "−",
            "label": _("Strategy not evaluable"),
            "n": sum(counts.get(one, 0) for one in STRATEGY) + open_ones,
            "more": _("other, incomplete, or pending"),
        },
        {
            "op": "−",
            "label": _("Event or censored by day %(day)s") % {"day": landmark},
            "n": sum(counts.get(one, 0) for one in AFTER_LANDMARK),
            "more": _("not under observation at the landmark"),
        },
        {"op": "=", "label": _("Analysed"), "n": analysed, "more": agreed},
    ]


def _both(comparison: Comparison, said: dict[str, Any], study: Study) -> dict[str, Any]:
    """Both rows, both figures, balance: one object, never a part of it."""
    labelled = [(_covariate(one.name, study), one) for one in comparison.balance]
    protocol, read_at = study.protocol, comparison.landmark + comparison.horizon
    return {
        "verdict": _("Unadjusted, %(naive)s. Compared like with like, %(adjusted)s.")
        % {"naive": _verdict(comparison.naive.hazard_ratio), "adjusted": _verdict(comparison.adjusted.hazard_ratio)},
        "read_at": round(read_at),
        "read_within": any(
            last_shown(curve) >= comparison.horizon for row in (comparison.naive, comparison.adjusted) for curve in row.curves
        ),
        "months": protocol.horizon_months if read_at == protocol.horizon_read_day else f"{read_at / DAYS_PER_MONTH:.1f}",
        "rows": [
            _row(_("Unadjusted"), _("as registered"), comparison.naive),
            _row(_("Adjusted"), _("overlap-weighted"), comparison.adjusted, effective=True),
        ],
        "figures": [
            {"title": _("Unadjusted"), "svg": _chart(comparison, comparison.naive, _("Unadjusted"), _("At risk"))},
            {"title": _("Adjusted"), "svg": _chart(comparison, comparison.adjusted, _("Adjusted"), _("Effective"))},
        ],
        "balance": [{"label": label, "before": _signed(one.before), "after": _signed(one.after)} for label, one in labelled],
        "balance_chart": balance_chart(labelled, _("Balance before and after weighting"), _("Standardised difference")),
        "without_overlap": comparison.without_overlap,
        "replicates": comparison.replicates,
        "failed": comparison.failed,
        "e_value": _number(float(said["e_value"]), "{:.1f}"),
        "e_value_of_limit": _number(float(said.get("e_value_of_limit", "nan")), "{:.1f}"),
        "points": _points(comparison),
    }


def _signed(value: float) -> str:
    """Two decimals with a true sign; what rounds to zero has none."""
    return _number(value, "{:+.2f}") if round(value, 2) else "0.00"


def _verdict(ratio: Estimate) -> str:
    if not all(math.isfinite(value) for value in (ratio.value, ratio.lower, ratio.upper)):
        return _("nothing can be estimated")
    if ratio.lower <= 1 <= ratio.upper:
        return _("no difference is seen")
    return _("the consistent group did better") if ratio.value < 1 else _("the inconsistent group did better")


def _row(name: str, how: str, row: Row, *, effective: bool = False) -> dict[str, Any]:
    sizes = [f"{value:.0f}" for value in (row.effective if effective else row.n)]
    return {
        "name": name,
        "how": how,
        "n": " + ".join(sizes),
        "effective": effective,
        "events": f"{row.events[0]} + {row.events[1]}",
        "survival": [_interval(one, "{:.1f}", 100) for one in row.survival],
        "ratio": _interval(row.hazard_ratio, "{:.2f}"),
        "forest": forest(row.hazard_ratio, name),
        "p": _p(row.p),
        "logrank": "" if row.logrank_p is None else _p(row.logrank_p),
        "rmst": _interval(row.rmst_difference, "{:+.1f}", 1 / DAYS_PER_MONTH),
    }


def _chart(comparison: Comparison, row: Row, title: str, at_risk: str) -> str:
    words = SurvivalWords(
        title=title,
        time=_("Months from surgery"),
        survival=_("Recurrence-free"),
        at_risk=at_risk,
        empty=_("Fewer than ten patients in each group: no curve."),
    )
    labels = (_("Consistent"), _("Inconsistent"))
    strands = [Strand(label, curve, tone) for tone, (label, curve) in enumerate(zip(labels, row.curves, strict=True), 1)]
    clock = Clock(start=comparison.landmark, read_at=comparison.landmark + comparison.horizon)
    return survival_chart(strands, words, clock=clock, width=420.0, height=330.0)


def _points(comparison: Comparison) -> list[dict[str, Any]]:
    """The four curves at round months, each as far as the figure draws it: the table behind the figures."""
    months = [month for month in (6, 12, 18, 24, 30, 36, 48, 60) if month * DAYS_PER_MONTH > comparison.landmark]
    rows = []
    for month in months:
        day = month * DAYS_PER_MONTH - comparison.landmark
        curves = (*comparison.naive.curves, *comparison.adjusted.curves)
        values = [float(curve.at(day).survival[0]) if day <= last_shown(curve) else math.nan for curve in curves]
        if not all(math.isnan(value) for value in values):
            rows.append({"month": month, "cells": [_number(100 * value, "{:.1f}%") for value in values]})
    return rows


def _covariate(name: str, study: Study) -> str:
    """x_mvi=M1 in words: the protocol's text of the confounder and the level."""
    code, _equals, level = name.removeprefix("x_").partition("=")
    texts = {each.code: each.text for each in study.protocol.confounders}
    text = texts.get(code.removesuffix("_missing"))
    label = text.say(get_language()) if text else code
    if code.endswith("_missing"):
        return _("%(label)s missing") % {"label": label}
    book = study.dictionary
    options = (
        {option.code: _brief(option) for option in book.item(code).options}
        if book.has(code)
        else dict(Sex.choices)
        if code == "sex"
        else {}
    )
    return f"{label} {(options | {'unknown': _('unknown')}).get(level, level)}".strip()


def _brief(option: Coded) -> str:
    """The text of an option without what stands in brackets."""
    return re.split(r"\s*[（(]", option.text.say(get_language()))[0]


def _interval(one: Estimate, form: str, factor: float = 1.0) -> dict[str, str]:
    low, high = (_number(factor * value, form) for value in (one.lower, one.upper))
    return {"value": _number(factor * one.value, form), "interval": _("%(low)s to %(high)s") % {"low": low, "high": high}}


def _number(value: float, form: str) -> str:
    """With a true minus; NE where the data do not determine it."""
    return form.format(value).replace("-", "−") if math.isfinite(value) else _("NE")


def _p(value: float) -> str:
    return _("NE") if not math.isfinite(value) else "< 0.001" if value < 0.001 else f"{value:.3f}"
