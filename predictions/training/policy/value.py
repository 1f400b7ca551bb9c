"""What a rule would be worth where nobody helped to make it: doubly robust policy value by held-out center (MD-02, MD-03).

V(d) = E[S_d(x)(36)], from the landmark. Each center's patients get the rule of all other centers; the outcome model, the propensity
and the censoring distribution come from there too. Augmented inverse probability weighting, right when either the outcome model or
the propensity is (Robins 1994; Zhang 2012), with inverse weights for censoring. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.decision import INTENSITY, STEPS, decide
from predictions.payload import HORIZONS
from predictions.training import slearner
from predictions.training.measures import over_time
from predictions.training.measures.intervals import NORMAL, Floats, Interval
from predictions.training.measures.resampled import Followed
from predictions.training.policy import propensity
from predictions.training.slearner import Fit, Learner
from predictions.training.table import TrainingTable
from predictions.training.trainer import MONTH, bootstrap

DAYS: Floats = np.array(HORIZONS) * MONTH
"""The horizons in days from surgery."""
LOWER = 0.025
REPLICATES = 25


@dataclass(frozen=True)
class Asked:
    """Pseudo-outcomes (n, strategies) whose mean over patients is V(k), and the place of the strategy the rule gave each of them."""

    outcomes: Floats
    rule: np.ndarray


@dataclass(frozen=True)
class Settings:
    """How the rule is made."""

    landmark: int
    margin: float
    seed: int
    learn: Learner = slearner.fit
    replicates: int = REPLICATES


@dataclass(frozen=True)
class Part:
    """What one center is told by the model of all others: `Asked` for its rows, survival (n, HORIZONS) under the strategy received, and
    C of that model there; None with under two events.
    """

    outcomes: Floats
    rule: np.ndarray
    survival: Floats
    c_index: float | None

    def as_json(self) -> dict[str, Any]:
        arrays = {"outcomes": self.outcomes, "rule": self.rule, "survival": self.survival}
        return {name: each.tolist() for name, each in arrays.items()} | {"c_index": self.c_index}

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> "Part":
        return Part(np.array(said["outcomes"]), np.array(said["rule"], dtype=np.int64), np.array(said["survival"]), said["c_index"])


def by_held_out_center(table: TrainingTable, settings: Settings) -> Asked:
    """Each center asked by what the others teach. Centers whose absence leaves a strategy without events are asked all the same."""
    return gathered(table, [ask(table, settings, center) for center in np.unique(table.center)])


def ask(table: TrainingTable, settings: Settings, center: str) -> Part:
    """One center asked by what the others teach: penalty, model, bootstrap, propensity and censoring are theirs."""
    inside, there = table.rows(table.center != center), table.rows(table.center == center)
    landmark, learn = settings.landmark, settings.learn
    alpha = slearner.choose_alpha(inside, landmark=landmark, learn=learn)
    [fitted] = learn(inside, landmark=landmark, alpha=alpha)
    draws = bootstrap(inside, alpha=alpha, landmark=landmark, seed=settings.seed, replicates=settings.replicates, learn=learn)
    rule = recommended(fitted, draws, there.x, table.features, settings)
    c_index = slearner.concordance(fitted, there) if there.event.sum() >= 2 else None
    curves = fitted.survival(there.x, there.features, DAYS - landmark)
    received = np.array([INTENSITY.index(each) for each in there.strategy])
    return Part(pseudo_outcomes(fitted, inside, there, landmark), rule, curves[received, np.arange(there.n)], c_index)


def gathered(table: TrainingTable, parts: Sequence[Part]) -> Asked:
    """The parts of all centers, in the order of their names, as rows of the table."""
    outcomes, rule = np.zeros((table.n, len(INTENSITY))), np.zeros(table.n, dtype=np.int64)
    for center, part in zip(np.unique(table.center), parts, strict=True):
        outcomes[table.center == center], rule[table.center == center] = part.outcomes, part.rule
    return Asked(outcomes, rule)


def foretold(table: TrainingTable, parts: Sequence[Part], settings: Settings) -> dict[str, Any]:
    """How near the curves foretold at held-out centers, under the strategy received, are to what came; months that follow-up reaches."""
    months = over_time.reached(table.time, table.event, dict(zip(HORIZONS, DAYS, strict=True)))
    if not months:
        return {}
    survival = np.zeros((table.n, len(HORIZONS)))
    for center, part in zip(np.unique(table.center), parts, strict=True):
        survival[table.center == center] = part.survival
    places = [HORIZONS.index(month) for month in months]
    time, days = table.time - settings.landmark, DAYS[places] - settings.landmark
    return over_time.report(over_time.Asked(time, table.event, survival[:, places], months, days), seed=settings.seed)


def concordances(table: TrainingTable, parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """n, events and C of each center that has two events."""
    found = {}
    for center, part in zip(np.unique(table.center), parts, strict=True):
        inside = table.center == center
        if part.c_index is not None:
            found[str(center)] = {"n": int(inside.sum()), "events": int(table.event[inside].sum()), "c_index": part.c_index}
    return found


def recommended(fitted: Fit, draws: list[Fit], x: Floats, features: tuple[str, ...], settings: Settings) -> np.ndarray:
    """The place in INTENSITY of the strategy the registered rule gives each row (PR-02): (n,)."""
    last = np.array([HORIZONS[-1] * MONTH - settings.landmark])
    survival = fitted.survival(x, features, last)[:, :, 0]
    drawn = np.array([each.survival(x, features, last)[:, :, 0] for each in draws])
    bounds = {}
    for more, less in STEPS:
        bounds[more, less] = np.quantile(drawn[:, INTENSITY.index(more)] - drawn[:, INTENSITY.index(less)], LOWER, axis=0)
    found = []
    for row in range(len(x)):
        held = {strategy: float(survival[place, row]) for place, strategy in enumerate(INTENSITY)}
        gains = {step: float(bound[row]) for step, bound in bounds.items()}
        found.append(INTENSITY.index(decide(held, gains, margin=settings.margin).recommended))
    return np.array(found)


def pseudo_outcomes(fitted: Fit, inside: TrainingTable, there: TrainingTable, landmark: int) -> Floats:
    """m_k(x) + 1{received k} / p_k(x) · w · (Y − m_k(x)), Y recurrence-free at 36 months, w the weight for censoring: (n, strategies)."""
    day = HORIZONS[-1] * MONTH
    model = fitted.survival(there.x, there.features, np.array([day - landmark]))[:, :, 0].T
    own = propensity.received(there, propensity.fitted_on(inside, there.x))
    free = Followed.once(inside.time, inside.event)
    known = there.event | (there.time > day)
    until = np.minimum(there.time, day)
    weight = np.array([float(free.uncensored_at(each)[0]) for each in until])
    weight = np.divide(known, weight, out=np.zeros(there.n), where=weight > 0)
    alive = (there.time > day).astype(np.float64)
    places = np.array([INTENSITY.index(each) for each in there.strategy])
    rows = np.arange(there.n)
    model[rows, places] += weight * (alive - model[rows, places]) / own
    return np.asarray(model)


def report(asked: Asked, table: TrainingTable) -> dict[str, Any]:
    """The value of the rule, of each strategy for everybody, and what the rule gains over the best of them, by center too."""
    rows = np.arange(table.n)
    rule = asked.outcomes[rows, asked.rule]
    fixed = {str(strategy): _mean(asked.outcomes[:, place], table.center) for place, strategy in enumerate(INTENSITY)}
    best = max(fixed, key=lambda name: fixed[name].estimate)
    gain = rule - asked.outcomes[:, INTENSITY.index(next(each for each in INTENSITY if each == best))]
    by_center = {}
    for center in np.unique(table.center):
        inside = table.center == center
        by_center[str(center)] = {"n": int(inside.sum()), "value": float(rule[inside].mean()), "gain": float(gain[inside].mean())}
    return {
        "value": _mean(rule, table.center).as_json(),
        "fixed": {name: each.as_json() for name, each in fixed.items()},
        "best_fixed": best,
        "gain_over_best_fixed": _mean(gain, table.center).as_json(),
        "by_center": by_center,
        "recommended": {str(strategy): int((asked.rule == place).sum()) for place, strategy in enumerate(INTENSITY)},
    }


def _mean(values: Floats, center: np.ndarray) -> Interval:
    """The mean with an interval by centers as clusters (sandwich)."""
    estimate = float(values.mean())
    sums = np.array([(values[center == each] - estimate).sum() for each in np.unique(center)])
    error = float(np.sqrt((sums**2).sum() * len(sums) / max(len(sums) - 1, 1)) / len(values))
    return Interval(estimate, estimate - NORMAL * error, estimate + NORMAL * error)
