"""Output records for tests, built in code."""

from predictions import payload
from predictions.decision import STEPS

PROVENANCE = payload.Provenance("a" * 64, "b" * 64, "c" * 64, "d" * 40, "e" * 64, 7, ("arterial", "clinical", "venous"))


def estimate(at_36: float, *, half_width: float = 0.01, **more: object) -> payload.Estimate:
    """An estimate that falls to `at_36` through 12 and 24 months."""
    survival = tuple(at_36 + (1 - at_36) * part for part in (0.6, 0.3, 0.0))
    lower = tuple(max(0.0, value - half_width) for value in survival)
    upper = tuple(min(1.0, value + half_width) for value in survival)
    return payload.Estimate(survival, lower, upper, **({"propensity": 0.25} | more))


def answer(*at_36: float, provenance: payload.Provenance = PROVENANCE, **more: object) -> payload.Payload:
    """A record with S(36) of the four strategies and the exact gains between them."""
    values = at_36 or (0.50, 0.60, 0.55, 0.58)
    order = dict(zip(("SURG", "TACE", "SYS", "TACE_SYS"), values, strict=True))
    gains = tuple(order[over] - order[under] for over, under in STEPS)
    given = {"margin": 0.03, "distance": 1.5, "out_of_distribution": False} | more
    return payload.conclude(provenance, tuple(estimate(value) for value in values), gains, **given)


def failure(provenance: payload.Provenance = PROVENANCE) -> payload.Payload:
    return payload.fail(provenance, payload.Failure.TIMEOUT, margin=0.03)
