"""The training table of PRIME-R and PRIME-S: what it must hold, checked at the door with sentences (docs/models.md §3).

One row per patient, or one per lesion with a stated rule for several lesions. Nothing is derived here. Pure.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from predictions.training.measures.intervals import Bools, Floats, Ints
from predictions.training.table import MODALITIES, TableRefused

SPLITS = ("train", "external")
LESIONS = ("largest", "mean")
VOLUME = "original_shape_MeshVolume"


@dataclass(frozen=True)
class Cohort:
    """`x` (n, features), NaN where missing. Outcome columns are None where the table has none; `time` is in days.

    `groups` are texts to report by, `adjusting` numbers that adjust a risk group's hazard ratio; neither is ever a feature.
    """

    features: tuple[str, ...]
    x: Floats
    patient: tuple[str, ...]
    center: npt.NDArray[np.str_]
    external: Bools
    response: Bools | None
    time: Floats | None
    event: Bools | None
    groups: dict[str, npt.NDArray[np.str_]]
    adjusting: dict[str, Floats]
    sha256: str
    notes: tuple[str, ...] = field(default=())

    @property
    def n(self) -> int:
        return len(self.patient)

    def rows(self, keep: Ints) -> "Cohort":
        """Some of its rows."""

        def some(values: Any) -> Any:
            return None if values is None else values[keep]

        return Cohort(
            self.features,
            self.x[keep],
            tuple(self.patient[place] for place in keep),
            self.center[keep],
            self.external[keep],
            some(self.response),
            some(self.time),
            some(self.event),
            {name: values[keep] for name, values in self.groups.items()},
            {name: values[keep] for name, values in self.adjusting.items()},
            self.sha256,
            self.notes,
        )

    def modality(self, *names: str) -> tuple[int, ...]:
        """The places of the features of some modalities."""
        return tuple(place for place, name in enumerate(self.features) if name.split("_")[0] in names)


def read(path: Path, *, lesions: str | None = None, allowed: Callable[[str], bool] = lambda feature: True) -> Cohort:
    """Read a CSV or Parquet file. Raises TableRefused with a sentence for a file that breaks the contract."""
    frame = (
        pd.read_parquet(path)
        if path.suffix == ".parquet"
        else pd.read_csv(path, encoding="utf-8-sig", dtype={"patient": str, "center": str})
    )
    return of_frame(frame, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), lesions=lesions, allowed=allowed)


def of_frame(
    frame: pd.DataFrame,
    *,
    sha256: str,
    lesions: str | None = None,
    allowed: Callable[[str], bool] = lambda feature: True,
    notes: Sequence[str] = (),
) -> Cohort:
    """The cohort of a table in memory, checked as `read` does."""
    if missing := [name for name in ("patient", "center") if name not in frame.columns]:
        raise TableRefused(f"the table has no column {', '.join(missing)}")
    if frame[["patient", "center"]].isna().any(axis=None):
        raise TableRefused("a row lacks its patient or its center; fill it or leave the row out")
    features = tuple(name for name in frame.columns if name.split("_")[0] in MODALITIES and allowed(name))
    if not features:
        raise TableRefused(f"no column starts with {', '.join(each + '_' for each in MODALITIES)}: there is nothing to learn from")
    _numeric(frame, features)
    frame, said = _one_row_each(frame, features, lesions)
    time, event = _followed(frame)
    return Cohort(
        features,
        frame[list(features)].to_numpy(np.float64),
        tuple(map(str, frame["patient"])),
        frame["center"].to_numpy(str),
        _external(frame),
        _zero_or_one(frame, "response", "objective response (CR or PR) or not"),
        time,
        event,
        {name: frame[name].fillna("").to_numpy(str) for name in frame.columns if name.startswith("subgroup_")},
        {name: pd.to_numeric(frame[name]).to_numpy(np.float64) for name in frame.columns if name.startswith("adjust_")},
        sha256,
        (*notes, *said),
    )


def _one_row_each(frame: pd.DataFrame, features: tuple[str, ...], lesions: str | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """One row per patient, by the stated rule where there are several, and what was done."""
    several = int((frame["patient"].value_counts() > 1).sum())
    if not several:
        return frame, ()
    if "lesion" not in frame.columns:
        twice = frame["patient"][frame["patient"].duplicated()].iloc[0]
        raise TableRefused(f"patient {twice} stands in the table twice, and no column lesion tells the rows apart")
    if frame.duplicated(["patient", "lesion"]).any():
        raise TableRefused("a lesion of a patient stands in the table twice")
    if lesions not in LESIONS:
        raise TableRefused(f"{several} patients have several lesions: say --lesions largest or --lesions mean")
    if lesions == "mean":
        numbers = frame.groupby("patient", sort=False)[list(features)].mean()
        first = frame.drop_duplicates("patient").drop(columns=list(features)).set_index("patient")
        return first.join(numbers).reset_index(), (f"{several} patients had several lesions: the mean of each feature stands for them",)
    sizes = [name for name in features if name.endswith(VOLUME)]
    if not sizes:
        raise TableRefused(f"no feature ends in {VOLUME}: the largest lesion is not known")
    order = frame.assign(_size=frame[sizes].max(axis=1)).sort_values("_size", ascending=False, kind="stable")
    kept = order.drop_duplicates("patient").drop(columns="_size").sort_index()
    return kept, (f"{several} patients had several lesions: the one with the largest {VOLUME} stands for them",)


def _followed(frame: pd.DataFrame) -> tuple[Floats | None, Bools | None]:
    if "time" not in frame.columns and "event" not in frame.columns:
        return None, None
    if not {"time", "event"} <= set(frame.columns):
        raise TableRefused("time and event belong together: one of the two columns is missing")
    time = pd.to_numeric(frame["time"], errors="coerce")
    if (time.isna() | (time < 0)).any():
        raise TableRefused("time is a number of days, never negative")
    event = _zero_or_one(frame, "event", "death or not")
    return time.to_numpy(np.float64), event


def _zero_or_one(frame: pd.DataFrame, name: str, meaning: str) -> Bools | None:
    if name not in frame.columns:
        return None
    if frame[name].isna().any() or not set(frame[name].unique()) <= {0, 1}:
        raise TableRefused(f"{name} is 0 or 1 ({meaning}), in every row")
    return np.asarray(frame[name].to_numpy().astype(bool))


def _external(frame: pd.DataFrame) -> Bools:
    if "split" not in frame.columns:
        return np.zeros(len(frame), dtype=np.bool_)
    if unknown := set(frame["split"].fillna("")) - set(SPLITS):
        raise TableRefused(f"split {sorted(unknown)[0]!r} is none of {', '.join(SPLITS)}")
    return np.asarray(frame["split"].to_numpy(str) == "external")


def _numeric(frame: pd.DataFrame, features: tuple[str, ...]) -> None:
    for name in features:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            raise TableRefused(f"feature {name} holds text; code it as numbers")
        if np.isinf(frame[name].to_numpy(np.float64)).any():
            raise TableRefused(f"feature {name} holds an infinite number")
