"""From artefact and snapshot to the output record: the one function of the batch and of the replay after opening.

The record depends on these bytes alone, so that whoever holds them must find the same answer (UB-03). Pure.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from accounts.canonical import digest
from predictions.payload import Failure, Payload, Provenance, conclude, fail
from predictions.training import artefact

SECTIONS = ("clinical", "arterial", "venous")


@dataclass(frozen=True, slots=True)
class Software:
    """What ran: git commit (40 hexadecimal digits), container or environment digest (64), seed."""

    commit: str
    container: str
    seed: int = 0


def predict(model: bytes, snapshot: bytes, software: Software) -> Payload:
    """The output record of one patient. A model that cannot answer gives a failure with its code, never an exception."""
    loaded = _load(model)
    content: dict[str, Any] = json.loads(snapshot)
    features = features_of(content)
    present = tuple(sorted(section for section in SECTIONS if content.get(section)))
    made = Provenance(
        model=hashlib.sha256(model).hexdigest(),
        snapshot=hashlib.sha256(snapshot).hexdigest(),
        features=digest({name: content[name.split("_")[0]].get(name) for name in loaded.inputs if name.split("_")[0] in content}),
        commit=software.commit,
        container=software.container,
        seed=software.seed,
        modalities=present,
    )
    if content["tier"] != loaded.tier:
        return fail(made, Failure.OUT_OF_INTENDED_USE, margin=loaded.margin)
    try:
        said = artefact.answer(loaded, features)
    except (ValueError, OverflowError, ZeroDivisionError):
        return fail(made, Failure.CRASH, margin=loaded.margin)
    if not all(math.isfinite(value) for each in said.estimates for value in each.survival):
        return fail(made, Failure.NOT_A_NUMBER, margin=loaded.margin)
    return conclude(
        made, said.estimates, said.gains, margin=loaded.margin, distance=said.distance, out_of_distribution=said.out_of_distribution
    )


def features_of(content: dict[str, Any]) -> dict[str, float | None]:
    """The features of a snapshot by name; numbers stand there as text, missing ones as null."""
    found: dict[str, float | None] = {}
    for section in SECTIONS:
        for name, value in (content.get(section) or {}).items():
            found[name] = None if value is None else float(value)
    return found


@cache
def _load(model: bytes) -> artefact.StrategyModel:
    return artefact.load(model)
