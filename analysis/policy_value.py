"""What following the recommendation would be worth: mean time without recurrence, doubly robust, by held-out center (E-CAUSAL-2, AN-09).

Time counts up to a horizon. Each center's patients are judged by what all other centers teach: a Cox model with the strategies
(outcome), a multinomial logistic model of the strategy received (propensity), the curve of censoring. Augmented inverse probability
weighting is right when either the outcome model or the propensity is (Robins 1994). Limits are by centers as clusters, Student's t
with K−1 degrees of freedom. Pure.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from analysis.cox import cox
from analysis.foretold import uncensored_before
from analysis.survival_times import Bools, Floats, Ints
from analysis.weighting import Estimate

TRUNCATED = 0.01
"""Propensities below it count as it; how many were is said."""
FEWEST = 20
"""Patients of a strategy, and LEAST_EVENTS events, without a center, below which it is not judged."""
LEAST_EVENTS = 5
PERMUTATIONS = 500
_RIDGE = 1.0
_MOST_STEPS = 50


@dataclass(frozen=True)
class Treated:
    """Beyond the landmark: time and event (n,), center, strategy received and recommended as codes 0 … K−1, confounders (n, p)."""

    time: Floats
    event: Bools
    center: Ints
    received: Ints
    recommended: Ints
    confounders: Floats

    def rows(self, chosen: Bools) -> "Treated":
        return Treated(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Value:
    """Means up to the horizon: as recommended, as it was done, each strategy for everybody (NaN where too few received it).

    `permuted_p`: share of recommendations dealt anew within centers that gain as much over what was done (the negative control).
    """

    n: int
    horizon: float
    recommended: Estimate
    observed: Estimate
    fixed: tuple[Estimate, ...]
    best: int
    gain_over_observed: Estimate
    gain_over_best: Estimate
    permuted_p: float
    truncated: int


def policy_value(data: Treated, *, strategies: int, horizon: float, seed: int) -> Value:
    """Judge the recommendation. Raises ValueError where a recommended strategy was received by too few, a model has no solution, there
    are fewer than three centers, or nobody was followed up to the horizon."""
    centers = np.unique(data.center)
    if centers.size < 3:
        raise ValueError("errors between centers need three of them")
    judged = _judged(data, centers, strategies)
    if not judged[np.unique(data.recommended)].all():
        raise ValueError("a recommended strategy was received by too few to judge it")
    outcomes, factual, truncated = np.full((data.time.size, strategies), np.nan), np.zeros(data.time.size), 0
    for center in centers:
        there = data.center == center
        outcomes[there], factual[there], cut = _pseudo_outcomes(data.rows(~there), data.rows(there), judged, horizon)
        truncated += cut
    rule = outcomes[np.arange(data.time.size), data.recommended]
    fixed = tuple(_mean(outcomes[:, place], data.center) for place in range(strategies))
    best = int(np.nanargmax([each.value for each in fixed]))
    return Value(
        data.time.size, horizon, _mean(rule, data.center), _mean(factual, data.center), fixed, best, _mean(rule - factual, data.center),
        _mean(rule - outcomes[:, best], data.center), _permuted(outcomes, data, float(rule.mean()), seed), truncated,
    )  # fmt: skip


def _judged(data: Treated, centers: Ints, strategies: int) -> Bools:
    """Which strategies are received often enough wherever one center is left out."""
    enough = np.ones(strategies, dtype=np.bool_)
    for center in centers:
        others = data.rows(data.center != center)
        size = np.bincount(others.received, minlength=strategies)
        events = np.bincount(others.received[others.event], minlength=strategies)
        enough &= (size >= FEWEST) & (events >= LEAST_EVENTS)
    return enough


def _pseudo_outcomes(inside: Treated, there: Treated, judged: Bools, horizon: float) -> tuple[Floats, Floats, int]:
    """m_k(x) + 1{received k}/p_k(x) · w (Y − m_k(x)) for each strategy, m_A(x) + w (Y − m_A(x)) for the one received, and how many p
    were truncated. Y = min(T, horizon), w the inverse probability of having been followed so long."""
    places = np.flatnonzero(judged)
    inside = inside.rows(judged[inside.received])
    until = np.minimum(there.time, horizon)
    free = uncensored_before(inside.time, inside.event, until)
    known = there.event | (there.time >= horizon)
    if inside.time.max() < horizon or (free[known] <= 0).any():
        raise ValueError("nobody elsewhere was followed up to the horizon")
    weight = np.divide(known, free, out=np.zeros(until.size), where=free > 0)
    center, scale = inside.confounders.mean(axis=0), inside.confounders.std(axis=0)
    kept = scale > 1e-12
    x, z = ((part.confounders[:, kept] - center[kept]) / scale[kept] for part in (inside, there))
    means = _restricted_means(x, inside, z, places, horizon)
    chance = chances(x, np.searchsorted(places, inside.received), z, places.size)
    own = np.searchsorted(places, there.received)
    counted = judged[there.received]
    model = means[np.arange(own.size), np.minimum(own, places.size - 1)]
    p = chance[np.arange(own.size), np.minimum(own, places.size - 1)]
    outcomes = np.full((until.size, judged.size), np.nan)
    outcomes[:, places] = means
    rows = np.flatnonzero(counted)
    outcomes[rows, there.received[rows]] += (weight * (until - model) / np.maximum(p, TRUNCATED))[rows]
    plain = np.where(counted, model, means.mean(axis=1))
    return outcomes, plain + weight * (until - plain), int((counted & (p < TRUNCATED)).sum())


def _restricted_means(x: Floats, inside: Treated, z: Floats, places: Ints, horizon: float) -> Floats:
    """The area under each row's curve up to the horizon under each strategy, by a Cox model of other rows: (rows, strategies)."""
    dummies = np.asarray(inside.received[:, None] == places[1:], dtype=np.float64)
    fit = cox(np.column_stack((dummies, x)), inside.time, inside.event)
    if fit.warnings:
        raise ValueError("the outcome model has no maximum")
    effect = np.concatenate(([0.0], fit.coef[: places.size - 1]))
    covered = fit.coef[places.size - 1 :]
    days, jumps = _baseline(inside.time, inside.event, dummies @ effect[1:] + x @ covered)
    before = days < horizon
    steps = np.diff(np.concatenate(([0.0], days[before], [horizon])))
    hazard = np.concatenate(([0.0], np.cumsum(jumps[before])))
    found = [np.exp(-np.exp(z @ covered + each)[:, None] * hazard) @ steps for each in effect]
    return np.column_stack(found)


def _baseline(time: Floats, event: Bools, predictor: Floats) -> tuple[Floats, Floats]:
    """Breslow's baseline hazard: days of events and the jump at each."""
    days, deaths = np.unique(time[event], return_counts=True)
    order = np.argsort(time, kind="stable")
    later = np.append(np.cumsum(np.exp(predictor[order])[::-1])[::-1], 0.0)
    return days, deaths / later[np.searchsorted(time[order], days, side="left")]


def chances(x: Floats, received: Ints, z: Floats, strategies: int) -> Floats:
    """P(strategy | z) by a multinomial logistic model of x, a ridge of 1 on all but the intercepts: (rows of z, strategies)."""
    design, wanted = (np.column_stack((np.ones(len(part)), part)) for part in (x, z))
    beta = np.zeros((design.shape[1], strategies))
    slope = (np.arange(design.shape[1]) > 0).astype(np.float64)
    penalty = np.tile(_RIDGE * slope[:, None], (1, strategies))
    level = np.kron(np.ones((strategies, strategies)), np.diag(1 - slope))  # all intercepts may rise together: hold their sum at 0
    target = np.asarray(received[:, None] == np.arange(strategies), dtype=np.float64)
    for _ in range(_MOST_STEPS):
        p = _softmax(design @ beta)
        gradient = design.T @ (target - p) - penalty * beta
        curvature = _curvature(design, p) + np.diag(penalty.T.ravel()) + level
        step = np.linalg.solve(curvature, gradient.T.ravel()).reshape(strategies, -1).T
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return _softmax(wanted @ beta)
    raise ValueError("the propensity model does not converge: the covariates tell the groups apart completely")


def _curvature(design: Floats, p: Floats) -> Floats:
    """Minus the second derivative of the log likelihood, blocks by strategy."""
    blocks = [[design.T @ (design * (p[:, a] * ((a == b) - p[:, b]))[:, None]) for b in range(p.shape[1])] for a in range(p.shape[1])]
    return np.asarray(np.block(blocks))


def _softmax(odds: Floats) -> Floats:
    shares = np.exp(odds - odds.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def _mean(values: Floats, center: Ints) -> Estimate:
    """The mean of patients with limits by centers."""
    estimate = float(values.mean())
    _names, own = np.unique(center, return_inverse=True)
    sums = np.bincount(own, values - estimate)
    error = float(np.sqrt(sums @ sums * sums.size / (sums.size - 1)) / values.size)
    spread = float(student.ppf(0.975, sums.size - 1)) * error
    return Estimate(estimate, estimate - spread, estimate + spread)


def _permuted(outcomes: Floats, data: Treated, value: float, seed: int) -> float:
    """Recommendations dealt anew among the patients of each center: how often chance is worth as much."""
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(data.center == center) for center in np.unique(data.center)]
    as_much = 0
    for _ in range(PERMUTATIONS):
        dealt = data.recommended.copy()
        for member in members:
            dealt[member] = random.permutation(data.recommended[member])
        as_much += bool(outcomes[np.arange(dealt.size), dealt].mean() >= value - 1e-12)
    return (1 + as_much) / (1 + PERMUTATIONS)
