"""Training one strategy model: refuse what cannot be estimated, fit, bootstrap, validate by held-out center, report.

Every fitted step (imputation, scaling, penalty, coefficients, baseline hazard) lives inside the training part of each fold
(MD-03). The report never mixes apparent and held-out figures.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from predictions.decision import INTENSITY
from predictions.payload import HORIZONS
from predictions.training import artefact, preparation, slearner
from predictions.training.slearner import Fit, Learner
from predictions.training.table import Floats, TrainingTable

MONTH = 30.4375  # days
LEAST_EVENTS = 10
REPLICATES = 100
SMALLEST = 1e-10
ByCenter = dict[str, dict[str, Any]]


class TrainingRefused(Exception):
    """The data cannot answer the question; the text says for which strategies and why, `counts` what it rests on."""

    def __init__(self, said: str, counts: dict[str, Any] | None = None) -> None:
        super().__init__(said)
        self.counts = counts or {}


@dataclass(frozen=True)
class Trained:
    """The artefact's bytes and the report beside it."""

    artefact: bytes
    report: dict[str, Any]


def check(table: TrainingTable) -> None:
    """Raise TrainingRefused where a strategy has fewer than 10 events after the landmark, or fewer than three centers are there."""
    arms = arms_of(table)
    if thin := [name for name, arm in arms.items() if arm["events"] < LEAST_EVENTS]:
        said = ", ".join(f"{name} {arms[name]['n']} patients with {arms[name]['events']} events" for name in thin)
        sentence = f"{len(thin)} of 4 strategies cannot be estimated ({said}); each needs {LEAST_EVENTS} events"
        raise TrainingRefused(sentence, {"arms": arms, "notes": [f"before the landmark: {_given(table)}"]})
    if len(np.unique(table.center)) < 3:
        raise TrainingRefused("fewer than three centers: nothing can be held out while the penalty is chosen by centers")


def train(
    table: TrainingTable,
    *,
    tier: str,
    landmark: int,
    margin: float,
    seed: int,
    replicates: int = REPLICATES,
    learn: Learner = slearner.fit,
    by_center: ByCenter | None = None,
) -> Trained:
    """Train on a table. `by_center`: C at held-out centers, where it was found already. Raises TrainingRefused as `check` does."""
    check(table)
    alpha = slearner.choose_alpha(table, landmark=landmark, learn=learn)
    [fitted] = learn(table, landmark=landmark, alpha=alpha)
    draws = bootstrap(table, alpha=alpha, landmark=landmark, seed=seed, replicates=replicates, learn=learn)
    model = assemble(table, fitted, draws, tier=tier, landmark=landmark, margin=margin)
    report = {
        "n": table.n,
        "landmark": landmark,
        "seed": seed,
        "missing": missing(table),
        "candidates": len(table.features),
        "centers": {str(center): int((table.center == center).sum()) for center in np.unique(table.center)},
        "events": int(table.event.sum()),
        "dropped_before_landmark": table.dropped_before_landmark,
        "arms": arms_of(table),
        "alpha": alpha,
        "selected_features": selected(fitted),
        "apparent": {"c_index": {"estimate": slearner.concordance(fitted, table), "lower": None, "upper": None}},
        **held_out(concordances(table, landmark=landmark, learn=learn) if by_center is None else by_center, seed=seed),
        "warnings": [],
    }
    return Trained(artefact.dump(model), report)


def missing(table: TrainingTable) -> dict[str, float]:
    """The share of rows in which a feature is missing, where any is."""
    share = np.isnan(table.x).mean(axis=0)
    return {name: float(value) for name, value in zip(table.features, share, strict=True) if value > 0}


def _given(table: TrainingTable) -> str:
    return ", ".join(f"{name} {count}" for name, count in table.given)


def arms_of(table: TrainingTable) -> dict[str, dict[str, int]]:
    """Patients and events of each strategy after the landmark."""
    arms = {}
    for strategy in INTENSITY:
        arm = table.strategy == strategy
        arms[str(strategy)] = {"n": int(arm.sum()), "events": int(table.event[arm].sum())}
    return arms


def bootstrap(table: TrainingTable, *, alpha: float, landmark: int, seed: int, replicates: int, learn: Learner = slearner.fit) -> list[Fit]:
    """Refits at the chosen penalty on patients drawn with replacement within center and strategy, preparation included."""
    random = np.random.default_rng(seed)
    cells = [np.flatnonzero((table.center == c) & (table.strategy == s)) for c in np.unique(table.center) for s in INTENSITY]
    fits = []
    for _ in range(replicates):
        drawn = np.concatenate([random.choice(cell, len(cell)) for cell in cells if len(cell)])
        fits += learn(table.rows(drawn), landmark=landmark, alpha=alpha)
    return fits


def concordances(table: TrainingTable, *, landmark: int, learn: Learner = slearner.fit) -> ByCenter:
    """C at each center with two events by a model that never saw it, its penalty chosen without it too."""
    found = {}
    for center in np.unique(table.center):
        inside, outside = table.rows(table.center != center), table.rows(table.center == center)
        if outside.event.sum() < 2:
            continue
        [fitted] = learn(inside, landmark=landmark, alpha=slearner.choose_alpha(inside, landmark=landmark, learn=learn))
        said = {"n": outside.n, "events": int(outside.event.sum()), "c_index": slearner.concordance(fitted, outside)}
        found[str(center)] = said
    return found


def held_out(by_center: ByCenter, *, seed: int) -> dict[str, Any]:
    """`by_center`, and their mean weighted by events as `held_out`, with a percentile bootstrap over centers."""
    values = np.array([each["c_index"] for each in by_center.values()])
    weights = np.array([each["events"] for each in by_center.values()], dtype=np.float64)
    draws = np.random.default_rng(seed).integers(0, len(values), (2000, len(values)))
    means = (values * weights)[draws].sum(axis=1) / weights[draws].sum(axis=1)
    lower, upper = np.quantile(means, artefact.LEVEL)
    estimate = float(np.average(values, weights=weights))
    return {"held_out": {"c_index": {"estimate": estimate, "lower": float(lower), "upper": float(upper)}}, "by_center": by_center}


def selected(fitted: Fit) -> list[str]:
    """The features with any term that is not zero."""
    p = len(fitted.prepared.features)
    kept = np.abs(fitted.coefficients) > SMALLEST
    return [name for place, name in enumerate(fitted.prepared.features) if kept[place] or kept[p + 3 + place :: p].any()]


def assemble(table: TrainingTable, fitted: Fit, draws: list[Fit], *, tier: str, landmark: int, margin: float) -> artefact.StrategyModel:
    """The model as it is registered. Bootstrap fits are rewritten to the scale of the main preparation."""
    prepared = fitted.prepared
    z = prepared.apply(table.features, table.x)
    farthest = tuple(map(float, np.abs(z).max(axis=0)))
    return artefact.StrategyModel(
        tier,
        landmark,
        margin,
        prepared.features,
        prepared.median,
        prepared.mean,
        prepared.sd,
        _terms(fitted, prepared, landmark),
        tuple(_terms(each, prepared, landmark) for each in draws),
        propensity(z, table.strategy),
        farthest,
    )


def propensity(z: Floats, strategy: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """Multinomial logistic p(k | x): intercept and coefficients per strategy, in the order of INTENSITY."""
    places = np.array([INTENSITY.index(each) for each in strategy])
    model = LogisticRegression(C=1.0, max_iter=5000).fit(z, places)
    rows = np.column_stack([model.intercept_, model.coef_])
    return tuple(tuple(map(float, row)) for row in rows)


def _terms(fitted: Fit, onto: preparation.Preparation, landmark: int) -> artefact.Terms:
    """A fit in the scale of `onto`: β'z' = Σ β_j (sd/sd_j) z_j + β_j (mean − mean_j)/sd_j, shifts folded into hazard and indicators."""
    own, p = fitted.prepared, len(onto.features)
    width = len(own.features)
    start = width + len(slearner.TREATED)
    blocks = [fitted.coefficients[:width], *fitted.coefficients[start:].reshape(len(slearner.TREATED), width)]
    rescaled, shifts = zip(*(_rescale(block, own, onto) for block in blocks), strict=True)
    marks = fitted.coefficients[width:start] + np.array(shifts[1:])
    values = np.concatenate([rescaled[0], marks, *rescaled[1:]])
    coefficients = {place: float(value) for place, value in enumerate(values) if abs(value) > SMALLEST}
    days = np.array(HORIZONS) * MONTH - landmark
    hazard = (fitted.hazards_at(days).ravel() if fitted.arms else fitted.hazard_at(days)) * np.exp(shifts[0])
    if len(values) != p + len(slearner.TREATED) * (p + 1):
        raise AssertionError("the design has another width")
    return artefact.Terms(coefficients, tuple(map(float, hazard)))


def _rescale(block: Floats, own: preparation.Preparation, onto: preparation.Preparation) -> tuple[Floats, float]:
    """Coefficients of one block for features prepared by `onto`, and the constant that is left over.

    A feature that did not vary in a bootstrap sample has no coefficient there.
    """
    places = {name: place for place, name in enumerate(own.features)}
    rescaled, shift = np.zeros(len(onto.features)), 0.0
    for target, name in enumerate(onto.features):
        if name in places:
            place = places[name]
            rescaled[target] = block[place] * onto.sd[target] / own.sd[place]
            shift += block[place] * (onto.mean[target] - own.mean[place]) / own.sd[place]
    return rescaled, float(shift)
