"""PRIME-R and PRIME-S as one pipeline object: everything that is fitted is fitted by `fit`, from the rows it is given (MD-03).

Branches: `clinical` and `radiomics` (both phases together), fused late; `early` is one branch of all features, selected by
modality, for comparison only. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from predictions.training.learners.portable import Linear
from predictions.training.measures import proportional
from predictions.training.measures.intervals import Floats
from predictions.training.prime import branch, fusion
from predictions.training.prime.branch import Branch
from predictions.training.prime.preset import Preset
from predictions.training.prime.targets import Response, Survival

RADIOMICS = ("arterial", "venous")
LATE, EARLY = "late", "early"


@dataclass(frozen=True)
class FittedResponse:
    """A probability of response from the branches."""

    branches: Mapping[str, Branch]
    early: Branch | None
    fused: Linear

    def predict(self, features: Sequence[str], x: Floats) -> Floats:
        return self.fused.predict(_answers(self.branches, features, x))


@dataclass(frozen=True)
class FittedSurvival:
    """A fused risk, the cut between low and high, and survival by a Cox model of the fused risk.

    `days` and `hazard` are its baseline; `softmax` are the weights of the published kind beside those in force.
    """

    branches: Mapping[str, Branch]
    early: Branch | None
    fused: fusion.Averaged
    softmax: Floats
    cut: float
    slope: float
    days: Floats
    hazard: Floats

    def predict(self, features: Sequence[str], x: Floats) -> Floats:
        return self.fused.predict(_answers(self.branches, features, x))

    def survival(self, risk: Floats, days: Floats) -> Floats:
        """S at `days` from the landmark of fused risks: (n, days)."""
        steps = np.concatenate([[0.0], self.hazard])[np.searchsorted(self.days, days, side="right")]
        return np.asarray(np.exp(-np.outer(np.exp(self.slope * risk), steps)))


Fitted = FittedResponse | FittedSurvival


def columns(features: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """The places of each branch's features; a branch without any is left out."""
    found = {
        "clinical": tuple(place for place, name in enumerate(features) if name.startswith("clinical_")),
        "radiomics": tuple(place for place, name in enumerate(features) if name.split("_")[0] in RADIOMICS),
    }
    return {name: places for name, places in found.items() if places}


def fit_response(features: tuple[str, ...], x: Floats, target: Response, *, preset: Preset, seed: int) -> FittedResponse:
    """Fit PRIME-R to training rows."""
    branches, early = _branches(features, x, target, preset=preset, seed=seed)
    answers = np.column_stack([each.out_of_fold for each in branches.values()])
    fused = fusion.of_response(answers, target.event, strength=preset.response.fusion["C"])
    return FittedResponse(branches, early, fused)


def fit_survival(features: tuple[str, ...], x: Floats, target: Survival, *, preset: Preset, seed: int) -> FittedSurvival:
    """Fit PRIME-S to training rows; cut and baseline come from fused out-of-fold risks, which are not overfitted."""
    branches, early = _branches(features, x, target, preset=preset, seed=seed)
    answers = np.column_stack([each.out_of_fold for each in branches.values()])
    rule = preset.survival.fusion
    fused = fusion.of_survival(answers, target.time, target.event, weights=rule["weights"])
    z = (answers - fused.mean) / fused.sd
    softmax = fusion.by_softmax(z, target.time, target.event, rule.get("temperature", fusion.TEMPERATURE))
    risk = fused.predict(answers)
    slope = float(proportional.cox(target.time, target.event, risk[:, None]).coefficients[0]) if risk.std() > 0 else 0.0
    slope = max(slope, 0.0)
    days, hazard = proportional.baseline(target.time, target.event, slope * risk)
    return FittedSurvival(branches, early, fused, softmax, float(np.median(risk)), slope, days, hazard)


def _branches(
    features: tuple[str, ...], x: Floats, target: Response | Survival, *, preset: Preset, seed: int
) -> tuple[dict[str, Branch], Branch | None]:
    found, learnt = {}, []
    for name, places in columns(features).items():
        names, values = tuple(features[place] for place in places), x[:, list(places)]
        learnt.append(branch.learn(names, values, target, preset=preset, seed=seed))
        found[name] = branch.fit(names, values, target, learnt[-1], preset=preset, seed=seed)
    if len(learnt) == 1:
        return found, None
    return found, branch.fit(features, x, target, learnt[0].beside(learnt[1]), preset=preset, seed=seed)


def _answers(branches: Mapping[str, Branch], features: Sequence[str], x: Floats) -> Floats:
    return np.column_stack([each.predict(features, x) for each in branches.values()])
