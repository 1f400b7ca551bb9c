"""What a model says of patients it never saw: the whole pipeline refitted without them, fold by fold, repeat by repeat (MD-03).

Each fold of each repeat is a job of its own: a function of data, preset and seed alone, so that jobs may run anywhere, in any
order, and again after a stop. Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from predictions.training.folds import labels
from predictions.training.measures.intervals import Floats, Ints
from predictions.training.prime import pipeline, shapley
from predictions.training.prime.cohort import Cohort
from predictions.training.prime.preset import Preset
from predictions.training.prime.targets import Response, Survival

Target = Response | Survival


@dataclass(frozen=True)
class Job:
    """One fold of one repeat."""

    repeat: int
    fold: int


@dataclass(frozen=True)
class Said:
    """What one job's models said of its held-out `rows`: by branch, `late` and `early`; survival at `days`, or None.

    `shares`: feature → mean absolute Shapley value of the fused answer in these rows; empty where the preset asks for none.
    """

    rows: Ints
    answers: dict[str, Floats]
    high: Floats | None = None
    survival: Floats | None = None
    shares: dict[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows.tolist(),
            "answers": {name: values.tolist() for name, values in self.answers.items()},
            "high": None if self.high is None else self.high.tolist(),
            "survival": None if self.survival is None else self.survival.tolist(),
            "shares": self.shares,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Said":
        def read(part: Any) -> Floats | None:
            return None if part is None else np.array(part, dtype=np.float64)

        answers = {name: np.array(values, dtype=np.float64) for name, values in value["answers"].items()}
        return cls(np.array(value["rows"], dtype=np.int64), answers, read(value["high"]), read(value["survival"]), value["shares"])


def jobs(preset: Preset) -> Iterator[Job]:
    for repeat in range(preset.repeats):
        for fold in range(preset.folds):
            yield Job(repeat, fold)


def fold_labels(target: Target, job: Job, *, preset: Preset, seed: int) -> Ints:
    """The outer fold of each row in a job's repeat."""
    return labels(target.stratum, folds=preset.folds, seed=seed + 1000 * (job.repeat + 1))


def run(cohort: Cohort, target: Target, job: Job, *, preset: Preset, seed: int, days: Floats) -> Said:
    """Fit to the other folds, ask of this one."""
    fold = fold_labels(target, job, preset=preset, seed=seed)
    inside, outside = np.flatnonzero(fold != job.fold), np.flatnonzero(fold == job.fold)
    fitted = fit(cohort.features, cohort.x[inside], target.rows(inside), preset=preset, seed=seed)
    said = ask(fitted, cohort, outside, days=days)
    return replace(said, shares=shares(fitted, cohort, inside, outside, orders=preset.shapley_orders, seed=seed))


def shares(fitted: pipeline.Fitted, cohort: Cohort, inside: Ints, outside: Ints, *, orders: int, seed: int) -> dict[str, float]:
    """Mean absolute Shapley values of the fused answer in held-out rows, against training rows (PM-04)."""
    used = sorted({name for each in fitted.branches.values() for name in each.inputs.features})
    if not orders or not used:
        return {}
    places = tuple(cohort.features.index(name) for name in used)
    found = shapley.values(
        lambda rows: fitted.predict(cohort.features, rows), cohort.x[outside], cohort.x[inside], places=places, orders=orders, seed=seed
    )
    return {name: float(value) for name, value in zip(used, np.abs(found).mean(axis=0), strict=True)}


def fit(features: tuple[str, ...], x: Floats, target: Target, *, preset: Preset, seed: int) -> pipeline.Fitted:
    """The pipeline of the target's endpoint."""
    if isinstance(target, Response):
        return pipeline.fit_response(features, x, target, preset=preset, seed=seed)
    return pipeline.fit_survival(features, x, target, preset=preset, seed=seed)


def ask(fitted: pipeline.Fitted, cohort: Cohort, rows: Ints, *, days: Floats) -> Said:
    """Everything a fitted model says of some rows."""
    x = cohort.x[rows]
    answers = {name: each.predict(cohort.features, x) for name, each in fitted.branches.items()}
    if fitted.early is not None:
        answers[pipeline.EARLY] = fitted.early.predict(cohort.features, x)
    late = answers[pipeline.LATE] = fitted.predict(cohort.features, x)
    if isinstance(fitted, pipeline.FittedResponse):
        return Said(rows, answers)
    return Said(rows, answers, (late > fitted.cut).astype(np.float64), fitted.survival(late, days))
