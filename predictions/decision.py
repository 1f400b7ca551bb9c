"""Which strategy the estimates recommend: registered before the first seal, the same in training, sealing and replay.

Source: PR-01, PR-02, PR-03, PR-05. A more intensive strategy must earn its place: it replaces the one standing so far only
where the lower bound of its gain in S(36) over that one exceeds the margin. With no effect for anyone this keeps surgery alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

MARGIN = 0.03  # δ, a recurrence-free probability at 36 months


class Strategy(StrEnum):
    """The four strategies after resection, in the order of rising intensity (PR-02)."""

    SURG = "SURG"
    TACE = "TACE"
    SYS = "SYS"
    TACE_SYS = "TACE_SYS"


INTENSITY = tuple(Strategy)
STEPS = tuple((more, less) for place, less in enumerate(INTENSITY) for more in INTENSITY[place + 1 :])
"""Every (more, less) intensive pair: the gains that a decision needs."""

Gains = Mapping[tuple[Strategy, Strategy], float]


class Abstention(StrEnum):
    """Why a model gives estimates but no usable recommendation."""

    EXTRAPOLATED = "EXTRAPOLATED"
    OUT_OF_DISTRIBUTION = "OUT_OF_DISTRIBUTION"


@dataclass(frozen=True, slots=True)
class Decision:
    """The recommended strategy k*, the acceptable set A in order of intensity, and the reason to abstain, if any."""

    recommended: Strategy
    acceptable: tuple[Strategy, ...]
    abstention: Abstention | None


def decide(
    survival: Mapping[Strategy, float],
    gains: Gains,
    *,
    margin: float = MARGIN,
    infeasible: Collection[Strategy] = (),
    extrapolated: Collection[Strategy] = (),
    out_of_distribution: bool = False,
) -> Decision:
    """Apply the registered rule to one patient.

    `survival`: S_k(36) in [0, 1] of every feasible strategy. `gains`: for every (more, less) intensive pair of feasible ones,
    the lower bound of S_more(36) − S_less(36). `infeasible`: masked by registered baseline rules (PR-03). `extrapolated`:
    strategies with too little support (PR-05). Raises ValueError where surgery alone is masked or an input is missing.
    """
    feasible = tuple(strategy for strategy in INTENSITY if strategy not in infeasible)
    _check(feasible, survival, gains)
    recommended = feasible[0]
    for more in feasible[1:]:
        if gains[more, recommended] > margin:
            recommended = more
    return Decision(
        recommended, acceptable_set(survival, feasible, recommended, margin), _abstention(recommended, extrapolated, out_of_distribution)
    )


def acceptable_set(
    survival: Mapping[Strategy, float], feasible: Collection[Strategy], recommended: Strategy, margin: float
) -> tuple[Strategy, ...]:
    """A = {k feasible: S_k(36) ≥ max − δ}, and the recommended strategy, which the cautious rule may have kept below that."""
    best = max(survival[strategy] for strategy in feasible)
    return tuple(
        strategy for strategy in INTENSITY if strategy in feasible and (survival[strategy] >= best - margin or strategy == recommended)
    )


def _abstention(recommended: Strategy, extrapolated: Collection[Strategy], out_of_distribution: bool) -> Abstention | None:
    if out_of_distribution:
        return Abstention.OUT_OF_DISTRIBUTION
    return Abstention.EXTRAPOLATED if recommended in extrapolated else None


def _check(feasible: tuple[Strategy, ...], survival: Mapping[Strategy, float], gains: Gains) -> None:
    if Strategy.SURG not in feasible:
        raise ValueError("surgery alone is done already: it cannot be masked")
    for strategy in feasible:
        if not 0 <= survival[strategy] <= 1:
            raise ValueError(f"S(36) of {strategy} is {survival[strategy]}, not a probability")
    for more, less in STEPS:
        if more in feasible and less in feasible and not -1 <= gains[more, less] <= 1:
            raise ValueError(f"the gain of {more} over {less} is {gains[more, less]}, not between −1 and 1")
