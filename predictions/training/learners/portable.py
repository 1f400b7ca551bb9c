"""Fitted models as plain numbers: written as JSON, loaded without executing anything, predicting to the last bit the same.

An artefact names the kind of each part; a kind that is not in KINDS is refused, so no foreign class can be built (MD-04).
Sums run over features and trees one by one: a patient alone and the same patient in a batch give the same bits (PR-04). Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from accounts.canonical import number
from predictions.training.measures.intervals import Floats, Ints


class PartRefused(ValueError):
    """A part of an artefact is of no known kind, or is not whole; the text says which."""


class Portable(Protocol):
    """A fitted model of prepared features (n, p): a probability or a risk, (n,)."""

    def predict(self, x: Floats) -> Floats: ...

    def as_json(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Linear:
    """intercept + Σ coefficient · feature; `logistic` makes it a probability."""

    coefficients: Floats
    intercept: float
    logistic: bool

    def predict(self, x: Floats) -> Floats:
        return _linked(_weighted(x, self.coefficients, self.intercept), self.logistic)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": "linear",
            "coefficients": texts(self.coefficients),
            "intercept": number(self.intercept),
            "logistic": self.logistic,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Linear":
        return cls(floats(value["coefficients"]), float(value["intercept"]), bool(value["logistic"]))


@dataclass(frozen=True)
class Tree:
    """A binary tree: at a node go left where the feature, as a 32-bit float, is ≤ threshold; `feature` −1 is a leaf."""

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats

    def predict(self, x: Floats) -> Floats:
        single = x.astype(np.float32)
        node = np.zeros(len(x), dtype=np.int64)
        rows = np.arange(len(x))
        while (inner := self.feature[node] >= 0).any():
            left = single[rows, np.maximum(self.feature[node], 0)] <= self.threshold[node]
            node = np.where(inner, np.where(left, self.left[node], self.right[node]), node)
        return np.asarray(self.value[node])

    def as_json(self) -> dict[str, Any]:
        places = {name: [int(each) for each in getattr(self, name)] for name in ("feature", "left", "right")}
        return {"kind": "tree", **places, "threshold": texts(self.threshold), "value": texts(self.value)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Tree":
        feature, left, right = (np.array(value[name], dtype=np.int64) for name in ("feature", "left", "right"))
        tree = cls(feature, floats(value["threshold"]), left, right, floats(value["value"]))
        nodes = np.arange(len(feature))
        inner = feature >= 0
        if len({len(part) for part in (feature, left, right, tree.threshold, tree.value)}) != 1 or not len(feature):
            raise PartRefused("a tree is not whole")
        if (inner & ((left <= nodes) | (right <= nodes) | (left >= len(nodes)) | (right >= len(nodes)))).any():
            raise PartRefused("a tree runs in a circle or out of itself")
        return tree


@dataclass(frozen=True)
class Ensemble:
    """start + Σ weight · member; `logistic` makes it a probability."""

    members: tuple[Portable, ...]
    weights: Floats
    start: float
    logistic: bool

    def predict(self, x: Floats) -> Floats:
        total = np.full(len(x), self.start)
        for member, weight in zip(self.members, self.weights, strict=True):
            total = total + weight * member.predict(x)
        return _linked(total, self.logistic)

    def as_json(self) -> dict[str, Any]:
        members = [member.as_json() for member in self.members]
        return {
            "kind": "ensemble",
            "members": members,
            "weights": texts(self.weights),
            "start": number(self.start),
            "logistic": self.logistic,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Ensemble":
        members = tuple(part(each) for each in value["members"])
        return cls(members, floats(value["weights"]), float(value["start"]), bool(value["logistic"]))


@dataclass(frozen=True)
class Rotated:
    """A member of a rotation forest: features minus `center`, times `rotation` (p, q), into a tree."""

    center: Floats
    rotation: Floats
    tree: Portable

    def predict(self, x: Floats) -> Floats:
        turned = np.zeros((len(x), self.rotation.shape[1]))
        for place in range(x.shape[1]):
            turned = turned + (x[:, place] - self.center[place])[:, None] * self.rotation[place]
        return self.tree.predict(turned)

    def as_json(self) -> dict[str, Any]:
        rotation = [texts(row) for row in self.rotation]
        return {"kind": "rotated", "center": texts(self.center), "rotation": rotation, "tree": self.tree.as_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Rotated":
        return cls(floats(value["center"]), np.array([floats(row) for row in value["rotation"]]), part(value["tree"]))


@dataclass(frozen=True)
class Stacked:
    """Members whose answers are the features of `above`."""

    members: tuple[Portable, ...]
    above: Portable

    def predict(self, x: Floats) -> Floats:
        return self.above.predict(np.column_stack([member.predict(x) for member in self.members]))

    def as_json(self) -> dict[str, Any]:
        return {"kind": "stacked", "members": [member.as_json() for member in self.members], "above": self.above.as_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Stacked":
        return cls(tuple(part(each) for each in value["members"]), part(value["above"]))


KINDS: dict[str, Any] = {"linear": Linear, "tree": Tree, "ensemble": Ensemble, "rotated": Rotated, "stacked": Stacked}


def part(value: Any) -> Portable:
    """Read one part. Raises PartRefused for a kind that is not known or a part that is not whole."""
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise PartRefused(f"{kind!r} is no kind of part of a model: {', '.join(KINDS)} are")
    try:
        found: Portable = KINDS[kind].from_json(value)
    except (KeyError, TypeError, AttributeError, ValueError) as fault:
        if isinstance(fault, PartRefused):
            raise
        raise PartRefused(f"a part of kind {kind} is not whole: {fault!r}") from None
    return found


def texts(values: Floats) -> list[str]:
    """Floats as canonical bytes write them."""
    return [number(value) for value in values]


def floats(values: list[str]) -> Floats:
    """Floats from their texts."""
    return np.array([float(value) for value in values], dtype=np.float64)


def logistic(score: Floats) -> Floats:
    """1 / (1 + exp(−score)), without overflow."""
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1 / (1 + small), small / (1 + small))


def _linked(score: Floats, through_logistic: bool) -> Floats:
    return logistic(score) if through_logistic else score


def _weighted(x: Floats, coefficients: Floats, start: float) -> Floats:
    total = np.full(len(x), start)
    for place in np.flatnonzero(coefficients):
        total = total + coefficients[place] * x[:, place]
    return total
