"""The model card as one HTML page, from the report of a training alone: nothing on it is typed by hand. Pure.

The public version is made from the public part of the report (`public`) and holds nothing else.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from predictions.training.card import figures, tripod
from predictions.training.card import public as parts
from predictions.training.card.figures import Axes, Series
from predictions.training.card.words import Language, word

Report = Mapping[str, Any]
Rows = Sequence[Sequence[str]]
_STYLE = """
body{font:16px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;max-width:60rem;margin:1.5rem auto;padding:0 1rem;color:#1a1a1a}
h1{font-size:1.5rem}h2{font-size:1.15rem;border-bottom:1px solid #bbb;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:28rem;width:100%;display:inline-block;margin:.5rem 1rem .5rem 0}
.hash{overflow-wrap:anywhere;font:.85em ui-monospace,monospace}.scroll{overflow-x:auto}
td:first-child{min-width:6rem}td:last-child{overflow-wrap:anywhere}
@media print{h2{break-after:avoid}svg,table{break-inside:avoid}}
"""


def page(report: Report, language: Language, *, public: bool = False) -> str:
    """The whole page."""
    said = [f"<h1>{_w('title', language)} · {_w(report['model'], language)}</h1>"]
    if public:
        said.append(f"<p>{_w('public', language)}</p>")
    said += [f"<section><h2>{heading}</h2>{body}</section>" for heading, body in sections(report, language, public=public)]
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{_w("title", language)}</title>'
    lang = {"zh": "zh-Hans", "en": "en"}[language]
    return f'<!doctype html><html lang="{lang}"><head>{head}<style>{_STYLE}</style></head><body>{"".join(said)}</body></html>\n'


def sections(report: Report, language: Language, *, public: bool = False) -> list[tuple[str, str]]:
    """Heading and HTML of each section that has something to say."""
    report = parts.of(report) if public else report
    said = [
        ("use", f"<p>{_w('use-' + report['model'], language)}</p>"),
        ("performance", _performance(report, language)),
        *_figures(report, language),
        ("centers", _by(report.get("by_center", {}), "center", language)),
        *(("subgroups", _subgroup(name, found, language)) for name, found in report.get("subgroups", {}).items()),
        ("optimism", _optimism(report["optimism"], language) if report.get("optimism") else ""),
        ("departures", _list([each[language] for each in report["departures"]], language) if report.get("departures") else ""),
        *([("limits", f"<p>{_w('limits-public', language)}</p>")] if public else _of_the_rule(report, language)),
        ("tripod", _table([("item", "said")], tripod.items(report, language, public=public), language)),
        ("provenance", _provenance(report)),
    ]
    return [(_w(name, language), body) for name, body in said if body]


def _of_the_rule(report: Report, language: Language) -> list[tuple[str, str]]:
    """What stays with the model."""
    shares = figures.bars(list(report["shapley"].items())[:15], title=_w("shapley", language)) if report.get("shapley") else ""
    return [
        ("policy", _policy(report["policy"], language) if "policy" in report else ""),
        ("features", _features(report, language)),
        ("shapley", shares),
        ("limits", _list(report["warnings"], language)),
    ]


def _performance(report: Report, language: Language) -> str:
    rows = []
    for part in ("held_out", "external", "apparent"):
        found = report.get(part)
        if not found:
            continue
        rows += [(_w(part, language), name, *_interval(value)) for name, value in _measures(found)]
    return _table([("", "measure", "estimate", "interval")], rows, language)


def _measures(found: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Every figure with an interval, those by month with the month in their name."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    names = {"auc": "AUC", "c_index": "C (Harrell)", "c_uno": "C (Uno)", "brier": "Brier", "ibs": "IBS"}
    for key, value in found.items():
        if key in names and "estimate" in value:
            rows.append((names[key], value))
    for key, name in (("auc_t", "AUC(t)"), ("brier", "Brier"), ("brier_scaled", "1 − Brier / Brier₀")):
        by_month = found.get(key, {})
        if "estimate" not in by_month:
            rows += [(f"{name} {month} m", value) for month, value in by_month.items()]
    return rows


def _figures(report: Report, language: Language) -> list[tuple[str, str]]:
    held_out = report["held_out"]
    curves = _of_months(held_out.get("calibration", {}), "curve")
    benefit = held_out.get("net_benefit", {})
    benefits = benefit if isinstance(benefit, dict) else {"": benefit}
    return [
        ("calibration", "".join(_calibration(month, rows, language) for month, rows in curves.items())),
        ("net_benefit", "".join(_net_benefit(month, rows, language) for month, rows in benefits.items())),
        ("groups", _groups(report["risk_groups"], language) if "risk_groups" in report else ""),
    ]


def _months(month: str) -> str:
    return f", {month} m" if month else ""


def _of_months(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Rows by month; a model without time has one set, under no name."""
    return {"": value[key]} if key in value else dict(value)


def _calibration(month: str, rows: Sequence[Mapping[str, float]], language: Language) -> str:
    points = sorted((row["predicted"], row["observed"]) for row in rows)
    series = [Series(f"{_w('model', language)}{_months(month)}", points, marks=True), Series(_w("ideal", language), [(0, 0), (1, 1)])]
    axes = Axes(_w("predicted", language), _w("observed", language), (0, 1), (0, 1))
    return figures.lines(axes, series, title=f"{_w('calibration', language)} {month}")


def _net_benefit(month: str, rows: Sequence[Mapping[str, float]], language: Language) -> str:
    names = ("model", "everybody")
    series = [Series(f"{_w(name, language)}{_months(month)}", [(row["threshold"], row[name]) for row in rows]) for name in names]
    top = max((row[name] for row in rows for name in names), default=0.1)
    axes = Axes(_w("threshold", language), _w("benefit", language), (0, 1), (-0.1, max(0.2, round(top + 0.1, 1))))
    return figures.lines(axes, series, title=f"{_w('net_benefit', language)} {month}")


def _groups(groups: Report, language: Language) -> str:
    last = max((day for name in ("low", "high") for day, _ in groups[name]["curve"]), default=1.0)
    series = [
        Series(f"{_w(name, language)} (n = {groups[name]['n']})", [(0.0, 1.0), *map(tuple, groups[name]["curve"])], steps=True)
        for name in ("low", "high")
    ]
    said = figures.lines(Axes(_w("days", language), _w("survival", language), (0, last), (0, 1)), series, title=_w("groups", language))
    for key in ("high_against_low", "high_against_low_adjusted"):
        ratio = groups.get(key)
        if ratio:
            adjusted = f" ({', '.join(ratio['adjusted_for'])})" if "adjusted_for" in ratio else ""
            text = f"{ratio['hazard_ratio']:.2f} ({ratio['lower']:.2f}–{ratio['upper']:.2f}), p = {ratio['p']:.3g}"
            said += f"<p>{_w('hazard_ratio', language)}{escape(adjusted)}: {text}</p>"
    return said


def _policy(policy: Report, language: Language) -> str:
    rows = []
    for name, found in policy["compared"].items():
        if "refused" in found:
            rows.append((name, found["refused"], "", ""))
            continue
        rows.append((name, _w("rule", language), *_interval(found["value"])))
        rows += [(name, f"{_w('for_all', language)}: {strategy}", *_interval(value)) for strategy, value in found["fixed"].items()]
        rows.append((name, f"{_w('gain', language)} ({found['best_fixed']})", *_interval(found["gain_over_best_fixed"])))
        trial = found["rehearsal"]
        rows.append((name, _w("consistent", language), f"{trial['consistent']:.3f}", ""))
        rows.append((name, _w("power", language), " / ".join(f"{value:.2f}" for value in trial["power"].values()), ""))
    support = policy["support"]
    below = [
        (name, f"{value:.1%}", f"{support['effective_sample_size']['overlap'].get(name, 0):.0f}")
        for name, value in support["below_support"].items()
    ]
    return _table([("", "rule", "estimate", "interval")], rows, language) + _table([("", "support", "effective")], below, language)


def _by(found: Mapping[str, Any], what: str, language: Language) -> str:
    rows = []
    for name, each in found.items():
        value = each.get("auc", each.get("c_index"))
        shown = ("–", "") if value is None else _interval(value if isinstance(value, dict) else {"estimate": value})
        rows.append((name, str(each["n"]), str(each.get("events", "")), *shown))
    return _table([(what, "patients", "events", "estimate", "interval")], rows, language) if rows else ""


def _subgroup(name: str, found: Mapping[str, Any], language: Language) -> str:
    return f"<p>{escape(name)}</p>{_by(found, 'subgroups', language)}"


def _features(report: Report, language: Language) -> str:
    kept = report["selected_features"]
    if isinstance(kept, dict):
        rows = [(name, str(report["branches"][name]["learner"]), ", ".join(each) or _w("none", language)) for name, each in kept.items()]
        return _table([("", "model", "features")], rows, language)
    return _list(kept, language)


def _optimism(rows: Sequence[Report], language: Language) -> str:
    shown = [
        (
            word(row["shortcut"], language),
            word(row["measure"], language),
            f"{row['with']:.3f}",
            f"{row['without']:.3f}",
            f"{row['added']:+.3f}",
        )
        for row in rows
    ]
    return _table([("", "measure", "with", "without", "optimism")], shown, language)


def _provenance(report: Report) -> str:
    keys = (
        "model_sha256",
        "data_sha256",
        "preset",
        "preset_sha256",
        "environment_sha256",
        "program_sha256",
        "feature_list_sha256",
        "seed",
        "landmark",
    )
    rows = [(key, str(report[key])) for key in keys if key in report]
    said = "".join(f'<tr><th scope="row">{escape(key)}</th><td class="hash">{escape(value)}</td></tr>' for key, value in rows)
    return f'<table class="t">{said}</table>'


def _interval(value: Mapping[str, Any]) -> tuple[str, str]:
    if value.get("estimate") is None:
        return "–", ""
    known = value.get("lower") is not None and value.get("upper") is not None
    return _number(value["estimate"]), f"[{_number(value['lower'])}, {_number(value['upper'])}]" if known else ""


def _number(value: float) -> str:
    return f"{value:z.3f}".replace("-", "−")


def _table(head: Sequence[Sequence[str]], rows: Rows, language: Language) -> str:
    top = "".join(f'<th scope="col">{_w(name, language)}</th>' for name in head[0])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    named = f'tabindex="0" role="group" aria-label="{", ".join(_w(name, language) for name in head[0] if name)}"'
    return f'<div class="scroll" {named}><table class="t"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _list(items: Sequence[str], language: Language) -> str:
    shown = items or [word("none", language)]
    return "<ul>" + "".join(f"<li>{escape(each)}</li>" for each in shown) + "</ul>"


def _w(key: str, language: Language) -> str:
    return escape(word(key, language)) if key else ""
