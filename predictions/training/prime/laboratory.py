"""One training from table to report: refuse, validate, fit, judge. The report never mixes apparent and held-out figures (MD-03). Pure.

`work` runs the jobs of the validation; whoever calls may hand them to processes and keep what is done.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.training.measures.intervals import Floats, Ints
from predictions.training.prime import judged, model_file, pipeline, shortcuts, validation
from predictions.training.prime.cohort import Cohort
from predictions.training.prime.judged import HORIZONS, MONTH, Repeat
from predictions.training.prime.preset import Preset
from predictions.training.prime.targets import Response, Survival
from predictions.training.prime.validation import Job, Said, Target
from predictions.training.trainer import TrainingRefused

LEAST_PATIENTS = 30
LEAST_EACH = 10  # patients with and without the outcome
Work = Callable[[Cohort, Target, Sequence[Job]], list[Said]]


@dataclass(frozen=True)
class Task:
    """What a job needs beside its number."""

    preset: Preset
    seed: int
    landmark: int = 0


@dataclass(frozen=True)
class Made:
    """The artefact's bytes and the report beside it."""

    artefact: bytes
    report: dict[str, Any]
    fitted: pipeline.Fitted


DAYS: Floats = np.array(HORIZONS) * MONTH


def prepare(cohort: Cohort, model: str, *, landmark: int) -> tuple[Cohort, Target, list[str]]:
    """The rows to train on and their endpoint. Raises TrainingRefused with a sentence where the table cannot answer."""
    if model == "prime-r":
        if cohort.response is None:
            raise TrainingRefused("the table has no column response: there is no objective response to learn from")
        return cohort, _enough(Response(cohort.response), cohort), []
    if cohort.time is None or cohort.event is None:
        raise TrainingRefused("the table has no columns time and event: there is no survival to learn from")
    late = np.flatnonzero(cohort.time > landmark)
    kept = cohort.rows(late)
    if kept.time is None or kept.event is None:
        raise AssertionError
    dropped = cohort.n - kept.n
    said = [f"{dropped} rows ended by day {landmark}, the landmark, and are left out"] if dropped else []
    return kept, _enough(Survival(kept.time - landmark, kept.event), kept), said


def training_part(rows: Cohort, target: Target) -> tuple[Cohort, Target]:
    """The rows to learn from: those that are not external."""
    inside = np.flatnonzero(~rows.external)
    return rows.rows(inside), target.rows(inside)


def here(task: Task) -> Work:
    """Run jobs one after another in this process."""

    def work(cohort: Cohort, target: Target, jobs: Sequence[Job]) -> list[Said]:
        return [validation.run(cohort, target, job, preset=task.preset, seed=task.seed, days=DAYS) for job in jobs]

    return work


def train(cohort: Cohort, model: str, task: Task, *, work: Work | None = None) -> Made:
    """Train PRIME-R or PRIME-S on the rows of `split` train; rows of `external` are only asked. Raises TrainingRefused."""
    rows, target, notes = prepare(cohort, model, landmark=task.landmark)
    outside = np.flatnonzero(rows.external)
    own, own_target = training_part(rows, target)
    jobs = list(validation.jobs(task.preset))
    said = (work or here(task))(own, own_target, jobs)
    repeats = _repeats(own, own_target, jobs, said, task)
    fitted = validation.fit(own.features, own.x, own_target, preset=task.preset, seed=task.seed)
    artefact = model_file.dump(model_file.of(fitted, landmark=task.landmark))
    everything = _once(fitted, own, np.arange(own.n))
    report = {
        "model": model,
        "model_sha256": hashlib.sha256(artefact).hexdigest(),
        "data_sha256": cohort.sha256,
        "preset": task.preset.name,
        "preset_sha256": task.preset.sha256,
        "seed": task.seed,
        "landmark": task.landmark,
        "n": own.n,
        "events": int(own_target.event.sum()),
        "centers": {str(each): int((own.center == each).sum()) for each in np.unique(own.center)},
        "candidates": len(own.features),
        "missing": _missing(own),
        "held_out": _judge(own_target, repeats, task),
        "apparent": _headline(own_target, [everything], task),
        "external": _external(fitted, rows, target, outside, task),
        "by_center": _by(own, own_target, repeats, own.center, task),
        "subgroups": {name: _by(own, own_target, repeats, values, task) for name, values in own.groups.items()},
        "selected_features": {name: list(each.inputs.features) for name, each in fitted.branches.items()},
        "branches": {name: _branch(each) for name, each in fitted.branches.items()},
        "fusion": _fusion(fitted),
        "shapley": _shares(said),
        "departures": [dict(each) for each in task.preset.departures],
        "warnings": [*cohort.notes, *notes, *_warnings(fitted)],
    }
    if isinstance(own_target, Survival) and repeats[0].high is not None:
        report["risk_groups"] = judged.risk_groups(own_target, repeats[0].high, own)
    return Made(artefact, report, fitted)


def optimism(cohort: Cohort, model: str, task: Task) -> list[dict[str, Any]]:
    """What each shortcut of the published code would have added on these rows."""
    rows, target, _ = prepare(cohort, model, landmark=task.landmark)
    return shortcuts.ablation(*training_part(rows, target))


def _enough(target: Target, cohort: Cohort) -> Target:
    own = ~cohort.external
    n, events = int(own.sum()), int(target.event[own].sum())
    fewest = events if isinstance(target, Survival) else min(events, n - events)
    if n < LEAST_PATIENTS or fewest < LEAST_EACH:
        raise TrainingRefused(
            f"{n} patients, {events} with the outcome, are too few: {LEAST_PATIENTS} and {LEAST_EACH} of each outcome are the least"
        )
    return target


def _repeats(cohort: Cohort, target: Target, jobs: Sequence[Job], said: Sequence[Said], task: Task) -> list[Repeat]:
    found = []
    for repeat in range(task.preset.repeats):
        parts = [(job, each) for job, each in zip(jobs, said, strict=True) if job.repeat == repeat]
        names = parts[0][1].answers
        answers = {name: np.zeros(cohort.n) for name in names}
        high, curves = np.zeros(cohort.n), np.zeros((cohort.n, len(HORIZONS)))
        for _, each in parts:
            for name in names:
                answers[name][each.rows] = each.answers[name]
            if each.high is not None and each.survival is not None:
                high[each.rows], curves[each.rows] = each.high, each.survival
        fold = validation.fold_labels(target, parts[0][0], preset=task.preset, seed=task.seed)
        lasting = isinstance(target, Survival)
        found.append(Repeat(answers, fold, high if lasting else None, curves if lasting else None))
    return found


def _once(fitted: pipeline.Fitted, cohort: Cohort, rows: Ints) -> Repeat:
    said = validation.ask(fitted, cohort, rows, days=DAYS)
    return Repeat(said.answers, np.zeros(len(rows), dtype=np.int64), said.high, said.survival)


def _judge(target: Target, repeats: Sequence[Repeat], task: Task) -> dict[str, Any]:
    if isinstance(target, Response):
        return judged.response(target, repeats)
    return judged.survival(target, repeats, seed=task.seed)


def _headline(target: Target, repeats: Sequence[Repeat], task: Task) -> dict[str, Any]:
    """Discrimination alone."""
    name = "auc" if isinstance(target, Response) else "c_index"
    return {name: _judge(target, repeats, task)[name]}


def _external(fitted: pipeline.Fitted, rows: Cohort, target: Target, outside: Ints, task: Task) -> dict[str, Any] | None:
    """The model applied unchanged to the external rows; None without any, and a sentence where nothing can be judged."""
    if not len(outside):
        return None
    there = target.rows(outside)
    n, events = len(outside), int(there.event.sum())
    if min(events, n - events) < 2:
        return {"n": n, "events": events, "said": "too few patients with or without the outcome to judge by"}
    once = _once(fitted, rows, outside)
    found = {"n": n, "events": events, **_judge(there, [once], task)}
    if isinstance(there, Survival) and once.high is not None:
        found["risk_groups"] = judged.risk_groups(there, once.high, rows.rows(outside))
    return found


def _by(cohort: Cohort, target: Target, repeats: Sequence[Repeat], values: Any, task: Task) -> dict[str, Any]:
    """Discrimination in each group of patients; None where a group has too few."""
    found = {}
    for each in np.unique(values):
        inside = np.flatnonzero(values == each)
        part = target.rows(inside)
        events = int(part.event.sum())
        cut = [Repeat({name: answer[inside] for name, answer in r.answers.items()}, r.fold[inside], None, None) for r in repeats]
        name, value = ("auc", None) if isinstance(target, Response) else ("c_index", None)
        fewest = min(events, len(inside) - events) if isinstance(target, Response) else events
        if fewest >= LEAST_EACH:
            value = _within_group(part, cut, task)
        found[str(each)] = {"n": len(inside), "events": events, name: value}
    return found


def _within_group(target: Target, repeats: Sequence[Repeat], task: Task) -> dict[str, float | None] | None:
    try:
        if isinstance(target, Response):
            found: dict[str, float | None] = judged.response(target, repeats)["auc"]
            return found
        return judged.concordances(target, repeats, pipeline.LATE, seed=task.seed)[0].as_json()
    except ValueError:
        return None


def _branch(each: Any) -> dict[str, Any]:
    compared = [{"learner": kind, "parameters": dict(chosen), "score": score} for kind, chosen, score in each.compared]
    return {"learner": each.kind, "parameters": dict(each.parameters), "inner_score": each.score, "compared": compared}


def _fusion(fitted: pipeline.Fitted) -> dict[str, Any]:
    names = list(fitted.branches)
    if isinstance(fitted, pipeline.FittedResponse):
        return {"coefficients": dict(zip(names, map(float, fitted.fused.coefficients), strict=True)), "intercept": fitted.fused.intercept}
    weights = {name: float(weight) for name, weight in zip(names, fitted.fused.weights, strict=True)}
    softmax = {name: float(weight) for name, weight in zip(names, fitted.softmax, strict=True)}
    return {"weights": weights, "softmax_weights": softmax, "cut": fitted.cut, "slope": fitted.slope}


def _shares(said: Sequence[Said]) -> dict[str, float]:
    """Mean absolute Shapley values averaged over the folds, largest first; a fold that did not use a feature counts as nothing."""
    total: dict[str, float] = {}
    for each in said:
        for name, value in each.shares.items():
            total[name] = total.get(name, 0.0) + value / len(said)
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0]))[:20])


def _missing(cohort: Cohort) -> dict[str, float]:
    share = np.isnan(cohort.x).mean(axis=0)
    return {name: float(value) for name, value in zip(cohort.features, share, strict=True) if value > 0}


def _warnings(fitted: pipeline.Fitted) -> list[str]:
    empty = [name for name, each in fitted.branches.items() if not each.inputs.features]
    found = [f"no feature of {name} was kept: its answer is the same for everybody" for name in empty]
    if isinstance(fitted, pipeline.FittedSurvival):
        total = float(fitted.fused.weights.sum()) or 1.0
        if fitted.slope == 0:
            found.append("the fused risk says nothing of patients it had not seen: survival is predicted the same for everybody")
        for name, weight in zip(fitted.branches, fitted.fused.weights, strict=True):
            if len(fitted.branches) > 1 and float(weight) / total > 0.99:
                found.append(f"the average is {name} alone: it holds {float(weight) / total:.4f} of the weight")
    return found
