"""The jobs of a validation in several processes, kept as they finish, taken up again after a stop. Pure.

A worker reads the table itself from the paths it is told, so only numbers and text cross between processes. What is kept names data,
preset, seed and program by one hash: anything else is done anew. When all is done it is removed, since it holds predictions.
"""

import hashlib
import json
import multiprocessing
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from predictions.training import feature_list, outcome
from predictions.training.foreign import mapping
from predictions.training.prime import cohort, laboratory, preset, validation
from predictions.training.prime.cohort import Cohort
from predictions.training.prime.validation import Job, Said, Target

Progress = Callable[[int, int], None]


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


def workshop(source: Source, folder: Path, *, processes: int, progress: Progress) -> laboratory.Work:
    """Work that keeps each job in `folder` and does what is not kept, in `processes`."""

    def work(rows: Cohort, target: Target, jobs: Sequence[Job]) -> list[Said]:
        key = _key(source, rows)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = {job: said for job in jobs if (said := _kept(folder, key, job)) is not None}
        progress(len(done), len(jobs))
        for job, text in _made(source, [job for job in jobs if job not in done], processes):
            _keep(folder, key, job, text)
            done[job] = Said.from_json(json.loads(text))
            progress(len(done), len(jobs))
        return [done[job] for job in jobs]

    return work


def clear(folder: Path) -> None:
    """Remove what was kept."""
    shutil.rmtree(folder, ignore_errors=True)


def _made(source: Source, jobs: Sequence[Job], processes: int) -> Iterator[tuple[Job, str]]:
    text = json.dumps(asdict(source))
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield job, _one(text, job.repeat, job.fold)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(_one, text, job.repeat, job.fold): job for job in jobs}
        for each in as_completed(waiting):
            yield waiting[each], each.result()


def _one(source: str, repeat: int, fold: int) -> str:
    """One job, as the text it is kept as."""
    given = Source(**json.loads(source))
    rows, target = _rows(source)
    task = given.task
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("error")
        said = validation.run(rows, target, Job(repeat, fold), preset=task.preset, seed=task.seed, days=laboratory.DAYS)
    return json.dumps(said.as_json())


@cache
def _rows(source: str) -> tuple[Cohort, Target]:
    given = Source(**json.loads(source))
    rows, target, _ = laboratory.prepare(cohort_of(given), given.model, landmark=given.landmark)
    return laboratory.training_part(rows, target)


def _key(source: Source, rows: Cohort) -> str:
    task = source.task
    what = [source.model, rows.sha256, task.preset.sha256, source.seed, source.landmark, source.lesions, rows.n, rows.features]
    said = [*what, outcome.program()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _place(folder: Path, job: Job) -> Path:
    return folder / f"{job.repeat}-{job.fold}.json"


def _kept(folder: Path, key: str, job: Job) -> Said | None:
    try:
        value = json.loads(_place(folder, job).read_text(encoding="utf-8"))
        return Said.from_json(value["said"]) if value["key"] == key else None
    except (OSError, ValueError, KeyError):
        return None


def _keep(folder: Path, key: str, job: Job, text: str) -> None:
    path = _place(folder, job)
    half = path.with_suffix(".half")
    half.write_text(json.dumps({"key": key, "said": json.loads(text)}), encoding="utf-8")
    half.replace(path)
