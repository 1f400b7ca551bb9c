"""How near predicted curves are to what came: AUC(t), Brier scores plain, integrated and scaled, calibration, net benefit. Pure.

Intervals are percentile bootstraps over patients.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.training.measures import calibration, resampled
from predictions.training.measures.intervals import Bools, Floats, percentile
from predictions.training.measures.resampled import Followed

SAMPLES = 500
LEAST = 10  # events before and patients after a horizon, below which nothing is said of it


@dataclass(frozen=True)
class Asked:
    """Times (n,) in days with their events, predicted survival (n, months) and the days that the months are."""

    time: Floats
    event: Bools
    curves: Floats
    months: tuple[int, ...]
    days: Floats


def reached(time: Floats, event: Bools, days: Mapping[int, float]) -> tuple[int, ...]:
    """The months, each given with its day, that have ten events before them and ten patients after."""
    before = {month: int((event & (time <= day)).sum()) for month, day in days.items()}
    after = {month: int((time > day).sum()) for month, day in days.items()}
    return tuple(month for month in days if min(before[month], after[month]) >= LEAST)


def report(asked: Asked, *, seed: int) -> dict[str, Any]:
    """Every figure by month; the integrated Brier score where there are two."""
    once = Followed.once(asked.time, asked.event)
    drawn = Followed.drawn(asked.time, asked.event, samples=SAMPLES, seed=seed)
    risk, days, months = 1 - asked.curves[:, -1], asked.days, [str(month) for month in asked.months]
    area, area_drawn = resampled.areas(once, risk, days), resampled.areas(drawn, risk, days)
    score, score_drawn = resampled.brier(once, asked.curves, days), resampled.brier(drawn, asked.curves, days)
    plain = np.tile(_kaplan_meier(asked), (len(risk), 1))
    scaled = 1 - score / resampled.brier(once, plain, days)
    scaled_drawn = 1 - score_drawn / resampled.brier(drawn, plain, days)
    outcomes = [calibration.Outcome(asked.event, asked.time, float(day)) for day in days]
    found: dict[str, Any] = {
        name: {month: percentile(float(value[0, i]), draws[:, i]).as_json() for i, month in enumerate(months)}
        for name, value, draws in (("auc_t", area, area_drawn), ("brier", score, score_drawn), ("brier_scaled", scaled, scaled_drawn))
    }
    for name, measure in (("calibration", calibration.curve), ("net_benefit", calibration.net_benefit)):
        found[name] = {month: measure(outcomes[i], 1 - asked.curves[:, i]) for i, month in enumerate(months)}
    if len(months) > 1:
        found["ibs"] = percentile(float(resampled.integrated(score, days)[0]), resampled.integrated(score_drawn, days)).as_json()
    return found


def _kaplan_meier(asked: Asked) -> Floats:
    everybody = np.ones(len(asked.time), dtype=np.bool_)
    return np.array([1 - calibration.Outcome(asked.event, asked.time, float(day)).risk(everybody) for day in asked.days])
