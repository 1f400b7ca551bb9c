"""How well sealed predictions came true, within the strategy received: discrimination, slope, calibration, error (E-PRED, AN-16, AN-17).

Only the curve foretold under the strategy received can be held against what came; nothing here compares strategies. Times are days from
the landmark, predictions are of being free at a month given free at the landmark, as the models were trained (MD-01). Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from analysis.concordance import concordance
from analysis.cox import cox
from analysis.kaplan_meier import kaplan_meier
from analysis.survival_times import Bools, Floats
from analysis.weighting import Estimate

LEAST = 10
"""Events, and patients followed beyond a day, below which nothing is said."""
FIFTHS = 5
NOTHING = Estimate(float("nan"), float("nan"), float("nan"))
_EDGE = 1e-9
_Z = float(ndtri(0.975))


@dataclass(frozen=True)
class Month:
    """One horizon: mean risk foretold, risk observed (one minus Kaplan–Meier), observed over foretold, and the scaled Brier score."""

    month: int
    foretold: float
    observed: Estimate
    ratio: Estimate
    scaled_brier: float


@dataclass(frozen=True)
class Fifth:
    """A fifth of the patients by the risk foretold for the last horizon, lowest first."""

    n: int
    foretold: float
    observed: Estimate


@dataclass(frozen=True)
class Performance:
    """Patients who received one strategy, or all (`strategy` ""). Harrell's C of the last horizon's risk; `slope` is 1 where the log
    hazards foretold lie as far apart as those that came. NaN below `LEAST`."""

    strategy: str
    n: int
    events: int
    concordance: Estimate
    slope: Estimate
    months: tuple[Month, ...]
    fifths: tuple[Fifth, ...]


def performances(
    time: Floats, event: Bools, survival: Floats, received: Sequence[str], *, months: Sequence[int], days: Floats
) -> tuple[Performance, ...]:
    """Everybody, then each strategy; `survival` (n, months) under the strategy received, `days` of the months from the landmark."""
    labels = np.array(received)
    groups = [("", np.ones(time.size, dtype=np.bool_)), *((str(name), labels == name) for name in dict.fromkeys(sorted(received)))]
    named = list(zip(months, map(float, days), strict=True))
    return tuple(_performance(name, time[inside], event[inside], survival[inside], named) for name, inside in groups)


def _performance(name: str, time: Floats, event: Bools, survival: Floats, months: Sequence[tuple[int, float]]) -> Performance:
    risk = 1 - survival[:, -1]
    enough = int(event.sum()) >= LEAST
    return Performance(
        name, time.size, int(event.sum()), _concordance(time, event, risk) if enough else NOTHING,
        _slope(time, event, survival[:, -1]) if enough else NOTHING,
        tuple(_month(time, event, survival[:, place], *month) for place, month in enumerate(months)),
        _fifths(time, event, risk, months[-1][1]),
    )  # fmt: skip


def _concordance(time: Floats, event: Bools, risk: Floats) -> Estimate:
    found = concordance(time, event, risk)
    return Estimate(found.value, max(found.value - _Z * found.standard_error, 0.0), min(found.value + _Z * found.standard_error, 1.0))


def _slope(time: Floats, event: Bools, survival: Floats) -> Estimate:
    """The Cox coefficient of log(−log S): how the log hazard that came rises with the one foretold."""
    foretold = np.log(-np.log(np.clip(survival, _EDGE, 1 - _EDGE)))
    if float(np.ptp(foretold)) < _EDGE:
        return NOTHING
    fit = cox(foretold, time, event)
    value, error = float(fit.coef[0]), float(fit.standard_error[0])
    return Estimate(value, value - _Z * error, value + _Z * error)


def _month(time: Floats, event: Bools, survival: Floats, month: int, day: float) -> Month:
    mean = float(1 - survival.mean()) if survival.size else float("nan")
    if not _told(time, event, day):
        return Month(month, mean, NOTHING, NOTHING, float("nan"))
    observed = _observed(time, event, day)
    ratio = Estimate(*(each / mean if mean > 0 else float("nan") for each in (observed.value, observed.lower, observed.upper)))
    return Month(month, mean, observed, ratio, scaled_brier(time, event, survival, day))


def _fifths(time: Floats, event: Bools, risk: Floats, day: float) -> tuple[Fifth, ...]:
    """Fifths by rank; none where not every fifth could have `LEAST` patients, nor where the month itself is not told."""
    if time.size < FIFTHS * LEAST or not _told(time, event, day):
        return ()
    parts = np.array_split(np.argsort(risk, kind="stable"), FIFTHS)
    return tuple(Fifth(part.size, float(risk[part].mean()), _observed(time[part], event[part], day)) for part in parts)


def _told(time: Floats, event: Bools, day: float) -> bool:
    return int((event & (time <= day)).sum()) >= LEAST and int((time > day).sum()) >= LEAST


def _observed(time: Floats, event: Bools, day: float) -> Estimate:
    point = kaplan_meier(time, event).at(day)
    limits = point.interval("log-log")
    return Estimate(1 - float(point.survival[0]), 1 - float(limits.upper[0]), 1 - float(limits.lower[0]))


def scaled_brier(time: Floats, event: Bools, survival: Floats, day: float) -> float:
    """1 − Brier / Brier of the Kaplan–Meier curve for everybody, weighted for censoring (Graf 1999; Kattan and Gerds 2018)."""
    everybody = np.full(time.size, float(kaplan_meier(time, event).at(day).survival[0]))
    plain = _brier(time, event, everybody, day)
    return 1 - _brier(time, event, survival, day) / plain if plain > 0 else float("nan")


def _brier(time: Floats, event: Bools, survival: Floats, day: float) -> float:
    failed, free = event & (time <= day), time > day
    weight = np.zeros(time.size)
    until = np.where(free, np.nextafter(day, np.inf), time)
    weight[failed | free] = 1 / uncensored_before(time, event, until)[failed | free]
    return float(np.mean(weight * np.where(failed, survival**2, (1 - survival) ** 2)))


def uncensored_before(time: Floats, event: Bools, at: Floats) -> Floats:
    """P(not censored before each of `at`), from the censorings among `time`; who fails on a day of censorings failed before them."""
    days, left = np.unique(time[~event], return_counts=True)
    order, failing = np.sort(time), np.sort(time[event])
    there = time.size - np.searchsorted(order, days, side="left") - np.searchsorted(failing, days, side="right")
    there = there + np.searchsorted(failing, days, side="left")
    curve = np.concatenate(([1.0], np.cumprod(1 - left / there)))
    return np.asarray(curve[np.searchsorted(days, at, side="left")])
