"""Who a study's custodians are and which wraps count, as its ledger says it up to a row. Pure.

An `activation` record names the three: {custodians: {A: {person, key}, …}}. A later one may name another person for one letter; it
then lists H(wraps) of every seal that was wrapped anew for the three of now: {wraps: {"<index>": digest}} (docs/custodian.md).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from accounts.chain import Row
from predictions.sealing_envelope import CUSTODIANS
from predictions.sealing_keys import PublicKey

_APPROVAL = b"prime/approval/1\0"


@dataclass(frozen=True, slots=True)
class Custodian:
    """Who holds a letter: the person's name as the study knows it, and the public key."""

    person: str
    key: PublicKey


def approval_message(request_digest: str) -> bytes:
    """What a custodian signs to approve a request."""
    return _APPROVAL + bytes.fromhex(request_digest)


def activations(rows: Iterable[Row], until: int) -> Iterator[dict[str, Any]]:
    """The activation records up to a row, in order. Raises ValueError where one is no JSON object."""
    for row in rows:
        if row.kind == "activation" and row.index <= until:
            body = json.loads(row.body)
            if not isinstance(body, dict):
                raise ValueError(f"row {row.index}: its record is no object")
            if "custodians" in body:
                yield body


def named(rows: Iterable[Row], until: int) -> dict[str, Custodian]:
    """The custodians by letter. Raises ValueError where the ledger names no three up to that row."""
    try:
        said = [*activations(rows, until)][-1]["custodians"]
        return {letter: Custodian(said[letter]["person"], PublicKey.from_json(said[letter]["key"])) for letter in CUSTODIANS}
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError(f"the ledger names no three custodians before the request: {error!r}") from None


def rewrapped(rows: Iterable[Row], until: int) -> dict[int, str]:
    """H(wraps) of the seals that were wrapped anew, by index, as the last record that lists one says."""
    found: dict[int, str] = {}
    for body in activations(rows, until):
        listed: Mapping[str, str] = body.get("wraps", {})
        found |= {int(index): digest for index, digest in listed.items()}
    return found
