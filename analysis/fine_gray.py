"""Regression with competing risks: Fine and Gray's subdistribution hazard and the cause-specific hazard (AN-11).

The subdistribution model is a weighted Cox model: who failed from another cause stays at risk with the weight G(t−)/G(T−),
G being the Kaplan–Meier curve of censoring (Geskus 2011; R `survival::finegray`). It describes incidence; its coefficients are
no causal effects.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from analysis.competing import causes
from analysis.cox import CoxFit, Ties, cox
from analysis.kaplan_meier import Curve, kaplan_meier
from analysis.survival_times import Bools, Durations, Floats, Ints


def fine_gray(
    x: ArrayLike,
    time: ArrayLike,
    cause: ArrayLike,
    *,
    of: int = 1,
    terms: Sequence[str] | None = None,
    ties: Ties = "breslow",
    enough: float | None = None,
) -> CoxFit:
    """Subdistribution hazards of cause `of`, standard errors robust per person; Breslow ties as Fine and Gray (1999).

    Raises ValueError as `cox`.
    """
    known, kind = causes(time, cause)
    columns = np.asarray(x, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    row, start, stop, weight = _expanded(known, kind, of)
    event = (kind[row] == of) & (stop == known.time[row])
    return cox(columns[row], stop, event, terms=terms, ties=ties, weights=weight, entry=start, cluster=row, enough=enough)


def cause_specific(
    x: ArrayLike,
    time: ArrayLike,
    cause: ArrayLike,
    *,
    of: int = 1,
    terms: Sequence[str] | None = None,
    ties: Ties = "efron",
    enough: float | None = None,
) -> CoxFit:
    """Hazards of cause `of`, failures from other causes being censored. Raises ValueError as `cox`."""
    known, kind = causes(time, cause)
    return cox(x, known.time, kind == of, terms=terms, ties=ties, enough=enough)


def _expanded(known: Durations, kind: Ints, of: int) -> tuple[Ints, Floats, Floats, Floats]:
    """Person, start, stop and weight of each row: one per person, and for those who failed otherwise one for each later step of G."""
    begin = -1.0 if known.time.min() == 0 else 0.0
    censoring = _censoring(known)
    stays = np.flatnonzero(known.event & (kind != of))
    edges = np.append(censoring.time, known.time.max())
    height = np.concatenate(([1.0], censoring.survival))
    useful = _steps_with_events(edges, known.time[kind == of])
    rows, starts, stops, weights = [np.arange(known.n)], [np.full(known.n, begin)], [known.time], [np.ones(known.n)]
    for person in stays:
        mine = known.time[person]
        at = int(np.searchsorted(edges, mine, side="left"))
        later = useful[useful >= at]
        lower = np.maximum(np.concatenate(([begin], edges))[later], mine)
        kept = edges[later] > lower
        rows.append(np.full(int(kept.sum()), person))
        starts.append(lower[kept])
        stops.append(edges[later][kept])
        weights.append(height[later][kept] / height[at])
    return np.concatenate(rows), np.concatenate(starts), np.concatenate(stops), np.concatenate(weights)


def _censoring(known: Durations) -> Curve:
    """The curve of staying uncensored; a failure at the time of a censoring comes before it."""
    distinct, place = np.unique(known.time, return_inverse=True)
    moment = np.where(known.event, 2 * place, 2 * place + 1).astype(np.float64)
    curve = kaplan_meier(moment, ~known.event)
    return Curve(
        curve.n, distinct[curve.time.astype(np.int64) // 2], curve.at_risk, curve.events, curve.survival,
        curve.hazard_variance, known.time, curve.level,
    )  # fmt: skip


def _steps_with_events(edges: Floats, times: Floats) -> Ints:
    """Which intervals between steps of G hold an event of interest; the others add nothing to the likelihood."""
    holding: Bools = np.zeros(edges.size, dtype=bool)
    holding[np.searchsorted(edges, np.unique(times), side="left")] = True
    return np.flatnonzero(holding)
