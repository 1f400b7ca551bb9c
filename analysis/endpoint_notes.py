"""What recurrence-free and overall survival of one table say of each other: contradictions, deaths that are not there (EP-05, EP-10)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from analysis.survival_times import Floats


def notes(time: ArrayLike, event: ArrayLike, death_time: ArrayLike, death: ArrayLike) -> Iterator[str]:
    """Sentences about n patients; rows with a missing value are left out. `event` marks recurrence, or recurrence or death."""
    columns = np.column_stack([np.asarray(each, dtype=np.float64) for each in (time, event, death_time, death)])
    until, failed, lived, died = columns[np.isfinite(columns).all(axis=1)].T
    later = int(np.count_nonzero(until > lived))
    if later:
        yield f"{later} patients are followed for the event beyond the end of their survival time; check their dates"
    yield from _deaths(until, failed == 1, lived, died == 1)


def _deaths(until: Floats, failed: np.ndarray, lived: Floats, died: np.ndarray) -> Iterator[str]:
    """A death without recurrence either is an event of the table or ends follow-up unseen."""
    without = int(np.count_nonzero(died & ~failed))
    at_once = int(np.count_nonzero(died & failed & (until == lived)))
    if died.any() and not without:
        yield (
            f"no death without recurrence exists: each of {int(died.sum())} deaths has an event of its own, {at_once} of them at the same "
            "time; either nobody died free of disease, or such deaths were not recorded; death as a competing risk cannot be estimated"
        )
    elif without:
        yield f"{without} of {int(died.sum())} deaths are without an event here: this is time to recurrence, and death competes"
