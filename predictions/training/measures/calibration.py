"""Calibration and net benefit of predicted probabilities, with or without censoring (AN-17, AN-18).

Observed risk in a group of censored patients is one minus the Kaplan-Meier estimate. Net benefit: Vickers and Elkin 2006,
with censoring Vickers 2008. Pure.
"""

from dataclasses import dataclass

import numpy as np
from sksurv.nonparametric import kaplan_meier_estimator

from predictions.training.measures.intervals import Bools, Floats

GROUPS = 5
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 19))
_EDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened by a horizon: `event` (n,) and, where patients were censored, `time` (n,) and the horizon in days."""

    event: Bools
    time: Floats | None = None
    horizon: float = 0.0

    def risk(self, inside: Bools) -> float:
        """The observed risk of some patients; NaN for none."""
        if not inside.any():
            return float("nan")
        if self.time is None:
            return float(self.event[inside].mean())
        days, survival = kaplan_meier_estimator(self.event[inside], self.time[inside])
        at = int(np.searchsorted(days, self.horizon, side="right"))
        return 1 - float(survival[at - 1]) if at else 0.0


def line(event: Bools, probability: Floats) -> dict[str, float]:
    """Slope and intercept of the outcome on the predicted log odds (1 and 0 are ideal), and calibration in the large.

    `intercept` is of the joint model, `in_the_large` with the slope fixed at 1 (Cox 1958; Steyerberg 2010). NaN where the
    predictions separate the outcomes or do not vary.
    """
    odds = np.log(np.clip(probability, _EDGE, 1 - _EDGE) / (1 - np.clip(probability, _EDGE, 1 - _EDGE)))
    if float(odds.std()) < _EDGE:
        return {"slope": float("nan"), "intercept": float("nan"), "in_the_large": _logistic(event, np.ones((len(odds), 1)), odds)[0]}
    intercept, slope = _logistic(event, np.column_stack([np.ones_like(odds), odds]), np.zeros_like(odds))
    return {"slope": slope, "intercept": intercept, "in_the_large": _logistic(event, np.ones((len(odds), 1)), odds)[0]}


def curve(outcome: Outcome, probability: Floats) -> list[dict[str, float]]:
    """Mean predicted and observed risk in fifths of the predictions, lowest first."""
    place = np.searchsorted(np.quantile(probability, np.linspace(0, 1, GROUPS + 1)[1:-1]), probability, side="left")
    rows = []
    for group in np.unique(place):
        inside = place == group
        rows.append({"n": int(inside.sum()), "predicted": float(probability[inside].mean()), "observed": outcome.risk(inside)})
    return rows


def net_benefit(outcome: Outcome, probability: Floats) -> list[dict[str, float]]:
    """Net benefit of acting at each threshold by the model and for everybody (for nobody it is 0)."""
    everybody = outcome.risk(np.ones(len(probability), dtype=np.bool_))
    rows = []
    for threshold in THRESHOLDS:
        odds, acted = threshold / (1 - threshold), probability >= threshold
        share, risk = float(acted.mean()), outcome.risk(acted) if acted.any() else 0.0
        rows.append(
            {
                "threshold": threshold,
                "model": share * risk - share * (1 - risk) * odds,
                "everybody": everybody - (1 - everybody) * odds,
            }
        )
    return rows


def _logistic(event: Bools, x: Floats, offset: Floats) -> list[float]:
    """Unpenalised logistic regression by Newton's method; NaN where it does not converge."""
    beta = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ beta + offset, -40, 40)))
        information = x.T @ (x * (p * (1 - p))[:, None])
        if np.linalg.cond(information) > 1e12:
            break
        step = np.linalg.solve(information, x.T @ (event - p))
        beta = beta + step
        if float(np.abs(step).max()) < 1e-10:
            return [float(value) for value in beta]
    return [float("nan")] * x.shape[1]
