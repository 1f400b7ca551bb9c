"""Values that were not recorded, drawn several times from what was, and the results put together (AN-14; Rubin 1987). Pure.

Chained Bayesian normal regressions (van Buuren 2018, "norm"); the outcome is among the predictors as event and cumulative hazard (White and
Royston 2009), never among what is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from analysis.survival_times import Bools, Floats

SWEEPS = 10
FEWEST, MOST = 5, 40
_RIDGE = 1e-5


@dataclass(frozen=True)
class Pooled:
    """A pooled estimate with its standard error and degrees of freedom; `missing` is the share of the variance that the gaps add."""

    value: float
    error: float
    freedom: float
    missing: float

    @property
    def limits(self) -> tuple[float, float]:
        """95 % limits by Student's t."""
        spread = float(stdtrit(self.freedom, 0.975)) * self.error
        return self.value - spread, self.value + spread


def how_many(values: Floats) -> int:
    """As many draws as there are per cent of rows with a gap in `values` (n, k), five at least and forty at most."""
    return int(np.clip(np.ceil(100 * np.isnan(values).any(axis=1).mean()), FEWEST, MOST))


def imputed(values: Floats, known: Floats, *, draws: int, seed: int) -> Iterator[Floats]:
    """`values` (n, k) with NaN for gaps, completed `draws` times from one another and from `known` (n, q), which has none.

    Raises ValueError for a column with fewer values than predictors.
    """
    gaps = np.isnan(values)
    predictors = known.shape[1] + values.shape[1]
    if (np.sum(~gaps, axis=0) <= predictors).any():
        raise ValueError("a confounder has too few values to draw the others from")
    random = np.random.default_rng(seed)
    for _draw in range(draws):
        filled = np.where(gaps, 0.0, values)
        for place in range(values.shape[1]):
            filled[gaps[:, place], place] = random.choice(values[~gaps[:, place], place], int(gaps[:, place].sum()))
        for _sweep in range(SWEEPS):
            for place in map(int, np.flatnonzero(gaps.any(axis=0))):
                others = np.column_stack([np.ones(len(values)), known, np.delete(filled, place, axis=1)])
                filled[gaps[:, place], place] = _drawn(others, values[:, place], gaps[:, place], random)
        yield filled


def _drawn(x: Floats, y: Floats, gap: Bools, random: np.random.Generator) -> Floats:
    """Values for the gaps of y from the posterior of its regression on x, with noise."""
    seen, target = x[~gap], y[~gap]
    square = seen.T @ seen
    precision = square + np.diag(np.diag(square) * _RIDGE + 1e-12)
    middle = np.linalg.solve(precision, seen.T @ target)
    rest = target - seen @ middle
    sigma = float(np.sqrt(rest @ rest / random.chisquare(max(target.size - x.shape[1], 1))))
    beta = middle + sigma * np.linalg.solve(np.linalg.cholesky(precision).T, random.standard_normal(x.shape[1]))
    return np.asarray(x[gap] @ beta + sigma * random.standard_normal(int(gap.sum())), dtype=np.float64)


def pool(values: Sequence[float], errors: Sequence[float]) -> Pooled:
    """Rubin's rules for the estimates of each completed table. Raises ValueError for fewer than two, or one that is not finite."""
    estimates, within = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64) ** 2
    if estimates.size < 2 or not (np.isfinite(estimates).all() and np.isfinite(within).all()):
        raise ValueError("pooling needs two estimates at least, each with its error")
    between = float(estimates.var(ddof=1)) * (1 + 1 / estimates.size)
    total = float(within.mean()) + between
    missing = between / total
    freedom = (estimates.size - 1) / missing**2 if missing > 0 else np.inf
    return Pooled(float(estimates.mean()), float(np.sqrt(total)), float(min(freedom, 1e9)), missing)
