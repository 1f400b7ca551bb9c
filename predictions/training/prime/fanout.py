"""The folds of a validation as jobs (`training.jobs`): each reads the table itself from the paths it is told.

What is kept names data, preset, seed and program. Pure.
"""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from predictions.training import feature_list, outcome
from predictions.training.foreign import mapping
from predictions.training.jobs import Bench
from predictions.training.prime import cohort, laboratory, preset, validation
from predictions.training.prime.cohort import Cohort
from predictions.training.prime.validation import Job, Said, Target


@dataclass(frozen=True)
class Source:
    """Where a training comes from: paths and numbers alone."""

    model: str
    data: str
    mapping: str | None
    lesions: str | None
    feature_list: str | None
    preset: str
    seed: int
    landmark: int

    @property
    def task(self) -> laboratory.Task:
        return laboratory.Task(preset.load(self.preset), self.seed, self.landmark)


def cohort_of(source: Source) -> Cohort:
    """The table of a source. Raises TableRefused."""
    listed = feature_list.read(Path(source.feature_list)) if source.feature_list else None
    allowed = listed.allows if listed else (lambda _: True)
    if source.mapping is None:
        return cohort.read(Path(source.data), lesions=source.lesions, allowed=allowed)
    frame, sha256, said = mapping.read(Path(source.data), source.mapping)
    return cohort.of_frame(frame, sha256=sha256, lesions=source.lesions, allowed=allowed, notes=said)


def workshop(source: Source, bench: Bench) -> laboratory.Work:
    """Work that does the jobs of a validation at a bench."""

    def work(rows: Cohort, target: Target, asked: Sequence[Job]) -> list[Said]:
        names = [f"{job.repeat}-{job.fold}" for job in asked]
        found = bench.run(one, json.dumps(asdict(source)), names, key=_key(source, rows))
        return [Said.from_json(each) for each in found]

    return work


def one(source: str, name: str) -> str:
    """One job, as the text it is kept as."""
    rows, target = _rows(source)
    task = Source(**json.loads(source)).task
    job = Job(*map(int, name.split("-")))
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("error")
        said = validation.run(rows, target, job, preset=task.preset, seed=task.seed, days=laboratory.DAYS)
    return json.dumps(said.as_json())


def key_of(source: str) -> str:
    """The key of a source as this process reads it."""
    return _key(Source(**json.loads(source)), _rows(source)[0])


def forget() -> None:
    """Read the table anew next time."""
    _rows.cache_clear()


@lru_cache(maxsize=1)
def _rows(source: str) -> tuple[Cohort, Target]:
    given = Source(**json.loads(source))
    rows, target, _ = laboratory.prepare(cohort_of(given), given.model, landmark=given.landmark)
    return laboratory.training_part(rows, target)


def _key(source: Source, rows: Cohort) -> str:
    task = source.task
    what = [source.model, rows.sha256, task.preset.sha256, source.seed, source.landmark, source.lesions, rows.n, rows.features]
    said = [*what, outcome.program()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
