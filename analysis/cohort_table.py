"""The first table of a paper: the characteristics of two or more cohorts, each with its p value and the name of its test.

2 × 2 tables: χ² with Yates' continuity correction (the PRIME paper's Table 1; R `chisq.test`); larger ones: Pearson's χ², marked where a
cell expects fewer than five; numbers: Welch's t test of two cohorts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

from analysis.logrank import chi_square_tail
from analysis.survival_times import Floats

YATES, PEARSON, WELCH = "chi-square, Yates' correction", "chi-square, Pearson", "t test, Welch"
_FEW = 5


@dataclass(frozen=True)
class Tested:
    """A p value with its test; `sparse` where a cell expects fewer than five, NaN where nothing varies."""

    test: str
    statistic: float
    df: float
    p: float
    sparse: bool = False


@dataclass(frozen=True)
class Line:
    """One characteristic: by level the count of each cohort, or mean and standard deviation of each; and the comparison."""

    name: str
    counts: Mapping[str, tuple[int, ...]]
    means: tuple[tuple[float, float], ...]
    tested: Tested


def categories(name: str, values: Sequence[str], cohort: Sequence[str]) -> Line:
    """A characteristic in words; "" is missing and left out. Raises ValueError when one cohort only is there."""
    known = [(value, group) for value, group in zip(values, cohort, strict=True) if value]
    levels, groups = sorted({value for value, _group in known}), sorted(set(cohort))
    counts = {level: tuple(sum(pair == (level, group) for pair in known) for group in groups) for level in levels}
    return Line(name, counts, (), contingency(list(counts.values())))


def measured(name: str, values: ArrayLike, cohort: Sequence[str]) -> Line:
    """A characteristic in numbers, NaN missing, of exactly two cohorts. Raises ValueError for another number of them."""
    numbers, groups = np.asarray(values, dtype=np.float64), np.asarray(cohort)
    labels = sorted(set(cohort))
    if len(labels) != 2:
        raise ValueError(f"a t test compares two cohorts, not {len(labels)}")
    parts = [numbers[(groups == label) & np.isfinite(numbers)] for label in labels]
    summary = tuple((float(part.mean()), float(part.std(ddof=1))) for part in parts)
    return Line(name, {}, summary, welch(*[(mean, spread, part.size) for (mean, spread), part in zip(summary, parts, strict=True)]))


def contingency(table: Sequence[Sequence[int]]) -> Tested:
    """The χ² test of a table of counts, rows by columns; Yates' correction for 2 × 2, as R `chisq.test`. Raises ValueError below 2 × 2."""
    counts = np.asarray(table, dtype=np.float64)
    counts = counts[counts.sum(axis=1) > 0] if counts.ndim == 2 else counts
    if counts.ndim != 2 or counts.shape[1] < 2 or (counts < 0).any():
        raise ValueError("a table of counts has two columns or more, and no negative count")
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    apart = np.abs(counts - expected)
    small = counts.shape == (2, 2)
    if small:
        apart = np.maximum(apart - min(0.5, float(apart.min())), 0.0)
    df = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    statistic = float(np.sum(np.divide(apart**2, expected, out=np.zeros_like(expected), where=expected > 0)))
    return Tested(YATES if small else PEARSON, statistic, df, chi_square_tail(statistic, df), bool((expected < _FEW).any()))


def welch(first: tuple[float, float, int], second: tuple[float, float, int]) -> Tested:
    """Welch's t test from mean, standard deviation and size of two cohorts."""
    squares: Floats = np.array([one[1] ** 2 / one[2] for one in (first, second)])
    total = float(squares.sum())
    if not total > 0:
        return Tested(WELCH, float("nan"), float("nan"), float("nan"))
    df = total**2 / float(np.sum(squares**2 / (np.array([first[2], second[2]]) - 1)))
    t = (first[0] - second[0]) / np.sqrt(total)
    return Tested(WELCH, float(t), df, float(2 * stdtr(df, -abs(t))))
