"""A strategy model as canonical JSON: loadable without executing anything, and its predictions, exact to the last bit.

Prediction sums with `math.fsum` over plain floats, so that the same bytes and the same inputs give the same numbers alone,
in a batch, today and at the replay years later (PR-04, MD-07). Pure.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from accounts.canonical import canonical, number
from predictions.decision import INTENSITY, STEPS
from predictions.payload import HORIZONS, Estimate

KIND = "prime strategy model"
LEAST_PROPENSITY = 0.05  # PR-05: below it an estimate is extrapolated
LEVEL = (0.025, 0.975)
BEYOND = 1.25  # an input this many times farther out than any training row is one the model knows nothing of


class ArtefactRefused(ValueError):
    """These bytes are no strategy model of a known version; the text says why."""


@dataclass(frozen=True)
class Terms:
    """One fit: sparse coefficients by place in the design, and the baseline cumulative hazard at each of HORIZONS, either one for
    all strategies or one after the other for each of INTENSITY."""

    coefficients: Mapping[int, float]
    hazard: tuple[float, ...]


@dataclass(frozen=True)
class StrategyModel:
    """The registered rule: inputs in order, frozen preparation, the fit, its bootstrap fits, the propensity and the margin.

    `farthest` is, for each input, the largest distance from its mean in the training rows, in SDs.
    """

    tier: str
    landmark: int
    margin: float
    inputs: tuple[str, ...]
    median: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    fit: Terms
    bootstrap: tuple[Terms, ...]
    propensity: tuple[tuple[float, ...], ...]
    farthest: tuple[float, ...]


@dataclass(frozen=True)
class Answer:
    """What a model says of one patient, in the order of INTENSITY and STEPS; `distance` is the out-of-distribution score:
    the farthest input, as a multiple of the farthest training row (1: as far as any)."""

    estimates: tuple[Estimate, ...]
    gains: tuple[float, ...]
    distance: float
    out_of_distribution: bool


def answer(model: StrategyModel, features: Mapping[str, float | None]) -> Answer:
    """Estimate every strategy for one patient; a feature that is None or absent takes the frozen median."""
    z = _prepared(model, features)
    survival = _survival(model.fit, z)
    drawn = [_survival(terms, z) for terms in model.bootstrap]
    supported = _propensity(model, z)
    estimates = tuple(_estimate(survival[k], [each[k] for each in drawn], supported[k]) for k in range(len(INTENSITY)))
    distance = max(abs(value) / limit for value, limit in zip(z, model.farthest, strict=True))
    return Answer(estimates, tuple(_gain(drawn, more, less) for more, less in STEPS), distance, distance > BEYOND)


def dump(model: StrategyModel) -> bytes:
    """The canonical bytes; their SHA-256 is the model's identity."""
    return canonical(
        {
            "kind": KIND,
            "v": 1,
            "tier": model.tier,
            "landmark": model.landmark,
            "margin": number(model.margin),
            "inputs": list(model.inputs),
            "median": _texts(model.median),
            "mean": _texts(model.mean),
            "sd": _texts(model.sd),
            "fit": _terms_json(model.fit),
            "bootstrap": [_terms_json(terms) for terms in model.bootstrap],
            "propensity": [_texts(row) for row in model.propensity],
            "farthest": _texts(model.farthest),
        }
    )


def load(data: bytes) -> StrategyModel:
    """Read an artefact. Raises ArtefactRefused for anything but the canonical bytes of one."""
    try:
        value = json.loads(data)
        if value["kind"] != KIND or value["v"] != 1:
            raise ArtefactRefused("this is no strategy model of version 1")
        model = _model(value)
    except ArtefactRefused:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtefactRefused(f"this is no strategy model: {error!r}") from None
    if dump(model) != data:
        raise ArtefactRefused("the artefact is not written canonically")
    return model


def _model(value: dict[str, Any]) -> StrategyModel:
    return StrategyModel(
        value["tier"],
        value["landmark"],
        float(value["margin"]),
        tuple(value["inputs"]),
        _floats(value["median"]),
        _floats(value["mean"]),
        _floats(value["sd"]),
        _terms(value["fit"]),
        tuple(_terms(each) for each in value["bootstrap"]),
        tuple(_floats(row) for row in value["propensity"]),
        _floats(value["farthest"]),
    )


def _prepared(model: StrategyModel, features: Mapping[str, float | None]) -> list[float]:
    z = []
    for name, median, mean, sd in zip(model.inputs, model.median, model.mean, model.sd, strict=True):
        given = features.get(name)
        value = median if given is None or math.isnan(given) else float(given)
        z.append((value - mean) / sd)
    return z


def _survival(terms: Terms, z: Sequence[float]) -> list[tuple[float, ...]]:
    """S_k at HORIZONS for every strategy of INTENSITY, from the layout of `slearner.design`."""
    p, treated = len(z), len(INTENSITY) - 1
    shared = [value * z[place] for place, value in terms.coefficients.items() if place < p]
    curves = []
    for k in range(len(INTENSITY)):
        own = []
        if k:  # INTENSITY[0] is surgery alone, which has no terms of its own
            main, start = p + k - 1, p + treated + (k - 1) * p
            own = [terms.coefficients.get(main, 0.0)]
            own += [value * z[place - start] for place, value in terms.coefficients.items() if start <= place < start + p]
        risk = math.exp(math.fsum(shared + own))
        start = k * len(HORIZONS) if len(terms.hazard) > len(HORIZONS) else 0
        curves.append(tuple(math.exp(-hazard * risk) for hazard in terms.hazard[start : start + len(HORIZONS)]))
    return curves


def _estimate(survival: tuple[float, ...], drawn: list[tuple[float, ...]], propensity: float) -> Estimate:
    lower, upper = (tuple(_quantile([each[t] for each in drawn], q) for t in range(len(HORIZONS))) for q in LEVEL)
    return Estimate(
        survival,
        tuple(min(low, value) for low, value in zip(lower, survival, strict=True)),
        tuple(max(high, value) for high, value in zip(upper, survival, strict=True)),
        propensity,
        extrapolated=propensity < LEAST_PROPENSITY,
    )


def _gain(drawn: list[list[tuple[float, ...]]], more: Any, less: Any) -> float:
    """The lower bound of S_more − S_less at the last horizon (PR-02)."""
    one, other = INTENSITY.index(more), INTENSITY.index(less)
    return _quantile([each[one][-1] - each[other][-1] for each in drawn], LEVEL[0])


def _quantile(values: list[float], q: float) -> float:
    """Linear interpolation between order statistics (Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _propensity(model: StrategyModel, z: Sequence[float]) -> list[float]:
    """p(k | x) by the training's multinomial logistic model: rows of intercept and coefficients, softmax."""
    scores = [row[0] + math.fsum(weight * value for weight, value in zip(row[1:], z, strict=True)) for row in model.propensity]
    highest = max(scores)
    weights = [math.exp(score - highest) for score in scores]
    return [weight / math.fsum(weights) for weight in weights]


def _terms_json(terms: Terms) -> dict[str, Any]:
    return {
        "places": list(terms.coefficients),
        "values": _texts(tuple(terms.coefficients.values())),
        "hazard": _texts(terms.hazard),
    }


def _terms(value: dict[str, Any]) -> Terms:
    places = value["places"]
    if any(one >= other for one, other in pairwise(places)):
        raise ArtefactRefused("the coefficients are not in order")
    hazard = _floats(value["hazard"])
    if len(hazard) not in {len(HORIZONS), len(HORIZONS) * len(INTENSITY)}:
        raise ArtefactRefused("a hazard stands for every horizon, once or for each strategy")
    return Terms(dict(zip(places, _floats(value["values"]), strict=True)), hazard)


def _texts(values: Sequence[float]) -> list[str]:
    return [number(value) for value in values]


def _floats(values: Sequence[str]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
