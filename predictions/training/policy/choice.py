"""Which learner makes the rule: the one whose rule is worth more at centers it never saw (MD-02). Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictions.training import slearner, tlearner
from predictions.training.policy import propensity, rehearsal, value
from predictions.training.policy.value import Part, Settings
from predictions.training.slearner import Learner
from predictions.training.table import TrainingTable
from predictions.training.tlearner import ArmRefused
from predictions.training.trainer import ByCenter

LEARNERS: dict[str, Learner] = {"S": slearner.fit, "T": tlearner.fit}
Job = tuple[str, str]
"""Learner and held-out center."""
Work = Callable[[TrainingTable, list[Job]], list[Part]]


@dataclass(frozen=True)
class Rules:
    """How each learner's rule is made and asked."""

    landmark: int
    margin: float
    seed: int
    replicates: int

    def of(self, learner: str) -> Settings:
        return Settings(self.landmark, self.margin, self.seed, LEARNERS[learner], self.replicates)


def here(rules: Rules) -> Work:
    """Do the jobs one after another in this process."""
    return lambda table, jobs: [value.ask(table, rules.of(learner), center) for learner, center in jobs]


@dataclass(frozen=True)
class Chosen:
    """The learner; values by held-out center, rehearsal, refusals, balance; its C by held-out center, and its curves' figures there."""

    learner: str
    report: dict[str, Any]
    by_center: ByCenter
    foretold: dict[str, Any]


def choose(table: TrainingTable, rules: Rules, *, work: Work | None = None) -> Chosen:
    """Ask each learner's rule at held-out centers. S wins among equals."""
    chances = propensity.cross_fitted(table, seed=rules.seed)
    compared, asked = _refused(table, rules), {}
    centers = [str(each) for each in np.unique(table.center)]
    jobs = [(name, center) for name in LEARNERS if name not in compared for center in centers]
    parts = dict(zip(jobs, (work or here(rules))(table, jobs), strict=True))
    for name in dict.fromkeys(name for name, _ in jobs):
        asked[name] = [parts[name, center] for center in centers]
        found = value.gathered(table, asked[name])
        compared[name] = value.report(found, table) | {"rehearsal": rehearsal.report(found, table, chances)}
    chosen = max(asked, key=lambda name: (round(float(compared[name]["value"]["estimate"]), 6), name == "S"))
    report = {"learner": chosen, "compared": compared, "support": propensity.report(table, seed=rules.seed)}
    theirs = asked[chosen]
    return Chosen(chosen, report, value.concordances(table, theirs), value.foretold(table, theirs, rules.of(chosen)))


def _refused(table: TrainingTable, rules: Rules) -> dict[str, Any]:
    """The T-learner with its reason, where a strategy cannot carry a model of its own."""
    try:
        alpha = slearner.choose_alpha(table, landmark=rules.landmark, learn=tlearner.fit)
        [whole] = tlearner.fit(table, landmark=rules.landmark, alpha=alpha)
        tlearner.require_support(whole, table)
    except ArmRefused as refusal:
        return {"T": {"refused": str(refusal)}}
    return {}
