"""One branch of a fused model: preparation, selection and learner of one set of features, each fitted on training rows alone.

The search compares the learners at their defaults by their out-of-fold answers, then tunes the best one over its grid. Every
fold of the search prepares and selects for itself. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.training import preparation
from predictions.training.folds import labels
from predictions.training.learners.portable import Portable
from predictions.training.learners.survivors import SignRefused
from predictions.training.measures.intervals import Floats, Ints
from predictions.training.preparation import Preparation
from predictions.training.prime.preset import Preset
from predictions.training.prime.targets import Target


@dataclass(frozen=True)
class Learnt:
    """What was learnt of one set of features: by each fold of the search without its rows, and from all rows given."""

    fold: Ints
    without: tuple[Preparation, ...]
    whole: Preparation

    def beside(self, other: "Learnt") -> "Learnt":
        """Two sets of features as one; the folds are the same."""
        pairs = zip(self.without, other.without, strict=True)
        return Learnt(self.fold, tuple(one.beside(two) for one, two in pairs), self.whole.beside(other.whole))


@dataclass(frozen=True)
class Branch:
    """A fitted branch, and the answers (n,) that it gave for training rows it had not seen."""

    inputs: Preparation
    predictor: Portable
    kind: str
    parameters: Mapping[str, Any]
    out_of_fold: Floats
    score: float
    compared: tuple[tuple[str, Mapping[str, Any], float], ...]

    def predict(self, features: Sequence[str], x: Floats) -> Floats:
        """A probability or a risk (n,) of rows of named features."""
        return self.predictor.predict(self.inputs.apply(tuple(features), x))


def learn(features: tuple[str, ...], x: Floats, target: Target, *, preset: Preset, seed: int) -> Learnt:
    """Prepare and select one set of features, for each fold of the search and for all rows."""
    fold = labels(target.stratum, folds=preset.inner_folds, seed=seed)
    parts = [np.flatnonzero(fold != each) for each in range(preset.inner_folds)]
    without = tuple(inputs(features, x[rows], target.rows(rows), preset=preset, seed=seed) for rows in parts)
    return Learnt(fold, without, inputs(features, x, target, preset=preset, seed=seed))


def inputs(features: tuple[str, ...], x: Floats, target: Target, *, preset: Preset, seed: int) -> Preparation:
    """Preparation and selection from these rows alone."""
    settings = target.settings(preset)
    try:
        prepared = preparation.fit(features, x, most_missing=preset.most_missing, least_variance=settings.least_variance)
    except ValueError:
        return preparation.NOTHING
    clinical = all(name.startswith("clinical_") for name in features)
    return prepared.some(target.select(prepared.apply(features, x), settings.selection, clinical=clinical, seed=seed))


def fit(features: tuple[str, ...], x: Floats, target: Target, learnt: Learnt, *, preset: Preset, seed: int) -> Branch:
    """Search among the learners, then fit the winner to all rows given."""
    search = _Search(features, x, target, learnt, seed)
    candidates = target.settings(preset).candidates
    for candidate in candidates:
        search.attempt(candidate.kind, candidate.default())
    leader = candidates[search.best()]
    for parameters in leader.settings()[1:]:
        search.attempt(leader.kind, parameters)
    best = search.best()
    kind, chosen, score = search.compared[best]
    predictor = target.fit(kind, learnt.whole.apply(features, x), chosen, seed=seed)
    return Branch(learnt.whole, predictor, kind, chosen, search.answers[best], score, tuple(search.compared))


class _Search:
    """Learners and settings tried so far, with their out-of-fold answers and scores."""

    def __init__(self, features: tuple[str, ...], x: Floats, target: Target, learnt: Learnt, seed: int) -> None:
        self.target, self.fold, self.seed = target, learnt.fold, seed
        self.compared: list[tuple[str, Mapping[str, Any], float]] = []
        self.answers: list[Floats] = []
        self.parts = []
        for each, prepared in enumerate(learnt.without):
            inside, outside = np.flatnonzero(learnt.fold != each), np.flatnonzero(learnt.fold == each)
            self.parts.append((inside, outside, prepared.apply(features, x[inside]), prepared.apply(features, x[outside])))

    def attempt(self, kind: str, parameters: Mapping[str, Any]) -> None:
        """Fit without each fold, ask it; a learner whose sign is refused loses to every other."""
        answers, score = np.zeros(len(self.fold)), float("-inf")
        try:
            for inside, outside, z, held_out in self.parts:
                answers[outside] = self.target.rows(inside).fit(kind, z, parameters, seed=self.seed).predict(held_out)
            score = self.target.score(answers, self.fold)
        except SignRefused:
            pass
        self.compared.append((kind, parameters, score))
        self.answers.append(answers)

    def best(self) -> int:
        """The best place so far; among equals the first."""
        return int(np.argmax([round(score, 9) if score > float("-inf") else score for _, _, score in self.compared]))
