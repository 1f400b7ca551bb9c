"""From what models said of held-out patients to the figures of the report, each with its interval. Pure.

Discrimination compares patients of one fold only; repeats are averaged, and the interval is that of one repeat's size (patients
are the same in each). Intervals of survival figures are percentile bootstraps over patients within folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.training.measures import calibration, delong, over_time, proportional, resampled
from predictions.training.measures.intervals import Floats, Interval, Ints, percentile, wald
from predictions.training.measures.over_time import SAMPLES
from predictions.training.measures.resampled import Followed
from predictions.training.prime.cohort import Cohort
from predictions.training.prime.pipeline import LATE
from predictions.training.prime.targets import Response, Survival

MONTH = 30.4375  # days
HORIZONS = (6, 12, 24, 36)  # months


@dataclass(frozen=True)
class Repeat:
    """One pass over all rows: answers by branch, the fold of each row, and for PRIME-S high risk and survival at HORIZONS."""

    answers: dict[str, Floats]
    fold: Ints
    high: Floats | None = None
    survival: Floats | None = None


def horizons(target: Survival) -> tuple[int, ...]:
    """The months that the follow-up reaches with enough events before and patients after them."""
    return over_time.reached(target.time, target.event, {month: month * MONTH for month in HORIZONS})


def response(target: Response, repeats: Sequence[Repeat]) -> dict[str, Any]:
    """`auc` of the fused model; Brier, calibration, net benefit; each branch beside it and compared with it."""
    late = [each.answers[LATE] for each in repeats]
    mean = np.asarray(np.mean(late, axis=0))
    names = [name for name in repeats[0].answers if name != LATE]
    return {
        "auc": _area(target, repeats, LATE).as_json(),
        "brier": _brier(target, mean).as_json(),
        "calibration": calibration.line(target.event, mean) | {"curve": calibration.curve(calibration.Outcome(target.event), mean)},
        "net_benefit": calibration.net_benefit(calibration.Outcome(target.event), mean),
        "branches": {name: {"auc": _area(target, repeats, name).as_json()} for name in names},
        "comparisons": {f"{LATE} against {name}": _compared(target, repeats[0], name) for name in names},
    }


def survival(target: Survival, repeats: Sequence[Repeat], *, seed: int) -> dict[str, Any]:
    """`c_index` (Harrell), Uno's C, AUC(t), Brier scores, plain, integrated and scaled, calibration; branches beside them."""
    months = horizons(target)
    found: dict[str, Any] = {
        "c_index": concordances(target, repeats, LATE, seed=seed)[0].as_json(),
        "c_uno": concordances(target, repeats, LATE, seed=seed)[1].as_json(),
        "branches": {
            name: {"c_index": concordances(target, repeats, name, seed=seed)[0].as_json()} for name in repeats[0].answers if name != LATE
        },
        "months": list(months),
    }
    if months:
        found |= _timed(target, repeats, months, seed=seed)
    return found


def risk_groups(target: Survival, high: Floats, cohort: Cohort) -> dict[str, Any]:
    """High against low by the frozen cut: curves, log-rank, hazard ratio, and adjusted for what the table says to adjust for."""
    is_high = high > 0.5
    found = proportional.groups(target.time, target.event, is_high, HORIZONS, MONTH)
    if cohort.adjusting and target.event[is_high].any() and target.event[~is_high].any():
        x = np.column_stack([is_high.astype(np.float64), *cohort.adjusting.values()])
        try:
            adjusted = proportional.cox(target.time, target.event, x).ratio(0) | {"adjusted_for": list(cohort.adjusting)}
        except (ValueError, np.linalg.LinAlgError):
            adjusted = None
        found["high_against_low_adjusted"] = adjusted
    return found


def concordances(target: Survival, repeats: Sequence[Repeat], name: str, *, seed: int) -> tuple[Interval, Interval]:
    """Harrell's and Uno's C of pairs within folds, averaged over repeats."""
    tau = float(np.quantile(target.time, 0.95))
    estimates, draws = [], []
    for repeat in repeats:
        estimates.append(_within(Followed.once(target.time, target.event), repeat, name, tau))
        draws.append(_within(Followed.drawn(target.time, target.event, samples=SAMPLES, seed=seed), repeat, name, tau))
    value, drawn = np.mean(estimates, axis=0), np.mean(draws, axis=0)
    harrell, uno = (percentile(float(value[place, 0]), drawn[place]) for place in (0, 1))
    return harrell, uno


def _within(patients: Followed, repeat: Repeat, name: str, tau: float) -> Floats:
    """Harrell's and Uno's C (2, samples): folds weigh by their events, the censoring distribution is that of each fold."""
    total = np.zeros((2, len(patients.counts)))
    weight = np.zeros((2, len(patients.counts)))
    for each in np.unique(repeat.fold):
        inside = repeat.fold == each
        part = Followed(patients.time[inside], patients.event[inside], patients.counts[:, inside])
        values = np.array(resampled.concordance(part, repeat.answers[name][inside], tau=tau))
        events = part.counts[:, part.event].sum(axis=1) * np.isfinite(values)
        total, weight = total + np.nan_to_num(values) * events, weight + events
    return np.asarray(np.divide(total, weight, out=np.full_like(total, np.nan), where=weight > 0))


def _timed(target: Survival, repeats: Sequence[Repeat], months: tuple[int, ...], *, seed: int) -> dict[str, Any]:
    places = [HORIZONS.index(month) for month in months]
    curves = np.mean([np.asarray(each.survival)[:, places] for each in repeats], axis=0)
    asked = over_time.Asked(target.time, target.event, curves, months, np.array(months) * MONTH)
    return over_time.report(asked, seed=seed)


def _area(target: Response, repeats: Sequence[Repeat], name: str) -> Interval:
    areas = [delong.area(target.event, each.answers[name], fold=each.fold) for each in repeats]
    estimate = float(np.mean([each.estimate for each in areas]))
    spread = float(np.mean([((each.upper or 1) - (each.lower or 0)) / 2 for each in areas]))
    return Interval(estimate, max(0.0, estimate - spread), min(1.0, estimate + spread))


def _brier(target: Response, probability: Floats) -> Interval:
    errors = (probability - target.event) ** 2
    return wald(float(errors.mean()), float(errors.var(ddof=1) / len(errors)))


def _compared(target: Response, repeat: Repeat, name: str) -> dict[str, float]:
    test = delong.compare(target.event, repeat.answers[LATE], repeat.answers[name], fold=repeat.fold)
    return {"difference": test.difference, "z": test.z, "p": test.p}
