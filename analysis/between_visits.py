"""Free of recurrence at month 36 by group where a recurrence is only known to lie between two checks: naive and adjusted, never one alone.

Source: EP-07, AN-20, AN-21. Turnbull's estimator beyond the landmark, without weights and with the overlap weights of the comparison;
limits of both from resampling patients within centers, the propensity model refitted each time. A death is known to the day; where the
data leave the survival of the day open between two values, their middle counts. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtri

from accounts.canonical import number
from analysis.interval_censoring import EXACT, FOR_A_PAGE, turnbull
from analysis.other_rules import FREE_UNTIL
from analysis.propensity import overlap
from analysis.survival_times import Bools, Floats, Ints, codes
from analysis.weighting import Estimate, design
from followup.outcomes import DAYS_PER_MONTH

MONTH = 36
_Z = float(ndtri(0.975))


@dataclass(frozen=True)
class Seen:
    """Beyond the landmark, days from it: the recurrence lies in (left, right], right infinite without one, equal ends a death."""

    left: Floats
    right: Floats
    consistent: Bools
    center: Ints
    recommended: Ints
    confounders: Floats

    def rows(self, chosen: Ints) -> "Seen":
        return Seen(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class BetweenVisits:
    """Survival of (consistent, inconsistent) at the day, both ways; `failed` replicates had no solution."""

    naive: tuple[Estimate, Estimate]
    adjusted: tuple[Estimate, Estimate]
    failed: int


def seen(frame: Mapping[str, Any], free_until: Floats, landmark: float) -> Seen:
    """From the columns of the comparison and the last day known free of disease of each row."""
    kept = frame["time"] > landmark
    event = frame["event"][kept] == 1
    time, free = frame["time"][kept] - landmark, np.maximum(free_until[kept] - landmark, 0.0)
    _names, matrix = design(frame, [name for name in frame if name.startswith("x_")])
    center, recommended = (codes(frame[name], kept.size, name)[kept] for name in ("center", "recommended"))
    left, right = np.where(event, np.minimum(free, time), time), np.where(event, time, np.inf)
    return Seen(left, right, frame["consistent"][kept] == 1, center, recommended, matrix[kept])


def between_visits(data: Seen, day: float, *, seed: int, replicates: int) -> BetweenVisits:
    """Read all four curves at `day` from the landmark. Raises ValueError where a group was not followed so long, or as `overlap`."""
    for group in (data.consistent, ~data.consistent):
        if not group.any() or data.left[group].max() < day:
            raise ValueError("one of the groups was not followed up to the month")
    point = _read(data, day, EXACT)
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(data.center == each) for each in np.unique(data.center)]
    drawn, failed = [], 0
    for _ in range(replicates):
        again = data.rows(np.concatenate([random.choice(member, member.size) for member in members]))
        try:
            drawn.append(_read(again, day, FOR_A_PAGE))
        except (ValueError, np.linalg.LinAlgError):
            failed += 1
    limits = [_estimate(value, np.array([each[place] for each in drawn])) for place, value in enumerate(point)]
    return BetweenVisits((limits[0], limits[1]), (limits[2], limits[3]), failed)


def _read(data: Seen, day: float, gain: float) -> list[float]:
    """Naive consistent, naive inconsistent, adjusted consistent, adjusted inconsistent."""
    chosen = overlap(data.consistent, data.confounders, (data.center, data.recommended))
    ones = np.ones(data.left.size)
    return [_survival(data, group, weight, day, gain) for weight in (ones, chosen.weight) for group in (data.consistent, ~data.consistent)]


def _survival(data: Seen, group: Bools, weight: Floats, day: float, gain: float) -> float:
    counted = group & (weight > 0)
    return float(np.mean(turnbull(data.left[counted], data.right[counted], weight[counted], gain=gain).bounds(day)))


def _estimate(value: float, drawn: Floats) -> Estimate:
    """Normal limits on log(−log S)."""
    inside = drawn[(drawn > 0) & (drawn < 1)]
    if not 0 < value < 1 or inside.size < 2:
        return Estimate(value, float("nan"), float("nan"))
    middle, spread = np.log(-np.log(value)), _Z * float(np.log(-np.log(inside)).std(ddof=1))
    return Estimate(value, float(np.exp(-np.exp(middle + spread))), float(np.exp(-np.exp(middle - spread))))


def said(rows: Sequence[Mapping[str, str]], frame: Mapping[str, Any], *, landmark: float, seed: int, replicates: int) -> dict[str, Any]:
    """Both rows at month 36 as a value of canonical JSON, or the sentence why neither; `rows` are those of `frame`."""
    free = np.array([float(row[FREE_UNTIL]) for row in rows])
    try:
        found = between_visits(seen(frame, free, landmark), MONTH * DAYS_PER_MONTH - landmark, seed=seed, replicates=replicates)
    except (ValueError, np.linalg.LinAlgError) as refusal:
        return {"month": MONTH, "refused": str(refusal)}
    both = {"naive": found.naive, "adjusted": found.adjusted}
    numbers = {name: [[number(each) for each in (one.value, one.lower, one.upper)] for one in pair] for name, pair in both.items()}
    return {"month": MONTH, "refused": "", "failed": found.failed, **numbers}
