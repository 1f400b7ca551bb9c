"""Who was at risk at each event time: the sorted structure that every step of a Cox fit reads.

Rows are ordered by stratum, then time, deaths before censorings. A row is at risk over (entry, time]; a death step is one
death at a distinct (stratum, time), in Efron's order 0 … d−1 within its ties.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.survival_times import Bools, Floats, Ints, case_weights, codes, durations, equal_ties


@dataclass(frozen=True)
class RiskSets:
    """n ordered rows, m distinct event times (by stratum), k deaths; all index arrays point into these orders.

    `first`, `end` (m,): the rows with time ≥ the event time in its stratum are first … end−1. `entered`, `entered_end`
    (m,): the same in the order of entry, or None without late entries. `step` (k,): event time of each death step.
    `fraction` (k,): l/d of Efron, 0 for Breslow. `mean_weight` (k,): mean weight of the tied deaths. `until`, `since`
    (n,): how many event times precede or equal the row's time, its entry. `origin` (n,): order in the caller's arrays.
    """

    origin: Ints
    x: Floats
    time: Floats
    event: Bools
    weight: Floats
    stratum: Ints
    event_time: Floats
    event_stratum: Ints
    first: Ints
    end: Ints
    by_entry: Ints | None
    entered: Ints | None
    deaths: Ints
    death_start: Ints
    step: Ints
    fraction: Floats
    mean_weight: Floats
    until: Ints
    since: Ints

    def at_risk(self, amount: Floats) -> Floats:
        """Sums of `amount` (n, …) over those at risk at each event time, shape (m, …)."""
        total = _tail(amount)
        sums: Floats = total[self.first] - total[self.end]
        if self.by_entry is not None and self.entered is not None:
            late = _tail(amount[self.by_entry])
            sums = sums - (late[self.entered] - late[self.end])
        return sums

    def dying(self, amount: Floats) -> Floats:
        """Sums of `amount` (n, …) over the deaths at each event time, shape (m, …)."""
        sums: Floats = np.add.reduceat(amount[self.deaths], self.death_start, axis=0)
        return sums

    def exposed(self, per_step: Floats) -> Floats:
        """Each row's sum of `per_step` (k, …) over the steps it was at risk; a tied death shares its own steps by 1−l/d."""
        jumps = np.add.reduceat(per_step, self.death_start, axis=0)
        cumulative = np.concatenate((np.zeros_like(jumps[:1]), np.cumsum(jumps, axis=0)))
        sums: Floats = cumulative[self.until] - cumulative[self.since]
        if self.fraction.any():
            shared = np.add.reduceat((self.fraction * per_step.T).T, self.death_start, axis=0)
            sums[self.deaths] -= shared[self.step]
        return sums


def risk_sets(
    x: Floats, time: ArrayLike, event: ArrayLike, *, ties: str, strata: ArrayLike | None, weights: ArrayLike | None, entry: ArrayLike | None
) -> RiskSets:
    """Order the rows once. Rows of weight 0 are dropped. Raises ValueError when no event is left or an entry is not before its time."""
    known = durations(time, event)
    weight, stratum = case_weights(weights, known.n), codes(strata, known.n, "the stratum")
    start = _entries(entry, known.time)
    order = np.lexsort((~known.event, known.time, stratum))
    order = order[weight[order] > 0]
    x, time_, event_, weight, stratum = x[order], known.time[order], known.event[order], weight[order], stratum[order]
    deaths = np.flatnonzero(event_)
    if deaths.size == 0:
        raise ValueError("there are no events, so no hazard ratio can be estimated")
    new = np.concatenate(([True], (np.diff(time_[deaths]) != 0) | (np.diff(stratum[deaths]) != 0)))
    death_start = np.flatnonzero(new)
    tied = np.diff(np.append(death_start, deaths.size))
    step = np.repeat(np.arange(death_start.size), tied)
    rank = np.arange(deaths.size) - death_start[step]
    fraction = rank / tied[step] if ties == "efron" else np.zeros(deaths.size)
    mean_weight = (np.add.reduceat(weight[deaths], death_start) / tied)[step]
    event_time, event_stratum = time_[deaths[death_start]], stratum[deaths[death_start]]
    ends = np.searchsorted(stratum, np.arange(int(stratum[-1]) + 1), side="right")
    by_entry, entered, since = _entry_order(start, order, stratum, event_time, event_stratum)
    return RiskSets(
        origin=order, x=x, time=time_, event=event_, weight=weight, stratum=stratum,
        event_time=event_time, event_stratum=event_stratum,
        first=deaths[death_start], end=ends[event_stratum], by_entry=by_entry, entered=entered,
        deaths=deaths, death_start=death_start, step=step, fraction=fraction, mean_weight=mean_weight,
        until=_places(event_stratum, event_time, stratum, time_), since=since,
    )  # fmt: skip


def _entries(entry: ArrayLike | None, time: Floats) -> Floats | None:
    if entry is None:
        return None
    start = np.asarray(entry, dtype=np.float64)
    if start.shape != time.shape:
        raise ValueError(f"there are {start.size} entry times for {time.size} rows")
    merged = equal_ties(np.concatenate((start, time)))[: time.size]
    if not (merged < time).all():
        row = int(np.flatnonzero(~(merged < time))[0])
        raise ValueError(f"entry {start[row]:g} in row {row + 1} is not before its time {time[row]:g}")
    return merged


def _entry_order(
    start: Floats | None, order: Ints, stratum: Ints, event_time: Floats, event_stratum: Ints
) -> tuple[Ints | None, Ints | None, Ints]:
    """The rows by stratum and entry; for each event time the first row that had not entered before it; events before each entry."""
    if start is None:
        return None, None, np.searchsorted(event_stratum, stratum, side="left").astype(np.int64)
    begins = start[order]
    by_entry = np.lexsort((begins, stratum))
    entered = _places(stratum[by_entry], begins[by_entry], event_stratum, event_time, side="left")
    return by_entry, entered, _places(event_stratum, event_time, stratum, begins)


def _places(groups: Ints, ordered: Floats, wanted_group: Ints, wanted: Floats, side: str = "right") -> Ints:
    """searchsorted within groups: positions in an array that is ordered by group, then value."""
    keys = np.unique(np.concatenate((ordered, wanted)))
    table = groups * (keys.size + 1) + np.searchsorted(keys, ordered)
    query = wanted_group * (keys.size + 1) + np.searchsorted(keys, wanted)
    return np.searchsorted(table, query, side="left" if side == "left" else "right").astype(np.int64)


def _tail(amount: Floats) -> Floats:
    """Sums from each row to the last, and 0 after it."""
    sums = np.cumsum(amount[::-1], axis=0)[::-1]
    return np.concatenate((sums, np.zeros_like(amount[:1])))
