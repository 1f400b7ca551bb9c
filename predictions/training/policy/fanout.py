"""The held-out centers of the strategy model as jobs (`training.jobs`), and where its table comes from. Pure."""

import hashlib
import json
import warnings
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from predictions.training import feature_list, outcome, table
from predictions.training.foreign import mapping
from predictions.training.jobs import Bench
from predictions.training.policy import value
from predictions.training.policy.choice import Job, Rules, Work
from predictions.training.policy.value import Part
from predictions.training.table import TrainingTable


@dataclass(frozen=True)
class Source:
    """Where a training comes from: paths and numbers alone."""

    data: str
    mapping: str | None
    feature_list: str | None
    modalities: tuple[str, ...]
    landmark: int
    margin: float
    seed: int
    replicates: int

    @property
    def rules(self) -> Rules:
        return Rules(self.landmark, self.margin, self.seed, self.replicates)


def table_of(source: Source) -> tuple[TrainingTable, list[str]]:
    """The table of a source, and what a mapping converted or left out. Raises TableRefused."""
    listed = feature_list.read(Path(source.feature_list)) if source.feature_list else None
    allowed = listed.allows if listed else (lambda _: True)
    modalities = tuple(source.modalities)
    if source.mapping is None:
        return table.read(Path(source.data), landmark=source.landmark, modalities=modalities, allowed=allowed), []
    frame, sha256, said = mapping.read(Path(source.data), source.mapping)
    return table.of_frame(frame, sha256=sha256, landmark=source.landmark, modalities=modalities, allowed=allowed), list(said)


def workshop(source: Source, bench: Bench) -> Work:
    """Work that asks held-out centers at a bench."""

    def work(rows: TrainingTable, jobs: list[Job]) -> list[Part]:
        places = {center: place for place, center in enumerate(sorted({center for _, center in jobs}))}
        names = [f"{learner}-{places[center]}" for learner, center in jobs]
        found = bench.run(one, json.dumps(asdict(source)), names, key=_key(source, rows))
        return [Part.from_json(each) for each in found]

    return work


def one(source: str, name: str) -> str:
    """One learner and one center, as the text it is kept as."""
    rows, (learner, place) = _rows(source), name.split("-")
    center = sorted({str(each) for each in rows.center})[int(place)]
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("error")
        return json.dumps(value.ask(rows, _source(source).rules.of(learner), center).as_json())


def key_of(source: str) -> str:
    """The key of a source as this process reads it."""
    return _key(_source(source), _rows(source))


def forget() -> None:
    """Read the table anew next time."""
    _rows.cache_clear()


@lru_cache(maxsize=1)
def _rows(source: str) -> TrainingTable:
    return table_of(_source(source))[0]


def _source(text: str) -> Source:
    return Source(**json.loads(text))


def _key(source: Source, rows: TrainingTable) -> str:
    said = [asdict(source.rules), rows.sha256, rows.n, rows.features, outcome.program()]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
