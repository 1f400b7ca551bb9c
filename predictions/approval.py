"""Two custodians approve what may lock: each signs one statement on an own device with an own key (blinding §7, MD-04, MD-05). Pure."""

import base64
from collections.abc import Mapping
from typing import Any

from accounts.canonical import canonical
from predictions.sealing_keys import PrivateKey, PublicKey

PAIRS = ("AB", "AC", "BC")
_LOCK = b"prime/model-lock/1\0"


class ApprovalRefused(ValueError):
    """A signature is missing, or does not fit key and statement; the text says whose."""


def sign(said: Mapping[str, Any], key: PrivateKey) -> str:
    """A custodian's signature on a statement, as text."""
    return base64.b64encode(key.sign(_LOCK + canonical(dict(said)))).decode()


def pair(said: Mapping[str, Any], signatures: Mapping[str, str], keys: Mapping[str, PublicKey]) -> str:
    """The letters of the two custodians who signed exactly this statement. Raises ApprovalRefused for anything else than two."""
    letters = "".join(sorted(signatures))
    if letters not in PAIRS:
        raise ApprovalRefused("a model is locked by the signatures of two of the three custodians")
    for letter, text in signatures.items():
        try:
            fits = letter in keys and keys[letter].verify(base64.b64decode(text, validate=True), _LOCK + canonical(dict(said)))
        except ValueError:
            fits = False
        if not fits:
            raise ApprovalRefused(f"the signature of custodian {letter} is not on this statement, or not by this custodian")
    return letters
