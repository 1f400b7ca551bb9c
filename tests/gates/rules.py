"""Strategy models small enough to know by heart: what they recommend follows from one coefficient. They load like any other."""

import math

from predictions.decision import INTENSITY
from predictions.payload import HORIZONS
from predictions.training import artefact

INPUTS = ("clinical_age_at_surgery", "clinical_afp_log10", "clinical_tumour_diameter_cm")
MEAN, SD = (57.0, 2.0, 4.0), (10.0, 1.0, 2.0)
SHARED = {0: 0.21, 1: 0.33, 2: 0.17}
TACE_BY_AFP = len(INPUTS) + len(INTENSITY) - 1 + 1
"""The place in the design of TACE's own coefficient of AFP (docs/models.md, layout of the S-learner)."""
NEVER, ALWAYS = 7.3123e8, 1e-9  # not a power of ten: a distance shows the digits of no input
CANARY = 0.123456789


def surgery_alone() -> bytes:
    """Recommends surgery alone to everybody: no strategy has a term of its own."""
    return _artefact(SHARED)


def tace_by_afp() -> bytes:
    """Recommends TACE where log10 AFP lies clearly above 2, surgery alone elsewhere."""
    return _artefact(SHARED | {TACE_BY_AFP: -1.5})


def silent() -> bytes:
    """Abstains for everybody: nobody lies near enough to its training data."""
    return _artefact(SHARED, farthest=ALWAYS)


def crashing() -> bytes:
    """Fails for everybody: it divides by a spread of zero."""
    return _artefact(SHARED, sd=(0.0, *SD[1:]))


def overflowing() -> bytes:
    """Fails for whoever has any AFP: e to the ten-thousandth is more than a number can hold."""
    return _artefact(SHARED | {TACE_BY_AFP: 1e5})


def slow() -> bytes:
    """Says what `surgery_alone` says, out of two thousand bootstrap fits instead of one: it takes far more than ten times as long."""
    return _artefact(SHARED, fits=2000)


def canary() -> bytes:
    """Gives everybody S(12 months) = 0.123456789 exactly under surgery alone, and TACE where log10 AFP lies clearly above 2."""
    return _artefact({TACE_BY_AFP: -1.5}, hazard=(hazard_of(CANARY), 2.3, 2.5))


def hazard_of(survival: float) -> float:
    """The cumulative hazard H with exp(−H) = `survival` to the last bit."""
    start = -math.log(survival)
    near = [start]
    for direction in (-math.inf, math.inf):
        step = start
        for _ in range(50):
            step = math.nextafter(step, direction)
            near.append(step)
    return next(hazard for hazard in near if math.exp(-hazard) == survival)


def _artefact(
    coefficients: dict[int, float],
    *,
    farthest: float = NEVER,
    hazard: tuple[float, ...] = (0.2123456781, 0.4123456783, 0.6123456785),
    sd: tuple[float, ...] = SD,
    fits: int = 1,
) -> bytes:
    terms = artefact.Terms(coefficients, hazard)
    assert len(hazard) == len(HORIZONS)
    return artefact.dump(
        artefact.StrategyModel(
            tier="0",
            landmark=90,
            margin=0.03,
            inputs=INPUTS,
            median=MEAN,
            mean=MEAN,
            sd=sd,
            fit=terms,
            bootstrap=(terms,) * fits,
            propensity=tuple((0.0, *(0.0 for _ in INPUTS)) for _ in INTENSITY),
            farthest=(farthest,) * len(INPUTS),
        )
    )
