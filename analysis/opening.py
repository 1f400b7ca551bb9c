"""The opening: two custodians turn sealed predictions into verified tags, each on an own device, without network or database.

Source: UB-01 to UB-03, BL-02, `docs/sealing.md`. The first custodian peels, the second opens. Every commitment is recomputed and
every committed snapshot goes through the locked artefact again: a public key suffices to seal a forgery, only the replay finds it.
Pure: the artefact's program comes in as the callable `predict`.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import Any

from accounts import chain
from accounts.canonical import canonical
from analysis import custodianship, opening_check
from analysis.opening_bundle import Bundle, BundleRefused, pack, unpack
from predictions import sealing, sealing_envelope
from predictions.payload import Outcome, Payload, PayloadRefused, decode, differences
from predictions.sealing_keys import KeyRefused, PrivateKey

Predict = Callable[[bytes, bytes], Payload]
"""What replays: the bytes of an artefact and of a snapshot in, the output record out. Deterministic (MD-07)."""

_HALF = b"prime/half/1\0"


@dataclass(frozen=True, slots=True)
class OpenedSeal:
    """One opened seal. `payload` is None where `fault` says why it does not count: not opened, or not what the model gives.

    `inputs_until` is the latest clinical date among its inputs, `known_to_reader` whether a reader of them knew the treatment.
    A sealed failure has no tag in any case; where its replay gives an answer, `fault` says so and the payload stays.
    """

    index: int
    study_number: str
    tier: int
    purpose: str
    sealed_at: int
    anchored_at: int | None
    inputs_until: date
    known_to_reader: bool
    payload: Payload | None
    fault: str


@dataclass(frozen=True, slots=True)
class Opening:
    """What an opening brought to light: every seal of the signed scope and the frozen cut (CSV)."""

    bundle: Bundle
    seals: tuple[OpenedSeal, ...]
    cut: bytes


def build_bundle(
    *,
    request: dict[str, Any],
    approvals: dict[str, bytes],
    rows: list[chain.Row],
    anchors: list[chain.Anchor],
    seals: dict[int, sealing_envelope.Envelope],
    snapshots: dict[str, bytes],
    artefacts: dict[str, sealing_envelope.Envelope],
    cut: sealing_envelope.Envelope,
) -> bytes:
    """The bundle file for a request. What is wrong with it is told by `opening_check.faults`, which peel and open ask first."""
    return pack(Bundle(request, approvals, tuple(rows), tuple(anchors), seals, snapshots, artefacts, cut))


def approve(request_digest: str, key: PrivateKey) -> bytes:
    """A custodian's approval of a request: the Ed25519 signature that goes into `approvals/<letter>.sig`."""
    return key.sign(custodianship.approval_message(request_digest))


def peel(data: bytes, key: PrivateKey, *, now: int, heads: tuple[chain.Anchor, ...] = ()) -> bytes:
    """Take off the first custodian's layer of everything in the signed scope; the result is for the second custodian alone.

    `now` in microseconds; `heads` are the anchors this custodian has received directly. Raises BundleRefused with every reason;
    nothing is decrypted before the whole bundle is found sound.
    """
    bundle = _sound(data, now, heads)
    _check_turn(bundle, key, 0)
    pair = bundle.request["pair"]
    try:
        seals = {str(index): _b64(sealing.peel(opening_check.record_of(bundle, index), pair, key)) for index in bundle.request["seals"]}
        files = {name: _b64(sealing_envelope.peel(*attached, pair, key)) for name, attached in _attached(bundle).items()}
    except KeyRefused as error:
        raise BundleRefused([str(error)]) from None
    half = {"request": bundle.request_digest, "seals": seals, "files": files}
    return pack(replace(bundle, half=half | {"signature": _b64(key.sign(_HALF + canonical(half)))}))


def open_half(data: bytes, key: PrivateKey, predict: Predict, *, now: int, heads: tuple[chain.Anchor, ...] = ()) -> Opening:
    """Open everything in the signed scope with the second custodian's key and replay it. Raises BundleRefused."""
    bundle = _sound(data, now, heads)
    _check_turn(bundle, key, 1)
    _check_half(bundle)
    try:
        files = {name: _file(bundle, name, key) for name in _attached(bundle)}
    except KeyRefused as error:
        raise BundleRefused([str(error)]) from None
    seals = tuple(_opened(bundle, index, key, files, predict) for index in bundle.request["seals"])
    return Opening(bundle, seals, files[bundle.request["cut"]])


def _sound(data: bytes, now: int, heads: tuple[chain.Anchor, ...]) -> Bundle:
    bundle = unpack(data)
    if found := opening_check.faults(bundle, now=now, heads=heads):
        raise BundleRefused(found)
    return bundle


def _check_turn(bundle: Bundle, key: PrivateKey, place: int) -> None:
    pair = bundle.request["pair"]
    letter = next((letter for letter, custodian in opening_check.custodians(bundle).items() if custodian.key == key.public), None)
    if letter is None:
        raise BundleRefused(["this key belongs to no custodian of this study"])
    if letter != pair[place]:
        layer = ("first", "second")[place]
        raise BundleRefused([f"this is the key of custodian {letter}; the {layer} layer of pair {pair} is that of {pair[place]}"])


def _attached(bundle: Bundle) -> dict[str, tuple[sealing_envelope.Envelope, dict[str, str]]]:
    """The cut and the artefacts with their associated data, by SHA-256 of the content."""
    study, cut = bundle.request["study"], bundle.request["cut"]
    artefacts = {name: (each, opening_check.artefact_associated(study, name)) for name, each in bundle.artefacts.items()}
    return artefacts | {cut: (bundle.cut, opening_check.cut_associated(study, cut))}


def _check_half(bundle: Bundle) -> None:
    half = bundle.half
    if not half:
        raise BundleRefused(["the first custodian has not peeled this bundle yet"])
    unsigned = {name: value for name, value in half.items() if name != "signature"}
    first = opening_check.custodians(bundle)[bundle.request["pair"][0]]
    try:
        signature = base64.b64decode(half.get("signature", ""))
    except ValueError:
        signature = b""
    if half.get("request") != bundle.request_digest or not first.key.verify(signature, _HALF + canonical(unsigned)):
        raise BundleRefused(["the half was not made by the first custodian for this request"])


def _file(bundle: Bundle, name: str, key: PrivateKey) -> bytes:
    envelope, associated = _attached(bundle)[name]
    half = base64.b64decode(bundle.half["files"][name])
    content = sealing_envelope.disclose(envelope, associated, bundle.request["pair"], half, key)
    if sha256(content).hexdigest() != name:
        raise KeyRefused(f"what was encrypted as {name} has another SHA-256")
    return content


def _opened(bundle: Bundle, index: int, key: PrivateKey, files: dict[str, bytes], predict: Predict) -> OpenedSeal:
    record = opening_check.record_of(bundle, index)
    said = record.associated
    snapshot = bundle.snapshots[said["snapshot"]]
    payload, fault, until, known = None, "", date.max, False
    try:
        until, known = _inputs(snapshot)
        half = base64.b64decode(bundle.half["seals"][str(index)])
        payload = decode(sealing.open_half(record, bundle.request["pair"], half, key).payload)
    except (KeyRefused, PayloadRefused) as error:
        fault = f"does not open: {error}"
    else:
        fault = _replay_fault(payload, said, files[said["model"]], snapshot, predict)
    anchor = chain.first_covering(bundle.anchors, index)
    counts = payload if not fault or (payload and payload.outcome == Outcome.FAILURE) else None
    where = (index, said["study_number"], int(said["tier"]), said["purpose"], bundle.rows[index].at)
    return OpenedSeal(*where, anchor.at if anchor else None, until, known, counts, fault)


def _inputs(snapshot: bytes) -> tuple[date, bool]:
    """The latest clinical date of a snapshot's inputs, and whether a reader of one of them knew the treatment."""
    try:
        inputs = json.loads(snapshot)["inputs"]
        return max(date.fromisoformat(each["on"]) for each in inputs if each["on"]), any(each["treatment_known"] for each in inputs)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PayloadRefused("its snapshot does not date its inputs") from None


def _replay_fault(payload: Payload, said: dict[str, str], artefact: bytes, snapshot: bytes, predict: Predict) -> str:
    """What the replay of one seal did not give again (UB-03), as one sentence; empty when it agrees."""
    made = payload.provenance
    if (made.model, made.snapshot) != (said["model"], said["snapshot"]):
        return "the record names another model or snapshot than its seal"
    try:
        replayed = predict(artefact, snapshot)
    except Exception as error:  # a foreign program: that it stops is a finding about this seal, not the end of the opening
        return f"the replay stopped with {type(error).__name__}"
    return "; ".join(differences(payload, replayed))


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
