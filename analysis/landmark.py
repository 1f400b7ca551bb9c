"""The landmark: only those still event-free and observed at day L are compared, and time restarts there (AN-07, TX-08).

Whoever had the event or was censored at or before L is excluded and counted by group, never relabelled: classifying by
what happened within the window without excluding gives 60 % false positives under no effect (F3).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from analysis.survival_times import Bools, Floats, durations


@dataclass(frozen=True)
class Excluded:
    """How many of one group left before the landmark, by the reason."""

    group: Any
    n: int
    event: int
    censored: int


@dataclass(frozen=True)
class Landmarked:
    """`kept` marks the rows of the input (shape (n,)); `time` and `event` are theirs, time counted from the landmark."""

    day: float
    kept: Bools
    time: Floats
    event: Bools
    excluded: tuple[Excluded, ...]

    @property
    def n_excluded(self) -> int:
        return sum(one.n for one in self.excluded)


def landmark(time: ArrayLike, event: ArrayLike, *, day: float, group: ArrayLike | None = None) -> Landmarked:
    """Keep those with time > day. Raises ValueError for a negative day or when nobody is left."""
    known = durations(time, event)
    if not day >= 0:
        raise ValueError(f"landmark {day:g} must not be negative")
    kept = known.time > day * (1 + 1e-12)
    if not kept.any():
        raise ValueError(f"nobody was observed beyond the landmark {day:g}")
    labels = np.asarray(group) if group is not None else np.zeros(known.n, dtype=np.int64)
    excluded = tuple(_count(label, labels == label, kept, known.event) for label in np.unique(labels))
    return Landmarked(day, kept, known.time[kept] - day, known.event[kept], excluded)


def _count(label: Any, member: Bools, kept: Bools, event: Bools) -> Excluded:
    gone = member & ~kept
    with_event = int(np.count_nonzero(gone & event))
    return Excluded(label, int(np.count_nonzero(gone)), with_event, int(np.count_nonzero(gone)) - with_event)
