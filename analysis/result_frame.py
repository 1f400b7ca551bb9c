"""From rows of an opening cut to the columns that are compared: tags, outcomes, confounders filled as registered (AN-08, AN-14). Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analysis.consistency import State, Tag
from analysis.survival_times import Bools, Floats

LOG10 = frozenset({"afp"})
"""Confounders over several orders of magnitude: they enter as log10."""

Cells = Mapping[str, str]


def frame_of(rows: Sequence[Cells], found: Mapping[str, Tag], names: Sequence[str], consistent: Bools | None = None) -> dict[str, Any]:
    """The columns of the comparison; confounders are prefixed `x_`, imputed by the median with a mark, text by "unknown" (AN-14).

    `consistent` (n,) stands for the tags' own states where a sensitivity analysis groups otherwise.
    """
    tags = [found[row["patient"]] for row in rows]
    frame: dict[str, Any] = {
        "time": np.array([float(row["rfs_time"]) for row in rows]),
        "event": np.array([int(row["rfs_event"]) for row in rows]),
        "consistent": np.array([int(bool(consistent_of(tag))) for tag in tags]) if consistent is None else consistent.astype(np.int64),
        "recommended": np.array([str(tag.recommended) for tag in tags]),
        "center": np.array([row["center"] for row in rows]),
    }
    for name in names:
        frame |= {f"x_{part}": values for part, values in _column(name, [row[name] for row in rows]).items()}
    return frame


def gaps_of(rows: Sequence[Cells], names: Sequence[str]) -> dict[str, Floats]:
    """The numeric confounders in which a value is missing, under their names in the frame, NaN for the gaps; scaled as there."""
    found = {}
    for name in names:
        try:
            values = np.array([float(row[name]) if row[name] else math.nan for row in rows])
        except ValueError:
            continue
        if np.isnan(values).any() and not np.isnan(values).all():
            found[f"x_{name}"] = np.log10(np.maximum(values, 1e-3)) if name in LOG10 else values
    return found


def consistent_of(tag: Tag | None) -> bool | None:
    """None for whoever has no tag that counts."""
    return None if tag is None or tag.state not in (State.CONSISTENT, State.INCONSISTENT) else tag.state == State.CONSISTENT


def _column(name: str, texts: Sequence[str]) -> dict[str, Any]:
    try:
        values = np.array([float(text) if text else math.nan for text in texts])
    except ValueError:
        return {name: np.array([text or "unknown" for text in texts])}
    missing = np.isnan(values)
    if missing.all():
        return {}
    if name in LOG10:
        values = np.log10(np.maximum(values, 1e-3))
    filled = np.where(missing, np.median(values[~missing]), values)
    return {name: filled} | ({f"{name}_missing": missing.astype(float)} if missing.any() else {})
