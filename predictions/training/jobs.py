"""Work cut into jobs: done in several processes, kept as each is finished, taken up again after a stop. Pure.

A job is told by text and answers by text (JSON), so only numbers and words cross between processes. What is kept names everything it
rests on by one key: anything else is done anew. When all is done it is removed, since it holds predictions.
"""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Progress = Callable[[int, int], None]
Do = Callable[[str, str], str]
"""Source and name of a job → its answer as JSON; a function of a module, so that another process finds it."""


def silent(done: int, of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Bench:
    """Where jobs are kept, by how many processes they are done, and who is told how far it is."""

    folder: Path
    processes: int = 1
    progress: Progress = silent

    def run(self, do: Do, source: str, names: Sequence[str], *, key: str) -> list[Any]:
        """The answers of all jobs in order; those kept under `key` are not done again."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        done = {name: said for name in names if (said := self.kept(key, name)) is not None}
        self.progress(len(done), len(names))
        for name, text in self.made(do, source, [name for name in names if name not in done], key=key):
            done[name] = json.loads(text)
            self.keep(key, name, done[name])
            self.progress(len(done), len(names))
        return [done[name] for name in names]

    def clear(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def made(self, do: Do, source: str, names: Sequence[str], *, key: str) -> Iterator[tuple[str, str]]:
        """Each job and its answer, as it is finished."""
        if self.processes == 1 or len(names) < 2:
            for name in names:
                yield name, do(source, name)
            return
        with ProcessPoolExecutor(self.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
            waiting = {pool.submit(do, source, name): name for name in names}
            for each in as_completed(waiting):
                yield waiting[each], each.result()

    def kept(self, key: str, name: str) -> Any:
        """The answer of a job that was kept under `key`, or None."""
        value = read(self.folder / f"{name}.json")
        return value.get("said") if value.get("key") == key else None

    def keep(self, key: str, name: str, said: Any) -> None:
        """Keep an answer; a stop leaves it whole or not at all."""
        write(self.folder / f"{name}.json", {"key": key, "said": said})


def read(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where it is not there or not whole."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write(path: Path, value: dict[str, Any]) -> None:
    """A file that is there whole or not at all."""
    half = path.with_suffix(f".half-{os.getpid()}")
    half.write_text(json.dumps(value), encoding="utf-8")
    half.replace(path)
