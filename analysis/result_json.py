"""The comparison as canonical JSON and back: what travels from the opening to the published page, to the last digit.

Both rows stand in one object; there is no way to write or read one without the other (AN-21). Numbers are their shortest repr.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from accounts.canonical import number
from analysis.kaplan_meier import Curve
from analysis.landmark import Excluded
from analysis.propensity import Balance
from analysis.survival_times import Floats
from analysis.weighted_curve import WeightedCurve
from analysis.weighting import Comparison, Estimate, Row

ROWS = ("naive", "adjusted")
GROUPS = ("consistent", "inconsistent")


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as a value of canonical JSON."""
    return {
        "landmark": number(comparison.landmark),
        "horizon": number(comparison.horizon),
        **{name: _row(getattr(comparison, name)) for name in ROWS},
        "balance": [
            {"name": one.name, "before": number(one.before), "after": number(one.after), "variance_ratio": number(one.variance_ratio)}
            for one in comparison.balance
        ],
        "excluded": [{"group": int(one.group), "n": one.n, "event": one.event, "censored": one.censored} for one in comparison.excluded],
        "without_overlap": comparison.without_overlap,
        "replicates": comparison.replicates,
        "failed": comparison.failed,
        "seed": comparison.seed,
    }


def read_comparison(value: dict[str, Any]) -> Comparison:
    """The inverse. Raises KeyError, TypeError or ValueError for anything else, a comparison with one row among it."""
    naive, adjusted = (_read_row(value[name]) for name in ROWS)
    return Comparison(
        landmark=float(value["landmark"]),
        horizon=float(value["horizon"]),
        excluded=tuple(Excluded(one["group"], one["n"], one["event"], one["censored"]) for one in value["excluded"]),
        naive=naive,
        adjusted=adjusted,
        balance=tuple(
            Balance(one["name"], float(one["before"]), float(one["after"]), float(one["variance_ratio"])) for one in value["balance"]
        ),
        without_overlap=value["without_overlap"],
        replicates=value["replicates"],
        failed=value["failed"],
        seed=value["seed"],
    )


def curve_rows(comparison: Comparison) -> Iterator[dict[str, Any]]:
    """Every step of the four curves, days counted from the landmark, with log-log limits."""
    for name in ROWS:
        for group, curve in zip(GROUPS, getattr(comparison, name).curves, strict=True):
            limits = curve.interval("log-log")
            for place, day in enumerate(curve.time):
                yield {
                    "analysis": name,
                    "group": group,
                    "day": number(day),
                    "at_risk": number(curve.at_risk[place]),
                    "events": number(curve.events[place]),
                    "survival": number(curve.survival[place]),
                    "lower": number(limits.lower[place]),
                    "upper": number(limits.upper[place]),
                }


def _row(row: Row) -> dict[str, Any]:
    return {
        "n": list(row.n),
        "effective": [number(one) for one in row.effective],
        "events": list(row.events),
        "survival": [_estimate(one) for one in row.survival],
        "hazard_ratio": _estimate(row.hazard_ratio),
        "p": number(row.p),
        "logrank_p": None if row.logrank_p is None else number(row.logrank_p),
        "rmst_difference": _estimate(row.rmst_difference),
        "curves": [_curve(curve) for curve in row.curves],
    }


def _read_row(value: dict[str, Any]) -> Row:
    first, second = value["curves"]
    return Row(
        n=_pair(value["n"]),
        effective=(float(value["effective"][0]), float(value["effective"][1])),
        events=_pair(value["events"]),
        survival=(_read_estimate(value["survival"][0]), _read_estimate(value["survival"][1])),
        hazard_ratio=_read_estimate(value["hazard_ratio"]),
        p=float(value["p"]),
        logrank_p=None if value["logrank_p"] is None else float(value["logrank_p"]),
        rmst_difference=_read_estimate(value["rmst_difference"]),
        curves=(_read_curve(first), _read_curve(second)),
    )


def _curve(curve: Curve) -> dict[str, Any]:
    names = ("time", "at_risk", "events", "survival", "hazard_variance", "observed")
    said: dict[str, Any] = {name: [number(one) for one in getattr(curve, name)] for name in names}
    said |= {"n": curve.n, "level": number(curve.level)}
    if isinstance(curve, WeightedCurve):
        said |= {"weight": [number(one) for one in curve.weight], "failed": [bool(one) for one in curve.failed]}
    return said


def _read_curve(value: dict[str, Any]) -> Curve:
    names = ("time", "at_risk", "events", "survival", "hazard_variance", "observed")
    plain = {"n": value["n"], "level": float(value["level"]), **{name: _floats(value[name]) for name in names}}
    if "weight" not in value:
        return Curve(**plain)
    return WeightedCurve(**plain, weight=_floats(value["weight"]), failed=np.array(value["failed"], dtype=bool))


def _estimate(one: Estimate) -> list[str]:
    return [number(one.value), number(one.lower), number(one.upper)]


def _read_estimate(value: list[str]) -> Estimate:
    middle, low, high = (float(each) for each in value)
    return Estimate(middle, low, high)


def _pair(value: list[int]) -> tuple[int, int]:
    first, second = value
    return first, second


def _floats(values: list[str]) -> Floats:
    return np.array([float(each) for each in values], dtype=np.float64)
