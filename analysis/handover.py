"""Giving one custodian's part to another person: the two who stay wrap every seal's key anew, and open no prediction.

Source: SL-01, DI-07, docs/custodian.md. Used when a custodian leaves or a key is lost. The bundle is one JSON file: request, approvals of
the two who stay, the ledger, the envelopes. The first peels, the second takes each key out and wraps it for the three of now; ciphertexts
stay as they are. Pure: bytes in, bytes out.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from accounts import chain
from accounts.canonical import canonical, digest
from analysis import custodianship
from analysis.custodianship import Custodian, approval_message
from analysis.opening_bundle import BundleRefused
from predictions import sealing, sealing_envelope
from predictions.sealing_envelope import CUSTODIANS, PAIRS, Envelope, envelope_json, read_envelope
from predictions.sealing_keys import KeyRefused, PrivateKey, PublicKey

REQUEST = frozenset(
    {"v", "purpose", "study", "requester", "reason", "made_at", "expires_at", "pair", "replaced", "new", "seals", "head"}
)  # fmt: skip
_HALF, _RESULT = b"prime/handover-half/1\0", b"prime/handover/1\0"
Wraps = dict[int, dict[str, bytes]]
"""Ledger index → pair → wrap."""


@dataclass(frozen=True)
class Handover:
    """What the two who stay receive; `half` is empty until the first has peeled."""

    request: dict[str, Any]
    approvals: dict[str, bytes]
    rows: tuple[chain.Row, ...]
    seals: dict[int, Envelope]
    half: dict[str, Any] = field(default_factory=dict)

    @property
    def request_digest(self) -> str:
        return digest(self.request)


def pack(bundle: Handover) -> bytes:
    """The bytes of a bundle."""
    return canonical(
        {
            "request": bundle.request,
            "approvals": {letter: _b64(signature) for letter, signature in bundle.approvals.items()},
            "rows": [
                [row.index, row.at, row.kind, _b64(row.body), row.nonce.hex(), row.commitment.hex(), row.head.hex()] for row in bundle.rows
            ],
            "seals": {str(index): envelope_json(envelope) for index, envelope in bundle.seals.items()},
            "half": bundle.half,
        }
    )


def unpack(data: bytes) -> Handover:
    """The bundle in its bytes. Raises BundleRefused for others; what it says is not yet checked."""
    try:
        value = json.loads(data)
        bundle = Handover(
            value["request"],
            {letter: base64.b64decode(signature) for letter, signature in value["approvals"].items()},
            tuple(
                chain.Row(index, at, kind, base64.b64decode(body), *(bytes.fromhex(each) for each in rest))
                for index, at, kind, body, *rest in value["rows"]
            ),
            {int(index): read_envelope(envelope) for index, envelope in value["seals"].items()},
            value["half"],
        )
        whole = pack(bundle) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BundleRefused([f"this is no bundle of a handover: {error!r}"]) from None
    if not whole:
        raise BundleRefused(["this is no bundle of a handover as the platform writes it: a byte was changed or added"])
    return bundle


def faults(bundle: Handover, *, now: int, received: tuple[chain.Anchor, ...] = ()) -> list[str]:
    """Why the part may not be handed on at `now` (microseconds), a sentence each; `received` are heads of the custodian's own."""
    request = bundle.request
    if not isinstance(request, dict) or set(request) != REQUEST or request["v"] != 1 or request["purpose"] != "replace":
        return ["the request is not one of version 1: it has exactly " + ", ".join(sorted(REQUEST))]
    if found := chain.verify(bundle.rows, received):
        return found
    try:
        return [*_request_faults(bundle, now), *_seal_faults(bundle)]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        return [f"a record of the ledger or the request cannot be read: {error!r}"]


def peel(data: bytes, key: PrivateKey, *, now: int, received: tuple[chain.Anchor, ...] = ()) -> bytes:
    """Take off the first one's layer of every seal's key. Raises BundleRefused with every reason; nothing is decrypted before."""
    bundle = _sound(data, now, received)
    pair = _turn(bundle, key, 0)
    try:
        seals = {str(index): _b64(sealing.peel(record, pair, key)) for index, record in _records(bundle).items()}
    except KeyRefused as error:
        raise BundleRefused([str(error)]) from None
    half = {"request": bundle.request_digest, "seals": seals}
    return pack(replace(bundle, half=half | {"signature": _b64(key.sign(_HALF + canonical(half)))}))


def wrap(data: bytes, key: PrivateKey, *, now: int, received: tuple[chain.Anchor, ...] = ()) -> bytes:
    """Wrap every seal's key anew for the three of now; the operator enters the result. Raises BundleRefused."""
    bundle = _sound(data, now, received)
    pair = _turn(bundle, key, 1)
    unsigned = {name: value for name, value in bundle.half.items() if name != "signature"}
    first = _named(bundle)[pair[0]].key
    if unsigned.get("request") != bundle.request_digest or not first.verify(
        base64.b64decode(bundle.half.get("signature", "")), _HALF + canonical(unsigned)
    ):
        raise BundleRefused(["the half was not made by the first custodian for this request"])
    keys = {letter: custodian.key for letter, custodian in after(bundle.rows, bundle.request).items()}
    wraps = {}
    try:
        for index, record in _records(bundle).items():
            half = base64.b64decode(bundle.half["seals"][str(index)])
            anew = sealing_envelope.rewrap(record.envelope, record.associated, pair, half, key, custodians=keys)
            wraps[str(index)] = {each: _b64(content) for each, content in anew.items()}
    except KeyRefused as error:
        raise BundleRefused([str(error)]) from None
    result = {"request": bundle.request_digest, "wraps": wraps}
    return canonical(result | {"signature": _b64(key.sign(_RESULT + canonical(result)))})


def read_result(data: bytes, second: PublicKey, request_digest: str) -> Wraps:
    """The new wraps, made by the second of the pair for this request. Raises BundleRefused."""
    try:
        value = json.loads(data)
        unsigned = {"request": value["request"], "wraps": value["wraps"]}
        signed = second.verify(base64.b64decode(value["signature"]), _RESULT + canonical(unsigned))
        wraps = {int(index): {pair: base64.b64decode(one[pair]) for pair in PAIRS} for index, one in value["wraps"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleRefused([f"these are no new wraps: {error!r}"]) from None
    if not signed or value["request"] != request_digest:
        raise BundleRefused(["the wraps were not made by the second custodian for this request"])
    return wraps


def after(rows: tuple[chain.Row, ...], request: Mapping[str, Any]) -> dict[str, Custodian]:
    """The three custodians that there will be."""
    before = custodianship.named(rows, request["head"]["index"])
    new = Custodian(request["new"]["person"], PublicKey.from_json(request["new"]["key"]))
    return before | {request["replaced"]: new}


def _request_faults(bundle: Handover, now: int) -> list[str]:
    request, known, found = bundle.request, _named(bundle), []
    stays = "".join(letter for letter in CUSTODIANS if letter != request["replaced"])
    if request["replaced"] not in CUSTODIANS or request["pair"] != stays:
        found.append("the two who stay hand the part of the third on")
    if len({custodian.person for custodian in after(bundle.rows, request).values()}) != len(CUSTODIANS):
        found.append("one person would hold two of the three keys")
    if request["new"]["key"] in [custodian.key.as_json() for custodian in known.values()]:
        found.append("the new key is one of those that there are")
    if json.loads(bundle.rows[0].body)["study"] != request["study"] or bundle.rows[0].kind != "genesis":
        found.append(f"the ledger is not that of {request['study']}")
    if now >= request["expires_at"]:
        found.append(f"the request expired at {chain.instant(request['expires_at']).isoformat()}")
    if bundle.rows[-1].index != request["head"]["index"] or bundle.rows[-1].head.hex() != request["head"]["h"]:
        found.append("the ledger does not end with the head that the request was made at")
    for letter in stays:
        if known[letter].person == request["requester"]:
            found.append(f"{known[letter].person} made the request and may not approve it")
        if not known[letter].key.verify(bundle.approvals.get(letter, b""), approval_message(bundle.request_digest)):
            found.append(f"custodian {letter} has not approved the request")
    return found


def _seal_faults(bundle: Handover) -> list[str]:
    sealed = [row.index for row in bundle.rows if row.kind == "seal"]
    if not sealed == sorted(bundle.seals) == bundle.request["seals"]:
        return ["the bundle does not hold exactly the seals of the ledger"]
    return [f"seal {index}: {fault}" for index, record in _records(bundle).items() for fault in sealing.faults(record)]


def _records(bundle: Handover) -> dict[int, sealing.SealRecord]:
    anew = custodianship.rewrapped(bundle.rows, bundle.request["head"]["index"])
    found = {}
    for index, envelope in sorted(bundle.seals.items()):
        body = json.loads(bundle.rows[index].body)
        body["wraps"] = anew.get(index, body["wraps"])
        found[index] = sealing.SealRecord({name: body[name] for name in sealing.ASSOCIATED}, envelope, body)
    return found


def _named(bundle: Handover) -> dict[str, Custodian]:
    return custodianship.named(bundle.rows, bundle.request["head"]["index"])


def _sound(data: bytes, now: int, received: tuple[chain.Anchor, ...]) -> Handover:
    bundle = unpack(data)
    if found := faults(bundle, now=now, received=received):
        raise BundleRefused(found)
    return bundle


def _turn(bundle: Handover, key: PrivateKey, place: int) -> str:
    pair: str = bundle.request["pair"]
    if _named(bundle)[pair[place]].key != key.public:
        raise BundleRefused([f"the {('first', 'second')[place]} of the two who stay is custodian {pair[place]}; this is another key"])
    return pair


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
