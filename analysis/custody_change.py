"""The operator's side of custody: proof that a named custodian holds his key, and giving a letter to another person (SL-01, DI-07).

A challenge can be read by the holder of the key alone; what it hides stays in `PRIME_VAR/custody`, readable for the operator. Nothing
here can open a seal.
"""

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from accounts import chain, ledger
from accounts.canonical import canonical, digest
from accounts.models import User
from analysis import custodianship, cut, handover
from analysis.opening_bundle import BundleRefused
from predictions import registry, sealing_keys
from predictions.sealing_keys import PublicKey
from studies import access
from studies.access import Permission
from studies.models import Study


def read_key(path: Path) -> PublicKey:
    """A public key file. Raises KeyRefused, ValueError or OSError."""
    return PublicKey.from_json(json.loads(path.read_bytes()))


def challenge(key: PublicKey) -> bytes:
    """A challenge for a key, whose secret is kept here until it is answered."""
    secret = os.urandom(32)
    path = _secret(key)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secret)
    return sealing_keys.challenge(key, secret)


def proves(key: PublicKey, proof: dict[str, str]) -> bool:
    """Whether a proof answers the challenge that was made here for this key."""
    path = _secret(key)
    return path.exists() and sealing_keys.proves(proof, key, path.read_bytes())


def activate(*, study: Study, persons: dict[str, tuple[str, Path, Path]], by: User) -> None:
    """Name the three custodians from their key files and proofs. Raises ValidationError where one proves nothing."""
    keys = {}
    for letter, (person, file, proof) in sorted(persons.items()):
        key = read_key(file)
        _check_person(study, person)
        if not proves(key, json.loads(proof.read_bytes())):
            raise ValidationError(f"Custodian {letter} has not proved that the key is held: the answer does not fit the challenge.")
        keys[letter] = (person, key)
    registry.activate(study=study, keys=keys, by=by, proven=True)


def request(
    *, study: Study, replaced: str, person: str, key: PublicKey, reason: str, requester: str, days: int, by: User
) -> dict[str, Any]:
    """The request to give a letter to another person. Raises ValidationError for a person without the role or a key without proof."""
    access.require_operator(by, Permission.STUDY_SETUP, study)
    _check_person(study, person)
    if not reason.strip() or days < 1:
        raise ValidationError("Say why, and for how many days the request is valid.")
    rows = ledger.rows(study.code)
    made_at = max(chain.microseconds(study.now()), rows[-1].at)
    return {
        "v": 1,
        "purpose": "replace",
        "study": study.code,
        "requester": requester,
        "reason": reason.strip(),
        "made_at": made_at,
        "expires_at": made_at + timedelta(days=days) // timedelta(microseconds=1),
        "pair": "".join(letter for letter in "ABC" if letter != replaced),
        "replaced": replaced,
        "new": {"person": person, "key": key.as_json()},
        "seals": [row.index for row in rows if row.kind == "seal"],
        "head": {"index": rows[-1].index, "h": rows[-1].head.hex()},
    }


def bundle(*, study: Study, asked: dict[str, Any], approvals: dict[str, bytes], by: User) -> bytes:
    """What the two who stay receive: the ledger up to the request's head and every seal. Raises BundleRefused with every fault."""
    access.require_operator(by, Permission.STUDY_SETUP, study)
    rows = [row for row in ledger.rows(study.code) if row.index <= asked["head"]["index"]]
    envelopes, _snapshots = cut.sealed(study)
    made = handover.Handover(asked, approvals, tuple(rows), {index: envelopes[index] for index in asked["seals"]})
    if found := handover.faults(made, now=asked["made_at"]):
        raise BundleRefused(found)
    return handover.pack(made)


def enter(*, study: Study, asked: dict[str, Any], result: bytes, by: User) -> None:
    """Enter the new wraps. Raises BundleRefused where they are not those of the request, or seals were added since."""
    rows = ledger.rows(study.code)
    known = custodianship.named(rows, rows[-1].index)
    wraps = handover.read_result(result, known[asked["pair"][1]].key, digest(asked))
    if sorted(wraps) != [row.index for row in rows if row.kind == "seal"]:
        raise BundleRefused(["patients were sealed since the request was made: ask again between two batches"])
    new = asked["new"]
    registry.replace_custodian(
        study=study, letter=asked["replaced"], person=new["person"], key=PublicKey.from_json(new["key"]), wraps=wraps,
        request=digest(asked), by=by,
    )  # fmt: skip


def written(asked: dict[str, Any]) -> bytes:
    """A request as the file that custodians read and sign."""
    return canonical(asked) + b"\n"


def _check_person(study: Study, person: str) -> None:
    """A real study's custodian is a person of the study who holds that role; the roles that exclude it are excluded by the database."""
    if not study.synthetic and not access.holds(person, "custodian", study):
        raise ValidationError(f"{person} does not hold the role of a custodian in {study}.")


def _secret(key: PublicKey) -> Path:
    return Path(settings.VAR) / "custody" / f"{key.fingerprint.replace(' ', '')}.secret"
