"""Who could have been treated either way: propensity, overlap weights, balance, effective size (AN-08)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from analysis.survival_times import Bools, Floats, Ints

_MOST_STEPS = 40
_SEPARATED = 30.0  # log odds beyond which exp(−η) is rounding: the covariates tell the groups apart


@dataclass(frozen=True)
class Overlap:
    """P(group 1 | covariates) of each row and its overlap weight, 1−p in group 1 and p in group 0, each of shape (n,).

    `outside` marks rows of a stratum in which everybody is in one group: nothing there can be compared, so their weight is 0.
    """

    score: Floats
    weight: Floats
    outside: Bools


@dataclass(frozen=True)
class Balance:
    """Standardised difference of one covariate before and after weighting, and the ratio of variances after it."""

    name: str
    before: float
    after: float
    variance_ratio: float


def overlap(group: Bools, covariates: Floats, labels: Sequence[Ints]) -> Overlap:
    """Overlap weights (Li, Morgan and Zaslavsky 2018) from a logistic model of `group` on covariates (n, p) and label dummies.

    `labels` are integer codes such as center and recommendation. The model has no penalty, so every covariate and label is
    balanced exactly. Raises ValueError when it does not converge (the covariates separate the groups) or nobody is comparable.
    """
    outside = _one_sided(group, labels)
    inside = ~outside
    if not inside.any():
        raise ValueError("every stratum holds one group only: nobody is comparable")
    design = np.column_stack([covariates[inside], *(_dummies(label[inside]) for label in labels)])
    score = np.where(group, 1.0, 0.0)
    score[inside] = logistic(design, group[inside])
    return Overlap(score, np.where(outside, 0.0, np.where(group, 1 - score, score)), outside)


def logistic(design: Floats, outcome: Bools) -> Floats:
    """Fitted probabilities (n,) of an unpenalised logistic regression on `design` (n, p) and an intercept.

    Constant and collinear columns are left out. Raises ValueError when the maximum does not exist.
    """
    columns = _independent(design)
    beta = np.zeros(columns.shape[1])
    target = outcome.astype(np.float64)
    for _ in range(_MOST_STEPS):
        log_odds = columns @ beta
        if np.abs(log_odds).max(initial=0.0) > _SEPARATED:
            break
        p = expit(log_odds)
        step = np.linalg.solve((columns.T * (p * (1 - p))) @ columns, columns.T @ (target - p))
        beta = beta + step
        if np.abs(step).max() < 1e-9:
            return np.asarray(expit(columns @ beta), dtype=np.float64)
    raise ValueError("the propensity model does not converge: the covariates tell the groups apart completely")


def standardised_difference(values: Floats, group: Bools, weight: Floats) -> tuple[float, float]:
    """(difference of weighted means)/√(mean of the unweighted variances), Austin and Stuart (2015), and the weighted variance ratio.

    The same denominator before and after, so that weighting cannot look better by shrinking it. 0 for a constant.
    """
    means, variances = [], []
    for member in (group, ~group):
        share = weight[member] / weight[member].sum()
        mean = float(share @ values[member])
        means.append(mean)
        variances.append(float(share @ (values[member] - mean) ** 2))
    spread = float(np.sqrt((values[group].var() + values[~group].var()) / 2))
    ratio = variances[0] / variances[1] if variances[1] > 0 else float("nan")
    return ((means[0] - means[1]) / spread if spread > 0 else 0.0), ratio


def balance(names: Sequence[str], covariates: Floats, group: Bools, weight: Floats) -> tuple[Balance, ...]:
    """Each column of `covariates` (n, p) before and after weighting, group 1 minus group 0."""
    ones = np.ones(group.size)
    rows = []
    for name, values in zip(names, covariates.T, strict=True):
        after, ratio = standardised_difference(values, group, weight)
        rows.append(Balance(name, standardised_difference(values, group, ones)[0], after, ratio))
    return tuple(rows)


def effective_size(weight: Floats) -> float:
    """Kish's effective number, (Σw)²/Σw²; 0 without any weight."""
    squares = float(weight @ weight)
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def _one_sided(group: Bools, labels: Sequence[Ints]) -> Bools:
    """Rows of labels whose members are all in one group, looked for again until no more are found."""
    outside = np.zeros(group.size, dtype=bool)
    for _ in range(group.size):
        before = int(outside.sum())
        for label in labels:
            size = np.bincount(label[~outside], minlength=int(label.max()) + 1)
            ones = np.bincount(label[~outside & group], minlength=size.size)
            outside |= ((ones == 0) | (ones == size))[label]
        if int(outside.sum()) == before:
            return outside
    return outside


def _dummies(label: Ints) -> Floats:
    """One 0/1 column for each present label but the first."""
    return np.asarray(label[:, None] == np.unique(label)[1:], dtype=np.float64)


def _independent(design: Floats) -> Floats:
    """An intercept and the standardised columns that add something to those before them."""
    scale = design.std(axis=0)
    kept = design[:, scale > 1e-12]
    columns = np.column_stack((np.ones(design.shape[0]), (kept - kept.mean(axis=0)) / kept.std(axis=0)))
    triangle = np.abs(np.diag(np.linalg.qr(columns, mode="r")))
    return np.asarray(columns[:, triangle > 1e-9 * triangle.max()])
