"""Which learner makes the rule: the one whose rule is worth more at centers it never saw (MD-02). Pure."""

from typing import Any

from predictions.training import slearner, tlearner
from predictions.training.policy import propensity, rehearsal, value
from predictions.training.policy.value import Settings
from predictions.training.slearner import Learner
from predictions.training.table import TrainingTable
from predictions.training.tlearner import ArmRefused

LEARNERS: dict[str, Learner] = {"S": slearner.fit, "T": tlearner.fit}


def choose(table: TrainingTable, *, landmark: int, margin: float, seed: int, replicates: int) -> tuple[str, dict[str, Any]]:
    """The name of the learner, and the report: values by held-out center, rehearsal, refusals, balance. S wins among equals."""
    compared: dict[str, Any] = {}
    chances = propensity.cross_fitted(table, seed=seed)
    for name, learn in LEARNERS.items():
        try:
            if name == "T":
                alpha = slearner.choose_alpha(table, landmark=landmark, learn=learn)
                [whole] = learn(table, landmark=landmark, alpha=alpha)
                tlearner.require_support(whole, table)
            asked = value.by_held_out_center(table, Settings(landmark, margin, seed, learn, replicates))
        except ArmRefused as refusal:
            compared[name] = {"refused": str(refusal)}
            continue
        compared[name] = value.report(asked, table)
        compared[name]["rehearsal"] = rehearsal.report(asked, table, chances)
    chosen = max(compared, key=lambda name: (round(_worth(compared[name]), 6), name == "S"))
    return chosen, {"learner": chosen, "compared": compared, "support": propensity.report(table, seed=seed)}


def _worth(found: dict[str, Any]) -> float:
    return float(found["value"]["estimate"]) if "value" in found else float("-inf")
