"""How closely each group of the comparison was looked after: checks of the disease by tag and strategy received (EP-08).

Of whom the opening compares. Who is looked at more often is found out earlier, and TACE brings an angiography of its own. Checks and
person-time count from surgery to the end of recurrence-free survival; the check that found a recurrence counts. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import gamma

from accounts.canonical import number
from analysis.consistency import State, Tag
from analysis.other_rules import CHECKS
from analysis.result_frame import Cells
from analysis.weighting import Estimate
from followup.surveillance import DAYS_PER_YEAR
from predictions.decision import INTENSITY

TAGS = (State.CONSISTENT, State.INCONSISTENT)


@dataclass(frozen=True)
class Looked:
    """Checks of a group of n in so many days; `a_year` a person with exact Poisson limits, `interval` the median of days between checks.

    The first interval of a patient begins at surgery. NaN where nobody was observed or nobody was checked.
    """

    n: int
    checks: int
    days: int
    a_year: Estimate
    interval: float


def looked(checks: Sequence[Sequence[int]], days: Sequence[int]) -> Looked:
    """Of the days of each patient's checks, ascending, and the days that each was observed. Source of the limits: Garwood 1936."""
    count, observed = sum(map(len, checks)), sum(days)
    between = np.concatenate([np.diff([0, *each]) for each in checks]) if count else np.array([])
    interval = float(np.median(between)) if count else float("nan")
    return Looked(len(days), count, observed, _rate(count, observed / DAYS_PER_YEAR), interval)


def _rate(count: int, years: float) -> Estimate:
    if not years:
        return Estimate(float("nan"), float("nan"), float("nan"))
    low = float(gamma.ppf(0.025, count)) if count else 0.0
    return Estimate(count / years, low / years, float(gamma.ppf(0.975, count + 1)) / years)


def groups(rows: Sequence[Cells], found: Mapping[str, Tag]) -> dict[tuple[str, str], Looked]:
    """(tag, strategy) → the group, each with its totals (an empty tag or strategy is all of them); nobody's group is there, too."""
    strategies = tuple(map(str, INTENSITY))
    told = [
        (str(found[row["patient"]].state), row["strategy"], [int(day) for day in row[CHECKS].split()], int(row["rfs_time"])) for row in rows
    ]
    chosen = {}
    for tag in ("", *map(str, TAGS)):
        for strategy in ("", *strategies):
            inside = [each for each in told if tag in ("", each[0]) and strategy in ("", each[1])]
            chosen[tag, strategy] = looked([each[2] for each in inside], [each[3] for each in inside])
    return chosen


def said(rows: Sequence[Cells], found: Mapping[str, Tag]) -> list[dict[str, Any]]:
    """Every group as a value of canonical JSON; `rows` are those with a tag that counts."""
    return [
        {
            "tag": tag,
            "strategy": strategy,
            "n": one.n,
            "checks": one.checks,
            "days": one.days,
            "a_year": [number(each) for each in (one.a_year.value, one.a_year.lower, one.a_year.upper)],
            "interval": number(one.interval),
        }
        for (tag, strategy), one in groups(rows, found).items()
    ]
