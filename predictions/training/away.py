"""Jobs of a training done by workers elsewhere: an order in a folder that they share, and a hint that names the folder and a number. Pure.

A hint may be lost or come twice: what is missing is asked for again, and a job that is done, or that somebody is at, is not begun.
"""

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from predictions.training import jobs
from predictions.training.jobs import Bench, Do
from predictions.training.policy import fanout as centers
from predictions.training.prime import fanout as folds

ORDER, FAULT = "order.json", "fault.json"
PAUSE, AGAIN = 0.2, 30  # seconds between two looks, and until what is missing is asked for again
WORKS: dict[str, Any] = {module.__name__: module for module in (centers, folds)}
"""An order can ask for nothing else."""


class WorkerRefused(RuntimeError):
    """A worker could not do a job; the text says why."""


@dataclass(frozen=True)
class Board(Bench):
    """A bench whose jobs are done by whoever sees its folder.

    `ask` sends a hint for the job of a number; `unheard` is told each time that what was asked for did not come.
    """

    ask: Callable[[int], None] = field(kw_only=True)
    unheard: Callable[[], None] = field(kw_only=True)

    def made(self, do: Do, source: str, names: Sequence[str], *, key: str) -> Iterator[tuple[str, str]]:
        """Each job when somebody has kept it. Raises WorkerRefused, or the warning that ended a job."""
        (self.folder / FAULT).unlink(missing_ok=True)
        jobs.write(self.folder / ORDER, {"work": do.__module__, "source": source, "names": list(names), "key": key})
        missing, asked, heard = list(names), float("-inf"), True
        while missing:
            if time.monotonic() - asked >= AGAIN:
                if not heard:
                    self.unheard()
                for name in missing:
                    self.ask(names.index(name))
                asked, heard = time.monotonic(), False
            come = {name: said for name in missing if (said := self.kept(key, name)) is not None}
            missing, heard = [name for name in missing if name not in come], heard or bool(come)
            yield from ((name, json.dumps(said)) for name, said in come.items())
            _raise_fault(self.folder, key)
            time.sleep(PAUSE if missing else 0)


def do(folder: Path, place: int) -> None:
    """The job of this number in the order of a folder, unless it is done, somebody is at it, or the training is over."""
    order = jobs.read(folder / ORDER)
    if not 0 <= place < len(order.get("names", ())):
        return
    key, name, bench = order["key"], order["names"][place], Bench(folder)
    with _alone(folder / f"{name}.lock") as mine:
        if not mine or bench.kept(key, name) is not None:
            return
        try:
            said = _said(WORKS[order["work"]], order, name)
        except Exception as fault:
            jobs.write(folder / FAULT, {"key": key, "said": str(fault), "warning": isinstance(fault, Warning)})
            return
        bench.keep(key, name, said)


def _said(work: Any, order: dict[str, Any], name: str) -> Any:
    if work.key_of(order["source"]) != order["key"]:
        work.forget()  # the table may have changed under a worker that has been here longer
        if work.key_of(order["source"]) != order["key"]:
            raise WorkerRefused("a worker reads another table, or runs another program or environment: start the workers anew")
    return json.loads(work.one(order["source"], name))


def _raise_fault(folder: Path, key: str) -> None:
    fault = jobs.read(folder / FAULT)
    if fault.get("key") == key:
        raise UserWarning(fault["said"]) if fault["warning"] else WorkerRefused(fault["said"])


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    """Whether nobody else holds this lock; the system lets go of it when its holder is killed."""
    try:
        file = path.open("a")
    except FileNotFoundError:
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
