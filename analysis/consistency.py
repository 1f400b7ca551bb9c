"""Whether the treatment given was the one recommended: a pure function of opened seals, actual strategy and rule version.

Source: TX-05, TX-06, TX-07, `docs/sealing.md` (order in real time). A seal counts where the first outside anchor that covers it
is earlier than the start of the calendar day, in the center's time zone, on which the treatment was first known.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

from accounts.canonical import digest
from accounts.chain import microseconds
from analysis.strategy import Actual, Rule
from predictions.decision import INTENSITY, Strategy
from predictions.payload import Outcome, Payload


class State(StrEnum):
    PENDING = "PENDING"
    CONSISTENT = "CONSISTENT"
    INCONSISTENT = "INCONSISTENT"
    NOT_EVALUABLE = "NOT_EVALUABLE"


class SealedReason(StrEnum):
    """Why no tag, on the prediction's side; comes into being only in an opening (BL-03)."""

    NO_SEAL = "NO_SEAL"
    UNANCHORED = "UNANCHORED"
    SAME_DAY = "SAME_DAY"
    LATE_SEAL = "LATE_SEAL"
    KNOWN_TO_READER = "KNOWN_TO_READER"
    INPUT_AFTER_TREATMENT = "INPUT_AFTER_TREATMENT"
    SEAL_UNOPENABLE = "SEAL_UNOPENABLE"
    ABSTAIN = "ABSTAIN"


@dataclass(frozen=True, slots=True)
class Sealed:
    """One confirmatory seal of a participant, as the opening knows it.

    `sealed_at` is the ledger's time, `anchored_at` that of the first outside anchor covering the row (microseconds; None: none).
    `inputs_until` is the latest clinical date among its inputs, `known_to_reader` whether any reader of them knew the treatment.
    `payload` is None where it could not be opened or its replay did not agree.
    """

    tier: int
    sealed_at: int
    anchored_at: int | None
    inputs_until: date
    known_to_reader: bool
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class Tag:
    """One version of a participant's tag; `inputs` is the digest of everything it was made from (TX-06).

    `acceptable`: the strategy given is in the acceptable set; `intensity`: steps given above (+) or below (−) the recommended
    strategy (TX-07). Both are None unless the tag is evaluable.
    """

    state: State
    reason: str
    tier: int | None
    recommended: Strategy | None
    given: Strategy | None
    acceptable: bool | None
    intensity: int | None
    rule: str
    inputs: str


def tag(seals: Iterable[Sealed], actual: Actual, *, surgery: date, zone: tzinfo, rule: Rule, on: date) -> Tag:
    """The tag as of the day `on`; PENDING before the window and the landmark have passed, whatever is known."""
    seals = sorted(seals, key=lambda seal: seal.tier)
    inputs = _digest(seals, actual, surgery, zone, rule)
    if on < surgery + timedelta(rule.landmark_days):
        return Tag(State.PENDING, "", None, None, None, None, None, rule.version, inputs)
    seal = primary(seals, actual.known_on, zone)
    reason = actual.reason or _sealed_reason(seal, actual.known_on, zone)
    tier = seal.tier if seal else None
    said = seal.payload.recommended if seal and seal.payload else None
    if reason or said is None or actual.strategy is None or seal is None or seal.payload is None:
        return Tag(State.NOT_EVALUABLE, reason or "", tier, said, actual.strategy, None, None, rule.version, inputs)
    state = State.CONSISTENT if actual.strategy == said else State.INCONSISTENT
    acceptable = actual.strategy in seal.payload.acceptable
    steps = INTENSITY.index(actual.strategy) - INTENSITY.index(said)
    return Tag(state, "", tier, said, actual.strategy, acceptable, steps, rule.version, inputs)


def primary(seals: Iterable[Sealed], known_on: date | None, zone: tzinfo) -> Sealed | None:
    """The seal that counts: the highest tier in order before the treatment; where none is, the one sealed first."""
    seals = list(seals)
    timely = [seal for seal in seals if order(seal, known_on, zone) is None]
    if timely:
        return max(timely, key=lambda seal: seal.tier)
    return min(seals, key=lambda seal: (seal.sealed_at, seal.tier), default=None)


def order(seal: Sealed, known_on: date | None, zone: tzinfo) -> SealedReason | None:
    """None where the seal provably existed before the day the treatment was known, otherwise what is wrong with its time."""
    if known_on is None:
        return None if seal.anchored_at is not None else SealedReason.UNANCHORED
    day, next_day = (_start(known_on + timedelta(days), zone) for days in (0, 1))
    if seal.anchored_at is not None and seal.anchored_at < day:
        return None
    if seal.sealed_at >= next_day:
        return SealedReason.LATE_SEAL
    if seal.sealed_at >= day or (seal.anchored_at is not None and seal.anchored_at < next_day):
        return SealedReason.SAME_DAY
    return SealedReason.UNANCHORED


def _sealed_reason(seal: Sealed | None, known_on: date | None, zone: tzinfo) -> SealedReason | None:
    if seal is None:
        return SealedReason.NO_SEAL
    if late := order(seal, known_on, zone):
        return late
    if seal.payload is None:
        return SealedReason.SEAL_UNOPENABLE
    if seal.known_to_reader:
        return SealedReason.KNOWN_TO_READER
    if known_on is not None and seal.inputs_until >= known_on:
        return SealedReason.INPUT_AFTER_TREATMENT
    return None if seal.payload.outcome == Outcome.ANSWER else SealedReason.ABSTAIN


def _start(day: date, zone: tzinfo) -> int:
    """The first instant of a calendar day of the center, in microseconds."""
    return microseconds(datetime.combine(day, time.min, zone))


def _digest(seals: list[Sealed], actual: Actual, surgery: date, zone: tzinfo, rule: Rule) -> str:
    return digest(
        {
            "rule": [rule.version, rule.window_days, rule.landmark_days, rule.haic_is_tace],
            "surgery": surgery.isoformat(),
            "zone": str(zone),
            "given": [actual.strategy, actual.reason, actual.known_on and actual.known_on.isoformat()],
            "seals": [
                [
                    *(seal.tier, str(seal.sealed_at), seal.anchored_at and str(seal.anchored_at)),
                    *(seal.inputs_until.isoformat(), seal.known_to_reader, seal.payload and seal.payload.encode().decode()),
                ]
                for seal in seals
            ],
        }
    )
