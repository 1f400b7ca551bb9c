"""Whom a PRIME model may be asked about: anybody else is refused with the code OUT_OF_INTENDED_USE (PM-05). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from predictions.payload import Failure
from predictions.training.prime.model_file import KINDS, PrimeModel

TREATMENTS = frozenset({"interventional", "targeted", "immune"})
ONE_MONTH = 30  # days


class OutOfIntendedUse(ValueError):
    """The patient is outside the model's population; `code` is OUT_OF_INTENDED_USE, the text says why."""

    code = Failure.OUT_OF_INTENDED_USE


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides: whether the tumour was resected, what the patient receives, and since how many days (None: not yet)."""

    resected: bool
    treatments: frozenset[str]
    days_on_treatment: int | None


def check(model: PrimeModel, patient: Situation) -> None:
    """Raise OutOfIntendedUse for a patient outside the model's population, and for PRIME-S before one month on treatment."""
    if patient.resected:
        raise OutOfIntendedUse("PRIME is for unresectable HCC; this tumour was resected")
    if missing := TREATMENTS - patient.treatments:
        raise OutOfIntendedUse(
            f"PRIME is for interventional, targeted and immune therapy together; {', '.join(sorted(missing))} is missing"
        )
    if model.kind == KINDS["prime-r"]:
        if (patient.days_on_treatment or 0) > 0:
            raise OutOfIntendedUse("PRIME-R predicts before treatment; this patient is on treatment")
        return
    least = max(ONE_MONTH, model.landmark)
    if patient.days_on_treatment is None or patient.days_on_treatment < least:
        raise OutOfIntendedUse(f"PRIME-S predicts from day {least} on treatment")


def ask(model: PrimeModel, patient: Situation, features: Mapping[str, float | None]) -> float:
    """The model's answer for one patient: a probability of response, or a fused risk. Raises OutOfIntendedUse."""
    check(model, patient)
    return model.predict(features)
