"""Work cut into jobs: done in several processes, kept as each is finished, taken up again after a stop. Pure.

A job is told by text and answers by text (JSON), so only numbers and words cross between processes. What is kept names everything it
rests on by one key: anything else is done anew. When all is done it is removed, since it holds predictions.
"""

import json
import multiprocessing
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
        done = {name: said for name in names if (said := self._kept(key, name)) is not None}
        self.progress(len(done), len(names))
        for name, text in _made(do, source, [name for name in names if name not in done], self.processes):
            done[name] = json.loads(text)
            self._keep(key, name, done[name])
            self.progress(len(done), len(names))
        return [done[name] for name in names]

    def clear(self) -> None:
        """Remove what was kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _kept(self, key: str, name: str) -> Any:
        try:
            value = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
            return value["said"] if value["key"] == key else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _keep(self, key: str, name: str, said: Any) -> None:
        path = self.folder / f"{name}.json"
        half = path.with_suffix(".half")
        half.write_text(json.dumps({"key": key, "said": said}), encoding="utf-8")
        half.replace(path)


def _made(do: Do, source: str, names: Sequence[str], processes: int) -> Iterator[tuple[str, str]]:
    if processes == 1 or len(names) < 2:
        for name in names:
            yield name, do(source, name)
        return
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(do, source, name): name for name in names}
        for each in as_completed(waiting):
            yield waiting[each], each.result()
