"""The comparison inside the opening: tags joined with the outcomes of the cut, naive and adjusted, both or neither.

Source: F1, AN-07, AN-08, AN-21, `docs/statistics.md`. Computed offline on the second custodian's device, because before publication no
machine of the platform holds tags and outcomes together. Pure: an opening in, files out; the seed comes from the request.
"""

import csv
import io
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from accounts import canonical
from accounts.canonical import number
from analysis import between_visits, opening_predictions, r_script, sap, surveillance_groups, survival_times
from analysis.consistency import State, Tag
from analysis.e_value import e_value, e_value_of_limit
from analysis.landmark import landmark
from analysis.opening import Opening
from analysis.other_rules import CHECKS, FREE_UNTIL, PREFIX
from analysis.propensity import overlap
from analysis.reading import LastWindow, last_window, until_closed
from analysis.result_frame import LOG10, Cells, consistent_of, frame_of
from analysis.result_json import comparison_json, curve_rows
from analysis.survival_times import Floats
from analysis.weighting import DRAWS, Comparison, compare_naive_and_adjusted, design
from studies import protocol

REPLICATES = 400
OUTCOMES = ("rfs_time", "rfs_event", "rfs_reason", "os_time", "os_event", "recurrence_time", "recurrence_cause")
FIXED = frozenset(
    {"patient", "center", "surgery_date", "strategy", "strategy_rule", "window_closed", "site_reason", "known_on", "zone", *OUTCOMES}
)
"""The columns of an opening cut that are neither confounders nor inputs of a model."""
MODALITIES = ("clinical_", "arterial_", "venous_", "slide_", "report_")


def files(opening: Opening, found: Mapping[str, Tag], other_tags: Mapping[str, Mapping[str, Tag]] | None = None) -> dict[str, bytes]:
    """`analysis.json`, `analysis_cut.csv` (a row per enrolled patient), `curves.csv`, `balance.csv`, `replicates.csv`, `analysis.R`.

    `other_tags` are those under the other rules of the sensitivity analyses (`analysis.other_rules`).
    """
    rows = list(csv.DictReader(io.StringIO(opening.cut.decode())))
    names = confounders_of(rows)
    compared = [row for row in rows if consistent_of(found.get(row["patient"])) is not None]
    comparison, refused = compare(opening, compared, found, names)
    weights = _weights(compared, found, names, comparison.landmark) if comparison else {}
    said = {
        "v": 1,
        "study": opening.bundle.request["study"],
        "request": opening.bundle.request_digest,
        "cut": opening.bundle.request["cut"],
        "rule": opening.bundle.request["rule"],
        "flow": flow(rows, found),
        "comparison": None if comparison is None else comparison_json(comparison) | _e_values(comparison),
        "refused": refused,
    }
    if comparison:
        day = comparison.landmark + comparison.horizon
        said |= _sensitivity(sap.Setting(rows, found, names, comparison.landmark, day, comparison.seed), other_tags or {})
        if FREE_UNTIL in rows[0]:
            said["between_visits"] = between_visits.said(
                compared, frame_of(compared, found, names), landmark=comparison.landmark, seed=comparison.seed, replicates=sap.REPLICATES
            )
        if CHECKS in rows[0]:
            said["surveillance"] = surveillance_groups.said(compared, found)
        said |= opening_predictions.worth(
            opening, compared, found, names, landmark=comparison.landmark, horizon=comparison.horizon, seed=comparison.seed,
            window=_window(opening),
        )  # fmt: skip
    written = {
        "analysis.json": canonical.canonical(said) + b"\n",
        "analysis_cut.csv": _csv(_patient(row, found, weights, names) for row in rows),
    }
    if comparison:
        written["curves.csv"] = _csv(curve_rows(comparison))
        written["balance.csv"] = _csv({"covariate": one.name, "before": one.before, "after": one.after} for one in comparison.balance)
        written["replicates.csv"] = _csv(dict(zip(DRAWS, map(number, draw), strict=True)) for draw in comparison.draws)
        written["analysis.R"] = r_script.for_result(
            landmark=comparison.landmark, horizon=comparison.horizon, window=_window(opening), confounders=names, log10=sorted(LOG10)
        )
    return written


def confounders_of(rows: Sequence[Cells]) -> list[str]:
    """The names of the confounders in a cut: what is neither fixed nor a model's input."""
    return [name for name in (rows[0] if rows else ()) if name not in FIXED and not name.startswith((PREFIX, *MODALITIES))]


def compare(opening: Opening, rows: Sequence[Cells], found: Mapping[str, Tag], names: Sequence[str]) -> tuple[Comparison | None, str]:
    """Both rows of the result, or neither and the sentence that says why it cannot be estimated."""
    if not rows or not set(OUTCOMES) <= set(rows[0]):
        return None, "the cut holds no evaluable patient with outcomes"
    day = opening.bundle.request["rule"]["landmark_days"]
    frame, window = frame_of(rows, found, names), _window(opening)
    seed = int(opening.bundle.request_digest[:8], 16)
    try:
        return compare_naive_and_adjusted(
            frame, confounders=[name for name in frame if name.startswith("x_")], seed=seed, replicates=REPLICATES,
            landmark_day=day, horizon_day=_horizon(window, frame, day), window=window,
        ), ""  # fmt: skip
    except (ValueError, np.linalg.LinAlgError) as error:
        return None, str(error)


def flow(rows: Sequence[Cells], found: Mapping[str, Tag]) -> dict[str, Any]:
    """Every enrolled patient in exactly one leaf (EN-07): analysed by agreement, not evaluable by reason, pending, outside the scope."""
    states = Counter(str(found[row["patient"]].state) if row["patient"] in found else "OUTSIDE_SCOPE" for row in rows)
    reasons: dict[str, list[Cells]] = defaultdict(list)
    for row in rows:
        tag = found.get(row["patient"])
        if tag and tag.state == State.NOT_EVALUABLE:
            reasons[tag.reason].append(row)
    return {
        "enrolled": len(rows),
        "consistent": states[State.CONSISTENT],
        "inconsistent": states[State.INCONSISTENT],
        "pending": states[State.PENDING],
        "outside_scope": states["OUTSIDE_SCOPE"],
        "not_evaluable": [_reason(reason, members) for reason, members in sorted(reasons.items())],
    }


def _reason(reason: str, rows: Sequence[Cells]) -> dict[str, Any]:
    return {
        "reason": reason,
        "n": len(rows),
        "events": sum(row.get("rfs_event") == "1" for row in rows),
        "centers": dict(sorted(Counter(row["center"] for row in rows).items())),
        "strategies": dict(sorted(Counter(row["strategy"] for row in rows).items())),
    }


def _window(opening: Opening) -> LastWindow | None:
    """The window of the last planned check, whose end is the protocol's reading day; None for a cut that names no protocol."""
    named = opening.bundle.body(0).get("protocol")
    if named is None:
        return None
    return last_window(protocol.load(named["id"], named["version"], named["digest"]))


def _horizon(window: LastWindow | None, frame: Mapping[str, Any], landmark_day: int) -> float | None:
    """The protocol's reading day (F4), or None (the longest that both groups were observed) where the data end before it."""
    if window is None:
        return None
    read = until_closed(frame["time"], frame["event"], window)
    longest = min(float(read[frame["consistent"] == group].max(initial=0)) for group in (0, 1))
    return window.closes if longest >= window.closes > landmark_day else None


def _weights(rows: Sequence[Cells], found: Mapping[str, Tag], names: Sequence[str], day: float) -> dict[str, float]:
    """The overlap weight of each patient beyond the landmark: the same model of the same rows as in the comparison."""
    frame = frame_of(rows, found, names)
    kept = landmark(frame["time"], frame["event"], day=day).kept
    _names, matrix = design(frame, [name for name in frame if name.startswith("x_")])
    labels = [survival_times.codes(frame[name], len(rows), name)[kept] for name in ("center", "recommended")]
    weight: Floats = overlap(frame["consistent"][kept] == 1, matrix[kept], labels).weight
    beyond = [row["patient"] for row, stays in zip(rows, kept, strict=True) if stays]
    return dict(zip(beyond, map(float, weight), strict=True))


def _sensitivity(setting: sap.Setting, other_tags: Mapping[str, Mapping[str, Tag]]) -> dict[str, Any]:
    """The plan's sensitivity analyses and the bounds, as values of canonical JSON."""
    limits = sap.bounds(setting)
    return {
        "plan": sap.VERSION,
        "sensitivity": [_said(one) for one in sap.sensitivities(setting, other_tags)],
        "bounds": {"left_out": limits.left_out, "worst": _said(limits.worst), "best": _said(limits.best), "crossing": limits.crossing},
    }


def _said(one: sap.Found) -> dict[str, Any]:
    ratios = {name: None if value is None else [number(each) for each in value] for name, value in _ratios(one)}
    return {"code": one.code, "detail": one.detail, "n": list(one.n), "events": list(one.events), **ratios, "refused": one.refused}


def _ratios(one: sap.Found) -> tuple[tuple[str, sap.Ratio | None], ...]:
    return (("naive", one.naive), ("adjusted", one.adjusted))


def _e_values(comparison: Comparison) -> dict[str, str]:
    """Of the estimate and of its limit nearer to 1 (AN-12); NaN where there is none."""
    ratio = comparison.adjusted.hazard_ratio
    known = all(math.isfinite(each) and each > 0 for each in (ratio.value, ratio.lower, ratio.upper))
    of_both = (e_value(ratio.value), e_value_of_limit(ratio.lower, ratio.upper)) if known else (math.nan, math.nan)
    return {"e_value": number(of_both[0]), "e_value_of_limit": number(of_both[1])}


def _patient(row: Cells, found: Mapping[str, Tag], weights: Mapping[str, float], names: Sequence[str]) -> dict[str, Any]:
    tag = found.get(row["patient"])
    consistent = consistent_of(tag)
    return {
        **{name: row.get(name, "") for name in ("patient", "center", "strategy", *OUTCOMES)},
        "tag": tag.state if tag else "OUTSIDE_SCOPE",
        "reason": tag.reason if tag else "",
        "recommended": (tag.recommended if tag else None) or "",
        "consistent": "" if consistent is None else int(consistent),
        "weight": number(weights[row["patient"]]) if row["patient"] in weights else "",
        **({"checks": row[CHECKS]} if CHECKS in row else {}),
        **{name: row[name] for name in names},
    }


def _csv(rows: Any) -> bytes:
    listed = list(rows)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(listed[0]) if listed else ["patient"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(listed)
    return written.getvalue().encode()
