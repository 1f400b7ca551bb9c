"""A PRIME model as canonical JSON: frozen preparation, branches, fusion, cut and baseline; loaded without executing anything.

The bytes are canonical, so their SHA-256 is also the hash over sorted arrays and parameters: two runs with one seed agree. A
file whose bytes do not have the stated hash is refused before any of it is read (MD-04). Pure.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from accounts.canonical import canonical, number
from predictions.training.learners import portable
from predictions.training.learners.portable import PartRefused, Portable, floats, texts
from predictions.training.measures.intervals import Floats
from predictions.training.preparation import Preparation
from predictions.training.prime import pipeline

KINDS = {"prime-r": "prime response model", "prime-s": "prime survival model"}


class ModelRefused(ValueError):
    """These bytes are no PRIME model, or not the one that was registered; the text says why."""


@dataclass(frozen=True)
class PrimeModel:
    """`parts`: (name, preparation, predictor) of each branch in order; the rest as in `pipeline`. `cut` to `hazard` are of PRIME-S."""

    kind: str
    landmark: int
    parts: tuple[tuple[str, Preparation, Portable], ...]
    fused: Portable
    cut: float = 0.0
    slope: float = 0.0
    days: Floats | None = None
    hazard: Floats | None = None

    def predict(self, features: Mapping[str, float | None]) -> float:
        """The probability or the fused risk of one patient; a feature that is None or absent takes the frozen median."""
        answers = []
        for _, prepared, predictor in self.parts:
            row = np.array([[_value(features.get(name)) for name in prepared.features]], dtype=np.float64).reshape(1, -1)
            answers.append(predictor.predict(prepared.apply(prepared.features, row)))
        return float(self.fused.predict(np.column_stack(answers))[0])

    def survival(self, risk: float, days: Floats) -> Floats:
        """S at `days` from the landmark of a fused risk (PRIME-S)."""
        if self.days is None or self.hazard is None:
            raise TypeError("a response model has no survival")
        steps = np.concatenate([[0.0], self.hazard])[np.searchsorted(self.days, days, side="right")]
        return np.asarray(np.exp(-steps * np.exp(self.slope * risk)))


def of(fitted: pipeline.Fitted, *, landmark: int) -> PrimeModel:
    """A fitted pipeline as the model that is kept."""
    parts = tuple((name, each.inputs, each.predictor) for name, each in fitted.branches.items())
    if isinstance(fitted, pipeline.FittedResponse):
        return PrimeModel(KINDS["prime-r"], 0, parts, fitted.fused)
    weights, sd, mean = fitted.fused.weights, fitted.fused.sd, fitted.fused.mean
    fused = portable.Linear(weights / sd, -float((weights * mean / sd).sum()), logistic=False)
    return PrimeModel(KINDS["prime-s"], landmark, parts, fused, fitted.cut, fitted.slope, fitted.days, fitted.hazard)


def dump(model: PrimeModel) -> bytes:
    """The canonical bytes."""
    value = {
        "kind": model.kind,
        "v": 1,
        "landmark": model.landmark,
        "parts": [{"name": name, **_prepared_json(prepared), "predictor": each.as_json()} for name, prepared, each in model.parts],
        "fused": model.fused.as_json(),
    }
    if model.days is not None and model.hazard is not None:
        rest = {"cut": number(model.cut), "slope": number(model.slope), "days": texts(model.days), "hazard": texts(model.hazard)}
        value["survival"] = rest
    return canonical(value)


def load(data: bytes, *, sha256: str) -> PrimeModel:
    """Read a model. Raises ModelRefused: for other bytes than those of the stated hash before anything of them is read."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelRefused("the bytes are not those that were registered: their SHA-256 is another")
    try:
        model = _model(json.loads(data))
    except (PartRefused, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ModelRefused(f"this is no PRIME model: {fault}") from None
    if dump(model) != data:
        raise ModelRefused("the model is not written canonically")
    return model


def _model(value: dict[str, Any]) -> PrimeModel:
    if value["kind"] not in KINDS.values() or value["v"] != 1:
        raise ModelRefused(f"{value['kind']!r} is no PRIME model of version 1")
    parts = tuple((each["name"], _preparation(each), portable.part(each["predictor"])) for each in value["parts"])
    fused = portable.part(value["fused"])
    if "survival" not in value:
        return PrimeModel(value["kind"], value["landmark"], parts, fused)
    rest = value["survival"]
    cut, slope = float(rest["cut"]), float(rest["slope"])
    return PrimeModel(value["kind"], value["landmark"], parts, fused, cut, slope, floats(rest["days"]), floats(rest["hazard"]))


def _prepared_json(prepared: Preparation) -> dict[str, Any]:
    numbers = {name: [number(value) for value in getattr(prepared, name)] for name in ("median", "mean", "sd")}
    return {"features": list(prepared.features), **numbers}


def _preparation(value: Mapping[str, Any]) -> Preparation:
    median, mean, sd = (tuple(float(each) for each in value[name]) for name in ("median", "mean", "sd"))
    if len({len(value["features"]), len(median), len(mean), len(sd)}) != 1 or any(each <= 0 for each in sd):
        raise ModelRefused("a preparation is not whole")
    return Preparation(tuple(value["features"]), median, mean, sd)


def _value(given: float | None) -> float:
    return float("nan") if given is None else float(given)
