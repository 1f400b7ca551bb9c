"""What one sealed prediction says: an answer, an abstention and a failure are one record of one shape.

Source: PR-01. The canonical bytes of this record are what a seal closes and what a replay must give again. Numbers are
written as their shortest `repr` strings. A failure carries a code, never an exception's text (SL-07).
"""

import json
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from accounts.canonical import canonical, number
from predictions.decision import INTENSITY, STEPS, Abstention, Decision, Strategy, decide

HORIZONS = (12, 24, 36)  # months from resection
TOLERANCE = 1e-9  # how far a replayed probability may lie from the sealed one

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")


class Outcome(StrEnum):
    ANSWER = "answer"
    ABSTENTION = "abstention"
    FAILURE = "failure"


class Failure(StrEnum):
    """Why the model gave no estimate although its inputs were complete."""

    CRASH = "CRASH"
    TIMEOUT = "TIMEOUT"
    NOT_A_NUMBER = "NOT_A_NUMBER"
    OUT_OF_INTENDED_USE = "OUT_OF_INTENDED_USE"


class PayloadRefused(ValueError):
    """A record that PR-01 rules out; the text says why."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One strategy: S(t) at `HORIZONS` with its 95 % interval, the training propensity p(k|x), and whether it may be offered."""

    survival: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    propensity: float
    extrapolated: bool = False
    feasible: bool = True


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made the record. Digests are SHA-256 in hexadecimal digits, `container` is one of an image, `commit` is a git commit."""

    model: str
    snapshot: str
    features: str
    commit: str
    container: str
    seed: int
    modalities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """The output record. `estimates` are in the order of `INTENSITY`, `gains` in that of `STEPS`; both are None in a failure."""

    outcome: Outcome
    reason: str
    provenance: Provenance
    margin: float
    estimates: tuple[Estimate, ...] | None = None
    gains: tuple[float, ...] | None = None
    recommended: Strategy | None = None
    acceptable: tuple[Strategy, ...] = ()
    distance: float | None = None

    def __post_init__(self) -> None:
        _check_provenance(self.provenance)
        if not 0 <= self.margin < 1:
            raise PayloadRefused(f"the margin {self.margin} is not in [0, 1)")
        if self.outcome == Outcome.FAILURE:
            _check_failure(self)
        else:
            _check_answer(self)

    def encode(self) -> bytes:
        """The canonical bytes."""
        return canonical(_record(self))


def conclude(
    provenance: Provenance,
    estimates: tuple[Estimate, ...],
    gains: tuple[float, ...],
    *,
    margin: float,
    distance: float,
    out_of_distribution: bool,
) -> Payload:
    """The record of a model that gave estimates: the registered rule decides, and an abstention keeps what it would have said."""
    decision = _decide(estimates, gains, margin, out_of_distribution)
    outcome = Outcome.ABSTENTION if decision.abstention else Outcome.ANSWER
    reason = decision.abstention or ""
    return Payload(outcome, reason, provenance, margin, estimates, gains, decision.recommended, decision.acceptable, distance)


def fail(provenance: Provenance, code: Failure, *, margin: float) -> Payload:
    """The record of a model that gave none."""
    return Payload(Outcome.FAILURE, code, provenance, margin)


def decode(data: bytes) -> Payload:
    """The record in its canonical bytes. Raises PayloadRefused for other bytes."""
    try:
        payload = _payload(json.loads(data))
    except PayloadRefused:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PayloadRefused(f"this is no output record: {error!r}") from None
    if payload.encode() != data:
        raise PayloadRefused("the record is not written canonically")
    return payload


def differences(sealed: Payload, replayed: Payload) -> list[str]:
    """What the replay did not give again (UB-03); S within `TOLERANCE`, everything else exactly. Empty when it agrees."""
    found = [
        f"{name} is sealed as {_shown(getattr(sealed, name))} and replayed as {_shown(getattr(replayed, name))}"
        for name in ("outcome", "reason", "recommended", "acceptable", "margin")
        if getattr(sealed, name) != getattr(replayed, name)
    ]
    for ours, theirs, strategy in zip(sealed.estimates or (), replayed.estimates or (), INTENSITY, strict=False):
        gap = max(abs(one - other) for one, other in zip(ours.survival, theirs.survival, strict=True))
        if gap > TOLERANCE:
            found.append(f"S of {strategy} differs by {gap:.3g}")
    return found


def _check_provenance(made: Provenance) -> None:
    for name in ("model", "snapshot", "features", "container"):
        if not _DIGEST.fullmatch(getattr(made, name)):
            raise PayloadRefused(f"{name} is no SHA-256 in hexadecimal digits")
    if not _COMMIT.fullmatch(made.commit):
        raise PayloadRefused("commit is no git commit in hexadecimal digits")
    if tuple(sorted(set(made.modalities))) != made.modalities:
        raise PayloadRefused("modalities are listed once each, in order")


def _check_failure(payload: Payload) -> None:
    if payload.reason not in set(Failure):
        raise PayloadRefused(f"{payload.reason!r} is no failure code")
    said = (payload.estimates, payload.gains, payload.recommended, payload.distance)
    if payload.acceptable or any(part is not None for part in said):
        raise PayloadRefused("a failure carries no estimate and no recommendation")


def _check_answer(payload: Payload) -> None:
    estimates, gains = payload.estimates, payload.gains
    if estimates is None or len(estimates) != len(INTENSITY):
        raise PayloadRefused("an answer has an estimate for each of the four strategies")
    if gains is None or len(gains) != len(STEPS) or not all(-1 <= gain <= 1 for gain in gains):
        raise PayloadRefused("an answer has the lower bound of each of the six gains, between −1 and 1")
    if payload.distance is None or not math.isfinite(payload.distance):
        raise PayloadRefused("an answer has a finite out-of-distribution score")
    for strategy, estimate in zip(INTENSITY, estimates, strict=True):
        _check_estimate(strategy, estimate)
    decision = _decide(estimates, gains, payload.margin, payload.reason == Abstention.OUT_OF_DISTRIBUTION)
    if (payload.recommended, payload.acceptable) != (decision.recommended, decision.acceptable):
        raise PayloadRefused("the recommended strategy or the acceptable set is not what the registered rule gives")
    if payload.reason != (decision.abstention or "") or (payload.outcome == Outcome.ANSWER) != (decision.abstention is None):
        raise PayloadRefused("the record abstains where the registered rule answers, or the reverse")


def _check_estimate(strategy: Strategy, estimate: Estimate) -> None:
    curves = (estimate.lower, estimate.survival, estimate.upper)
    if any(len(curve) != len(HORIZONS) for curve in curves):
        raise PayloadRefused(f"{strategy} has not one value for each horizon")
    if not all(0 <= low <= value <= high <= 1 for low, value, high in zip(*curves, strict=True)):
        raise PayloadRefused(f"{strategy}: a probability lies outside its interval or outside [0, 1]")
    if any(list(curve) != sorted(curve, reverse=True) for curve in curves):
        raise PayloadRefused(f"{strategy}: S(t) rises with t")
    if not 0 <= estimate.propensity <= 1:
        raise PayloadRefused(f"{strategy}: the propensity is not in [0, 1]")


def _decide(estimates: tuple[Estimate, ...], gains: tuple[float, ...], margin: float, out_of_distribution: bool) -> Decision:
    each = dict(zip(INTENSITY, estimates, strict=True))
    try:
        return decide(
            {strategy: estimate.survival[-1] for strategy, estimate in each.items()},
            dict(zip(STEPS, gains, strict=True)),
            margin=margin,
            infeasible=[strategy for strategy, estimate in each.items() if not estimate.feasible],
            extrapolated=[strategy for strategy, estimate in each.items() if estimate.extrapolated],
            out_of_distribution=out_of_distribution,
        )
    except ValueError as error:
        raise PayloadRefused(str(error)) from None


def _shown(value: object) -> str:
    return "{" + ", ".join(value) + "}" if isinstance(value, tuple) else str(value)


def _record(payload: Payload) -> dict[str, Any]:
    made = payload.provenance
    return {
        "v": 1,
        "outcome": payload.outcome,
        "reason": payload.reason,
        "model": made.model,
        "snapshot": made.snapshot,
        "features": made.features,
        "commit": made.commit,
        "container": made.container,
        "seed": made.seed,
        "modalities": list(made.modalities),
        "horizons": list(HORIZONS),
        "margin": number(payload.margin),
        "estimates": None if payload.estimates is None else [_estimate_record(estimate) for estimate in payload.estimates],
        "gains": None if payload.gains is None else [number(gain) for gain in payload.gains],
        "recommended": payload.recommended,
        "acceptable": list(payload.acceptable),
        "distance": None if payload.distance is None else number(payload.distance),
    }


def _estimate_record(estimate: Estimate) -> dict[str, Any]:
    return {
        "survival": [number(value) for value in estimate.survival],
        "lower": [number(value) for value in estimate.lower],
        "upper": [number(value) for value in estimate.upper],
        "propensity": number(estimate.propensity),
        "extrapolated": estimate.extrapolated,
        "feasible": estimate.feasible,
    }


def _payload(value: dict[str, Any]) -> Payload:
    if value["v"] != 1 or tuple(value["horizons"]) != HORIZONS:
        raise PayloadRefused("the record has another version or other horizons")
    made = {name: value[name] for name in ("model", "snapshot", "features", "commit", "container", "seed")}
    return Payload(
        Outcome(value["outcome"]),
        value["reason"],
        Provenance(**made, modalities=tuple(value["modalities"])),
        float(value["margin"]),
        None if value["estimates"] is None else tuple(_estimate(each) for each in value["estimates"]),
        None if value["gains"] is None else tuple(float(gain) for gain in value["gains"]),
        None if value["recommended"] is None else Strategy(value["recommended"]),
        tuple(Strategy(each) for each in value["acceptable"]),
        None if value["distance"] is None else float(value["distance"]),
    )


def _estimate(value: dict[str, Any]) -> Estimate:
    survival, lower, upper = (tuple(float(each) for each in value[name]) for name in ("survival", "lower", "upper"))
    return Estimate(survival, lower, upper, float(value["propensity"]), value["extrapolated"], value["feasible"])
