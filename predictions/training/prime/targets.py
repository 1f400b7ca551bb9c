"""The two endpoints behind one interface: how rows are split, selected, learnt and judged for each. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from predictions.training.learners import classifiers, survivors
from predictions.training.learners.portable import Portable
from predictions.training.measures import delong
from predictions.training.measures.intervals import Bools, Floats, Ints
from predictions.training.measures.resampled import Followed, concordance
from predictions.training.prime import selection
from predictions.training.prime.preset import Preset, Settings


class Target(Protocol):
    """What a pipeline asks of an endpoint."""

    @property
    def stratum(self) -> Bools: ...

    def rows(self, keep: Ints) -> "Target": ...

    def settings(self, preset: Preset) -> Settings: ...

    def select(self, z: Floats, rules: Mapping[str, Any], *, clinical: bool, seed: int) -> Ints: ...

    def fit(self, kind: str, z: Floats, parameters: Mapping[str, Any], *, seed: int) -> Portable: ...

    def score(self, prediction: Floats, fold: Ints) -> float: ...


@dataclass(frozen=True)
class Response:
    """Objective response (n,) at three months."""

    event: Bools

    @property
    def stratum(self) -> Bools:
        return self.event

    def rows(self, keep: Ints) -> "Response":
        return Response(self.event[keep])

    def settings(self, preset: Preset) -> Settings:
        return preset.response

    def select(self, z: Floats, rules: Mapping[str, Any], *, clinical: bool, seed: int) -> Ints:
        return selection.of_response(z, self.event, rules, univariate=clinical, seed=seed)

    def fit(self, kind: str, z: Floats, parameters: Mapping[str, Any], *, seed: int) -> Portable:
        return classifiers.fit(kind, z, self.event, parameters, seed=seed)

    def score(self, prediction: Floats, fold: Ints) -> float:
        """AUC within folds."""
        return delong.area(self.event, prediction, fold=fold).estimate


@dataclass(frozen=True)
class Survival:
    """Days (n,) from the landmark and death (n,)."""

    time: Floats
    event: Bools

    @property
    def stratum(self) -> Bools:
        return self.event

    def rows(self, keep: Ints) -> "Survival":
        return Survival(self.time[keep], self.event[keep])

    def settings(self, preset: Preset) -> Settings:
        return preset.survival

    def select(self, z: Floats, rules: Mapping[str, Any], *, clinical: bool, seed: int) -> Ints:
        return selection.of_survival(z, self.time, self.event, rules)

    def fit(self, kind: str, z: Floats, parameters: Mapping[str, Any], *, seed: int) -> Portable:
        return survivors.fit(kind, z, self.time, self.event, parameters, seed=seed)

    def score(self, prediction: Floats, fold: Ints) -> float:
        """Harrell's C within folds, weighed by their comparable pairs; one half where there is none."""
        return harrell_within(self.time, self.event, prediction, fold)


def harrell_within(time: Floats, event: Bools, risk: Floats, fold: Ints) -> float:
    """Harrell's C of pairs of the same fold."""
    above = below = 0.0
    for each in np.unique(fold):
        inside = fold == each
        later = (time[inside][None, :] > time[inside][:, None]) | ((time[inside][None, :] == time[inside][:, None]) & ~event[inside])
        pairs = float((later & event[inside][:, None]).sum())
        value = concordance(Followed.once(time[inside], event[inside]), risk[inside])[0][0] if pairs else 0.0
        above, below = above + pairs * float(value), below + pairs
    return above / below if below else 0.5
