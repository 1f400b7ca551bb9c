"""The analysis plan's sensitivity analyses as code: which are run, in which order, from which columns of the cut (AN-00, AN-21, TX-08).

Each gives the naive and the adjusted hazard ratio together, or neither and the sentence why. Pure: rows of an opening cut and tags in.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from analysis.center_effects import jackknife, shared_frailty
from analysis.clone_censor import clone_censor_weight
from analysis.consistency import State, Tag
from analysis.other_rules import PREFIX, WINDOW
from analysis.result_frame import Cells, consistent_of, frame_of, gaps_of
from analysis.sap_imputed import compare_imputed
from analysis.survival_times import Bools, codes
from analysis.weighting import compare_naive_and_adjusted, design

VERSION = "1"
REPLICATES = 100
LANDMARKS = (120.0, 180.0)
OUTSIDE = frozenset({"ABSTAIN", "DEATH_BEFORE_L", "RECUR_BEFORE_L", "CENSORED_BEFORE_L", "WITHDRAWN"})
"""Reasons without a tag that are part of who is compared; everybody else without one might have been left out on purpose."""
BEFORE = frozenset({"DEATH_BEFORE_L", "RECUR_BEFORE_L", "CENSORED_BEFORE_L", "WITHDRAWN"})

Ratio = tuple[float, float, float]
Tags = Mapping[str, Tag]


@dataclass(frozen=True)
class Found:
    """One analysis: its code, what it varies (a day, a center), both hazard ratios with limits, or `refused`."""

    code: str
    detail: str
    n: tuple[int, int]
    events: tuple[int, int]
    naive: Ratio | None
    adjusted: Ratio | None
    refused: str = ""


@dataclass(frozen=True)
class Bounds:
    """Those without a tag who might have been left out: every event of theirs on the one side, then on the other.

    `worst` puts them against the recommendation, `best` in its favour. `crossing`: the two intervals together hold 1, so that
    who was left out could decide the sign: "not robust".
    """

    left_out: int
    worst: Found
    best: Found

    @property
    def crossing(self) -> bool:
        if self.worst.adjusted is None or self.best.adjusted is None:
            return True
        low, high = min(self.worst.adjusted[1], self.best.adjusted[1]), max(self.worst.adjusted[2], self.best.adjusted[2])
        return low <= 1 <= high


@dataclass(frozen=True)
class Setting:
    """What every analysis shares: the cut, the primary tags, the names of the confounders, landmark, reading day, seed."""

    rows: Sequence[Cells]
    tags: Tags
    names: Sequence[str]
    landmark: float
    horizon_day: float
    seed: int


def sensitivities(setting: Setting, other_tags: Mapping[str, Tags]) -> Iterator[Found]:
    """Every analysis of the plan that the cut has columns for, in the plan's order."""
    for day in LANDMARKS:
        if day > setting.landmark:
            yield _compared(setting, "landmark", f"{day:g}", landmark=day)
    if "w120" in other_tags:
        yield _compared(setting, "window", f"{WINDOW}", tags=other_tags["w120"], landmark=max(float(WINDOW), setting.landmark))
    yield _cloned(setting)
    held = setting.rows[0] if setting.rows else {}
    if f"{PREFIX}crossover" in held:
        yield _compared(setting, "crossover", "", change=_until_crossover)
    yield _compared(setting, "tag_set", "", group=lambda _patient, tag: tag.acceptable)
    if "haic" in other_tags:
        yield _compared(setting, "haic_is_tace", "", tags=other_tags["haic"])
    for name in ("earliest", "latest", "missed", "therapy", "central"):
        if f"{PREFIX}{name}_time" in held:
            yield _compared(setting, name, "", change=_reading(f"{PREFIX}{name}"))
    yield _compared(setting, "overall_survival", "", change=_reading("os"))
    centers = sorted({row["center"] for row in setting.rows})
    without = [_compared(setting, "without_center", center, kept=_outside(center)) for center in centers]
    yield _imputed(setting)
    yield _between_centers(setting, without)
    yield _with_frailty(setting)
    yield from without


def bounds(setting: Setting) -> Bounds:
    """Best and worst case of who has no tag though followed beyond the landmark, abstentions apart (`docs/blinding.md` §8)."""
    left = [row for row in setting.rows if _left_out(row, setting)]
    worst, best = (_with_left_out(setting, left, name, favours=favours) for name, favours in (("worst", False), ("best", True)))
    return Bounds(len(left), worst, best)


def _left_out(row: Cells, setting: Setting) -> bool:
    tag = setting.tags.get(row["patient"])
    if float(row["rfs_time"]) <= setting.landmark or (tag and (tag.state == State.PENDING or tag.reason in OUTSIDE)):
        return False
    return consistent_of(tag) is None


def _with_left_out(setting: Setting, left: Sequence[Cells], name: str, *, favours: bool) -> Found:
    """With an event they stand where it harms the case; the stratum of who has no recommendation is one of its own."""
    given = {row["patient"]: (row["rfs_event"] == "1") != favours for row in left}

    blank = Tag(State.NOT_EVALUABLE, "", None, None, None, None, None, "", "")
    tags = {row["patient"]: setting.tags.get(row["patient"], blank) for row in setting.rows}
    return _compared(replace(setting, tags=tags), name, str(len(left)), group=lambda patient, tag: given.get(patient, consistent_of(tag)))


def _compared(
    setting: Setting,
    code: str,
    detail: str,
    *,
    tags: Tags | None = None,
    landmark: float | None = None,
    kept: Callable[[Cells], bool] = lambda _row: True,
    change: Callable[[Cells], Cells] = lambda row: row,
    group: Callable[[str, Tag], bool | None] = lambda _patient, tag: consistent_of(tag),
) -> Found:
    """One comparison that departs from the primary in tags, landmark, rows, outcomes or grouping."""
    tags = setting.tags if tags is None else tags
    tagged = [(row, group(row["patient"], tags[row["patient"]])) for row in setting.rows if row["patient"] in tags and kept(row)]
    chosen, agree = [change(row) for row, one in tagged if one is not None], [one for _row, one in tagged if one is not None]
    try:
        frame = frame_of(chosen, tags, setting.names, np.array(agree, dtype=bool))
        found = compare_naive_and_adjusted(
            frame,
            confounders=[name for name in frame if name.startswith("x_")],
            seed=setting.seed,
            replicates=REPLICATES,
            landmark_day=setting.landmark if landmark is None else landmark,
            horizon_day=_reachable(frame, setting.horizon_day),
        )
    except (ValueError, np.linalg.LinAlgError) as refusal:
        return Found(code, detail, (0, 0), (0, 0), None, None, str(refusal))
    naive, adjusted = ((one.value, one.lower, one.upper) for one in (found.naive.hazard_ratio, found.adjusted.hazard_ratio))
    return Found(code, detail, found.naive.n, found.naive.events, naive, adjusted)


def _between_centers(setting: Setting, without: Sequence[Found]) -> Found:
    """The primary ratios with limits from leaving out one center after the other."""
    whole = _compared(setting, "between_centers", "")
    if whole.naive is None or whole.adjusted is None:
        return whole
    try:
        naive = jackknife(whole.naive[0], [one.naive[0] if one.naive else math.nan for one in without])
        adjusted = jackknife(whole.adjusted[0], [one.adjusted[0] if one.adjusted else math.nan for one in without])
    except ValueError as refusal:
        return replace(whole, naive=None, adjusted=None, refused=str(refusal))
    return replace(whole, naive=naive, adjusted=adjusted)


def _with_frailty(setting: Setting) -> Found:
    """The primary comparison with a risk of its own for each center."""
    whole = _compared(setting, "frailty", "")
    chosen = [row for row in setting.rows if consistent_of(setting.tags.get(row["patient"])) is not None]
    try:
        frame = frame_of(chosen, setting.tags, setting.names)
        naive, adjusted = shared_frailty(frame, [name for name in frame if name.startswith("x_")], setting.landmark)
    except (ValueError, np.linalg.LinAlgError) as refusal:
        return Found("frailty", "", (0, 0), (0, 0), None, None, str(refusal))
    return replace(whole, naive=naive, adjusted=adjusted, refused="")


def _imputed(setting: Setting) -> Found:
    """The primary comparison with gaps of confounders drawn several times (AN-14); half the resamples in each completed table."""
    whole = _compared(setting, "imputed", "")
    chosen = [row for row in setting.rows if consistent_of(setting.tags.get(row["patient"])) is not None]
    try:
        frame = frame_of(chosen, setting.tags, setting.names)
        naive, adjusted = compare_imputed(
            frame, gaps_of(chosen, setting.names), seed=setting.seed, replicates=max(REPLICATES // 2, 2), landmark_day=setting.landmark,
            horizon_day=_reachable(frame, setting.horizon_day),
        )  # fmt: skip
    except (ValueError, np.linalg.LinAlgError) as refusal:
        return Found("imputed", "", (0, 0), (0, 0), None, None, str(refusal))
    return replace(whole, naive=naive, adjusted=adjusted, refused="")


def _reachable(frame: Mapping[str, Any], day: float) -> float | None:
    """The reading day where both groups were followed so long; else None, the longest that both were."""
    longest = min(float(frame["time"][frame["consistent"] == group].max(initial=0)) for group in (0, 1))
    return day if longest >= day else None


def _reading(prefix: str) -> Callable[[Cells], Cells]:
    return lambda row: {**row, "rfs_time": row[f"{prefix}_time"], "rfs_event": row[f"{prefix}_event"]}


def _outside(center: str) -> Callable[[Cells], bool]:
    return lambda row: row["center"] != center


def _until_crossover(row: Cells) -> Cells:
    crossed = row[f"{PREFIX}crossover"]
    if not crossed or float(crossed) >= float(row["rfs_time"]):
        return row
    return {**row, "rfs_time": crossed, "rfs_event": "0"}


def _cloned(setting: Setting) -> Found:
    """Clone, censor, weight, with who left before the landmark too, as far as a recommendation is known of them."""
    chosen, agree = [], []
    for row in setting.rows:
        tag = setting.tags.get(row["patient"])
        early = tag is not None and tag.reason in BEFORE and tag.recommended is not None and float(row["rfs_time"]) <= setting.landmark
        if tag is not None and (early or consistent_of(tag) is not None):
            chosen.append(row)
            agree.append(bool(consistent_of(tag)))
    try:
        group: Bools = np.array(agree, dtype=bool)
        frame = frame_of(chosen, setting.tags, setting.names, group)
        _titles, matrix = design(frame, [name for name in frame if name.startswith("x_")])
        center, recommended = (codes(frame[name], group.size, name) for name in ("center", "recommended"))
        labels = [np.asarray(label[:, None] == np.unique(label)[1:], dtype=np.float64) for label in (center, recommended)]
        done = clone_censor_weight(
            frame["time"], frame["event"] == 1, group, covariates=np.column_stack([matrix, *labels]), recommended=recommended,
            window=setting.landmark,
        )  # fmt: skip
    except (ValueError, np.linalg.LinAlgError) as refusal:
        return Found("clone_censor_weight", "", (0, 0), (0, 0), None, None, str(refusal))
    event, beyond = frame["event"] == 1, frame["time"] > setting.landmark
    sizes, events = [int(np.sum(group & beyond)), int(np.sum(~group & beyond))], [int(np.sum(event & group)), int(np.sum(event & ~group))]
    return Found("clone_censor_weight", "", (sizes[0], sizes[1]), (events[0], events[1]), done.naive, done.adjusted)
