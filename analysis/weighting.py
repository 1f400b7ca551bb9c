"""The registered comparison and the one to read: consistent against inconsistent, naive and adjusted, never one alone (F1, AN-21).

The tag says whether doctors did what was recommended, and both depend on prognosis: under no effect for anybody the naive
hazard ratio is far from 1. The adjusted one weights to the overlap of P(consistent | confounders, center, recommendation),
stratifies by recommendation, and takes its uncertainty from a bootstrap that repeats all of it, the propensity model included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from scipy.special import ndtr, ndtri

from analysis.cox import cox
from analysis.kaplan_meier import Curve, kaplan_meier
from analysis.landmark import Excluded, landmark
from analysis.logrank import logrank
from analysis.propensity import Balance, Overlap, balance, effective_size, overlap
from analysis.reading import LastWindow, until_closed
from analysis.rmst import areas, difference, reaches, restricted_mean
from analysis.survival_times import Bools, Floats, Ints, codes
from analysis.weighted_curve import weighted_kaplan_meier

Resample = Literal["within_center", "center"]
DRAWS = ("log_hazard_ratio", "loglog_survival_consistent", "loglog_survival_inconsistent", "rmst_difference")


class Columns(Protocol):
    """A data frame or a mapping: columns of equal length by name."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % limits; NaN where not estimable."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Row:
    """One line of the result table; pairs are (consistent, inconsistent). `survival` and `rmst_difference` are read at the horizon.

    `effective` is Kish's number, equal to `n` without weights. `logrank_p` is None where a log-rank test has no meaning.
    """

    n: tuple[int, int]
    effective: tuple[float, float]
    events: tuple[int, int]
    survival: tuple[Estimate, Estimate]
    hazard_ratio: Estimate
    p: float
    logrank_p: float | None
    rmst_difference: Estimate
    curves: tuple[Curve, Curve]


@dataclass(frozen=True)
class Comparison:
    """Both rows, what they rest on, and what was left out. Times are counted from the landmark, in the unit given.

    `without_overlap` patients are in a center or recommendation with one group only; their weight is 0. `failed` of the
    `replicates` had no solution and are left out of the limits. `draws` are the others, one row each with the columns DRAWS;
    they do not travel with the result (`replicates.csv` holds them).
    """

    landmark: float
    horizon: float
    excluded: tuple[Excluded, ...]
    naive: Row
    adjusted: Row
    balance: tuple[Balance, ...]
    without_overlap: int
    replicates: int
    failed: int
    seed: int
    draws: Floats = field(default_factory=lambda: np.zeros((0, len(DRAWS))), repr=False, compare=False)


@dataclass(frozen=True)
class Prepared:
    """The columns beyond the landmark, each of length n; confounders (n, p). `read` are the times of curves (`analysis.reading`)."""

    time: Floats
    read: Floats
    event: Bools
    consistent: Bools
    recommended: Ints
    center: Ints
    confounders: Floats

    def rows(self, chosen: Ints | Bools) -> "Prepared":
        return Prepared(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Point:
    """What the bootstrap repeats: log hazard ratio, log(−log S) of both groups, difference of restricted means."""

    log_hazard_ratio: float
    survival: tuple[float, float]
    rmst_difference: float
    curves: tuple[Curve, Curve]


def compare_naive_and_adjusted(
    frame: Columns,
    *,
    confounders: Sequence[str],
    seed: int,
    replicates: int,
    landmark_day: float = 90.0,
    horizon_day: float | None = None,
    window: LastWindow | None = None,
    resample: Resample = "within_center",
) -> Comparison:
    """Compare the consistent with the inconsistent in columns time, event, consistent, recommended, center and the confounders.

    Time is in days since surgery; numeric confounders enter as they are, text as dummies. `landmark_day` and `horizon_day`
    (by default the longest that both groups were observed, AN-06) count from surgery too, and so does the `window` to whose end
    curves are read (F4). Resampling is of patients within centers, or of whole centers. Raises ValueError for bad data, one group only, no
    event, or fewer than two replicates.
    """
    if replicates < 2:
        raise ValueError("a bootstrap needs at least two replicates")
    names, data, excluded = prepared(frame, confounders, landmark_day, window)
    horizon = _horizon(data, landmark_day, horizon_day)
    chosen = overlap(data.consistent, data.confounders, (data.center, data.recommended))
    point = _adjusted_point(data, chosen, horizon)
    repeats, failed = _bootstrap(data, horizon, seed, replicates, resample)
    adjusted = _adjusted_row(data, chosen, point, repeats)
    known = balance(names, data.confounders, data.consistent, chosen.weight)
    return Comparison(
        landmark=landmark_day,
        horizon=horizon,
        excluded=excluded,
        naive=_naive_row(data, horizon),
        adjusted=adjusted,
        balance=known,
        without_overlap=int(chosen.outside.sum()),
        replicates=replicates,
        failed=failed,
        seed=seed,
        draws=np.array([(one.log_hazard_ratio, *one.survival, one.rmst_difference) for one in repeats]).reshape(-1, len(DRAWS)),
    )


def prepared(
    frame: Columns, confounders: Sequence[str], day: float, window: LastWindow | None = None
) -> tuple[list[str], Prepared, tuple[Excluded, ...]]:
    """Names of the confounders, who is followed beyond the landmark, and who is not. Raises ValueError as the comparison does."""
    consistent = np.asarray(frame["consistent"])
    if consistent.dtype != np.bool_:
        if not np.isin(consistent, (0, 1)).all():
            raise ValueError("consistent must be 0 or 1")
        consistent = consistent == 1
    kept = landmark(frame["time"], frame["event"], day=day, group=consistent)
    if np.unique(consistent[kept.kept]).size < 2:
        raise ValueError("beyond the landmark only one of the two groups is left")
    n = consistent.size
    names, columns = design(frame, confounders)
    center, recommended = codes(frame["center"], n, "the center"), codes(frame["recommended"], n, "the recommendation")
    mask = kept.kept
    read = until_closed(kept.time, kept.event, window and window.since(day))
    data = Prepared(kept.time, read, kept.event, consistent[mask], recommended[mask], center[mask], columns[mask])
    return names, data, kept.excluded


def design(frame: Columns, names: Sequence[str]) -> tuple[list[str], Floats]:
    """Numeric columns as they are, text columns as one 0/1 column for each level but the first, shape (n, p)."""
    titles: list[str] = []
    columns: list[Floats] = []
    for name in names:
        values = np.asarray(frame[name])
        if values.dtype.kind in "fiub":
            titles.append(name)
            columns.append(values.astype(np.float64))
            continue
        for level in np.unique(values.astype(str))[1:]:
            titles.append(f"{name}={level}")
            columns.append((values.astype(str) == level).astype(np.float64))
    if not columns:
        raise ValueError("at least one confounder is needed")
    matrix = np.column_stack(columns)
    if not np.isfinite(matrix).all():
        raise ValueError(f"{titles[int(np.flatnonzero(~np.isfinite(matrix).all(axis=0))[0])]} has a missing value; impute it first (AN-14)")
    return titles, matrix


def _horizon(data: Prepared, landmark_day: float, horizon_day: float | None) -> float:
    longest = min(float(data.read[data.consistent].max()), float(data.read[~data.consistent].max()))
    horizon = longest if horizon_day is None else horizon_day - landmark_day
    if not horizon > 0:
        raise ValueError("the horizon must lie beyond the landmark")
    return horizon


def _naive_row(data: Prepared, horizon: float) -> Row:
    fit = cox(data.consistent, data.time, data.event)
    curves = _pair(data, lambda member: kaplan_meier(data.read[member], data.event[member]))
    means = difference(restricted_mean(curves[0], horizon), restricted_mean(curves[1], horizon))
    low, high = fit.hazard_ratio_interval()[0]
    sizes = _sizes(data)
    return Row(
        sizes, (float(sizes[0]), float(sizes[1])), _events(data), (_read(curves[0], horizon), _read(curves[1], horizon)),
        Estimate(float(fit.hazard_ratio[0]), float(low), float(high)), float(fit.p[0]),
        logrank(data.time, data.event, data.consistent).p, Estimate(means.estimate, *means.interval), curves,
    )  # fmt: skip


def _adjusted_row(data: Prepared, chosen: Overlap, point: _Point, repeats: list[_Point]) -> Row:
    z = float(ndtri(0.975))
    error = float(np.std([one.log_hazard_ratio for one in repeats], ddof=1)) if len(repeats) > 1 else float("nan")
    beta = point.log_hazard_ratio
    ratio = Estimate(float(np.exp(beta)), float(np.exp(beta - z * error)), float(np.exp(beta + z * error)))
    spread = z * _spread([one.rmst_difference for one in repeats])
    means = Estimate(point.rmst_difference, point.rmst_difference - spread, point.rmst_difference + spread)
    survival = (
        _from_loglog(point.survival[0], [one.survival[0] for one in repeats], z),
        _from_loglog(point.survival[1], [one.survival[1] for one in repeats], z),
    )
    effective = (effective_size(chosen.weight[data.consistent]), effective_size(chosen.weight[~data.consistent]))
    p = float(2 * ndtr(-abs(beta / error)))
    return Row(_sizes(data), effective, _events(data), survival, ratio, p, None, means, point.curves)


def _adjusted_point(data: Prepared, chosen: Overlap, horizon: float) -> _Point:
    fit = cox(data.consistent, data.time, data.event, strata=data.recommended, weights=chosen.weight)
    curves = _pair(data, lambda member: weighted_kaplan_meier(data.read[member], data.event[member], chosen.weight[member]))
    survival = [float(curve.at(horizon).survival[0]) for curve in curves]
    with np.errstate(divide="ignore", invalid="ignore"):
        transformed = np.log(-np.log(np.array(survival)))
    mean = [areas(curve, horizon)[0] if reaches(curve, horizon) else float("nan") for curve in curves]
    return _Point(float(fit.coef[0]), (float(transformed[0]), float(transformed[1])), mean[0] - mean[1], curves)


def _bootstrap(data: Prepared, horizon: float, seed: int, replicates: int, resample: Resample) -> tuple[list[_Point], int]:
    """Everything again on resampled patients; a replicate in which a model has no solution is counted as failed."""
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(data.center == code) for code in np.unique(data.center)]
    repeats, failed = [], 0
    for _ in range(replicates):
        again = data.rows(_drawn(random, members, resample))
        try:
            chosen = overlap(again.consistent, again.confounders, (again.center, again.recommended))
            point = _adjusted_point(again, chosen, horizon)
        except (ValueError, np.linalg.LinAlgError):
            failed += 1
            continue
        if np.isfinite(point.log_hazard_ratio):
            repeats.append(point)
        else:
            failed += 1
    return repeats, failed


def _drawn(random: np.random.Generator, members: list[Ints], resample: Resample) -> Ints:
    if resample == "center":
        return np.concatenate([members[i] for i in random.integers(0, len(members), len(members))])
    return np.concatenate([random.choice(member, member.size) for member in members])


def _pair(data: Prepared, curve: Any) -> tuple[Curve, Curve]:
    return curve(data.consistent), curve(~data.consistent)


def _read(curve: Curve, time: float) -> Estimate:
    point = curve.at(time)
    interval = point.interval("log-log")
    return Estimate(float(point.survival[0]), float(interval.lower[0]), float(interval.upper[0]))


def _from_loglog(value: float, repeats: list[float], z: float) -> Estimate:
    spread = z * _spread(repeats)
    middle, low, high = (float(np.exp(-np.exp(at))) for at in (value, value + spread, value - spread))
    return Estimate(middle, low, high)


def _spread(repeats: list[float]) -> float:
    known = np.array(repeats)[np.isfinite(repeats)]
    return float(known.std(ddof=1)) if known.size > 1 else float("nan")


def _sizes(data: Prepared) -> tuple[int, int]:
    return int(data.consistent.sum()), int((~data.consistent).sum())


def _events(data: Prepared) -> tuple[int, int]:
    return int((data.event & data.consistent).sum()), int((data.event & ~data.consistent).sum())
