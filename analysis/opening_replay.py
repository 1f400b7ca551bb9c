"""The program that the custodians' replay runs by default: the function of the blind batch itself (UB-03).

Any other `MODULE:FUNCTION` of artefact and snapshot may be named instead, an independently written one for instance.
"""

from predictions import replay
from predictions.payload import Payload

_NOT_COMPARED = replay.Software(commit="0" * 40, container="0" * 64)


def predict(artefact: bytes, snapshot: bytes) -> Payload:
    """The output record; what ran it years ago is in the sealed one and is not compared (`payload.differences`)."""
    return replay.predict(artefact, snapshot, _NOT_COMPARED)
