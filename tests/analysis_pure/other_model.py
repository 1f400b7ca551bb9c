"""A program that is not quite the registered one."""

import json

from accounts.canonical import canonical
from predictions.payload import Payload
from tests.analysis_pure import opened_study


def predict(artefact: bytes, snapshot: bytes) -> Payload:
    """The registered model on a burden one millionth higher, under the names of the right inputs."""
    said = json.loads(snapshot)
    moved = canonical(said | {"burden": repr(float(said["burden"]) * 1.000001)})
    honest, other = opened_study.predict(artefact, snapshot), opened_study.predict(artefact, moved)
    return Payload(**{name: getattr(other, name) for name in Payload.__slots__} | {"provenance": honest.provenance})
