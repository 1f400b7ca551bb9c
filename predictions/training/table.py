"""The training table: what it must hold, checked at the door with sentences (docs/models.md §3).

One row per patient: `patient`, `center`, `strategy`, `time` (days from surgery), `event` (0/1), and features named by their
modality. Nothing is derived here: `cut --training` does that with the code of the prospective part (MD-01). Pure.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from predictions.decision import INTENSITY, Strategy

MODALITIES = ("clinical", "arterial", "venous", "slide", "report")
REQUIRED = ("patient", "center", "strategy", "time", "event")

Floats = npt.NDArray[np.float64]


class TableRefused(ValueError):
    """The table cannot be trained on; the text says which rows or columns, and what to do."""


@dataclass(frozen=True)
class TrainingTable:
    """`x` has shape (n, features), NaN where missing; `time` is in days from surgery, all beyond the landmark."""

    features: tuple[str, ...]
    x: Floats
    time: Floats
    event: npt.NDArray[np.bool_]
    strategy: npt.NDArray[np.str_]
    center: npt.NDArray[np.str_]
    sha256: str
    dropped_before_landmark: int
    given: tuple[tuple[str, int], ...] = ()
    """Patients of each strategy before any row was dropped."""

    @property
    def n(self) -> int:
        return len(self.time)

    def rows(self, keep: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "TrainingTable":
        """The table of some of its rows, repeated where `keep` repeats an index."""
        parts = (self.x[keep], self.time[keep], self.event[keep], self.strategy[keep], self.center[keep])
        return TrainingTable(self.features, *parts, self.sha256, self.dropped_before_landmark, self.given)


def read(path: Path, *, landmark: int, modalities: tuple[str, ...], allowed: Callable[[str], bool] = lambda feature: True) -> TrainingTable:
    """Read a CSV or Parquet file. Rows with time ≤ landmark are dropped and counted; features of other modalities, and those that are
    not `allowed`, are left out.

    Raises TableRefused with a sentence for a file that breaks the contract.
    """
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, encoding="utf-8-sig", dtype={"center": str})
    return of_frame(frame, sha256=sha256, landmark=landmark, modalities=modalities, allowed=allowed)


def of_frame(
    frame: pd.DataFrame, *, sha256: str, landmark: int, modalities: tuple[str, ...], allowed: Callable[[str], bool] = lambda feature: True
) -> TrainingTable:
    """A table in memory, checked as `read` does."""
    _check(frame)
    late = frame[frame["time"] > landmark]
    features = tuple(name for name in frame.columns if name.split("_")[0] in modalities and allowed(name))
    if not features:
        raise TableRefused(
            f"no column starts with {' or '.join(modality + '_' for modality in modalities)}: there is nothing to learn from"
        )
    return TrainingTable(
        features,
        _numbers(late, features),
        late["time"].to_numpy(np.float64),
        late["event"].to_numpy().astype(bool),
        late["strategy"].to_numpy(str),
        late["center"].to_numpy(str),
        sha256,
        len(frame) - len(late),
        tuple((str(strategy), int((frame["strategy"] == strategy).sum())) for strategy in INTENSITY),
    )


def _check(frame: pd.DataFrame) -> None:
    if missing := [name for name in REQUIRED if name not in frame.columns]:
        raise TableRefused(f"the table has no column {', '.join(missing)}")
    if frame["patient"].duplicated().any():
        raise TableRefused(f"patient {frame['patient'][frame['patient'].duplicated()].iloc[0]} stands in the table twice")
    if frame[list(REQUIRED)].isna().any(axis=None):
        raise TableRefused("a row lacks its patient, center, strategy, time or event; fill it or leave the row out")
    if not set(frame["event"].unique()) <= {0, 1}:
        raise TableRefused("event is 0 (censored) or 1 (recurrence or death)")
    if (pd.to_numeric(frame["time"], errors="coerce").fillna(-1) < 0).any():
        raise TableRefused("time is a number of days from surgery, never negative")
    if unknown := set(frame["strategy"]) - set(Strategy):
        raise TableRefused(f"strategy {sorted(unknown)[0]!r} is none of {', '.join(Strategy)}")


def _numbers(frame: pd.DataFrame, features: tuple[str, ...]) -> Floats:
    for name in features:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise TableRefused(f"feature {name} holds text; code it as numbers")
    return np.asarray(frame[list(features)].to_numpy(np.float64))
