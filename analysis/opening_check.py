"""Whether a bundle may be opened: everything that can be checked before a key touches it.

Source: UB-01, UB-02, SL-04, MD-05, `docs/sealing.md`. Each fault is one sentence; a single one forbids the opening. The bodies
of ledger records are read by these names: genesis {study}; activation {custodians: {A: {person, key}, …}}; plan {plan};
model_declared {model, tier}; lock and cut {cut}; opening {request}; seal as in `predictions.sealing`.
"""

from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from accounts import chain
from analysis import custodianship
from analysis.custodianship import Custodian, approval_message
from analysis.opening_bundle import Bundle, BundleRefused
from analysis.strategy import Rule
from predictions import sealing
from predictions.sealing_envelope import CUSTODIANS, PAIRS
from predictions.sealing_keys import PublicKey

REQUEST = frozenset(
    {"v", "study", "requester", "reason", "made_at", "expires_at", "pair", "seals", "cut", "plan", "head", "rule", "recipients"}
)


def custodians(bundle: Bundle) -> dict[str, Custodian]:
    """The custodians that the last activation record before the request names. Raises BundleRefused where the ledger names no three."""
    try:
        return custodianship.named(bundle.rows, bundle.request["head"]["index"])
    except ValueError as error:
        raise BundleRefused([str(error)]) from None


def recipients(request: dict[str, Any]) -> dict[str, PublicKey]:
    """To whom the result is encrypted, by name; an empty object leaves it in clear on the second custodian's device."""
    found = {name: PublicKey.from_json(value) for name, value in request["recipients"].items()}
    if not all(name.isidentifier() for name in found):
        raise ValueError("a recipient's name is one word of letters, digits and underscores")
    return found


def record_of(bundle: Bundle, index: int) -> sealing.SealRecord:
    """The seal of a ledger row: the associated data are the ledger's, never those that came with the envelope."""
    body = bundle.body(index)
    if anew := custodianship.rewrapped(bundle.rows, bundle.request["head"]["index"]).get(index):
        body["wraps"] = anew
    return sealing.SealRecord({name: body[name] for name in sealing.ASSOCIATED}, bundle.seals[index], body)


def artefact_associated(study: str, artefact: str) -> dict[str, str]:
    """The associated data under which a model artefact is encrypted to the custodians."""
    return {"study": study, "purpose": "artefact", "sha256": artefact}


def cut_associated(study: str, cut: str) -> dict[str, str]:
    """The associated data under which an opening cut is encrypted to the custodians."""
    return {"study": study, "purpose": "cut", "sha256": cut}


def entered_at(bundle: Bundle) -> int | None:
    """The ledger's time (microseconds) of the opening record that names this request, or None."""
    later = (row for row in bundle.rows if row.kind == "opening" and row.index > bundle.request["head"]["index"])
    return next((row.at for row in later if bundle.body(row.index).get("request") == bundle.request_digest), None)


def faults(bundle: Bundle, *, now: int, heads: tuple[chain.Anchor, ...] = ()) -> list[str]:
    """Why the bundle may not be opened at `now` (microseconds), a sentence each; empty when it may.

    `heads` are anchors that the custodian received directly, outside the bundle: whoever made the bundle cannot choose them.
    """
    if found := _form_faults(bundle.request):
        return found
    found = chain.verify(bundle.rows, (*bundle.anchors, *heads))
    if not bundle.anchors:
        found.append("the bundle holds no outside anchor")
    if found:
        return found
    try:
        return [
            *_request_faults(bundle, now),
            *_approval_faults(bundle),
            *_precondition_faults(bundle),
            *_scope_faults(bundle),
        ]
    except BundleRefused as refused:
        return refused.reasons
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return [f"a record of the ledger or the request cannot be read: {error!r}"]


def _form_faults(request: Any) -> list[str]:
    if not isinstance(request, dict) or set(request) != REQUEST or request["v"] != 1:
        return ["the request is not one of version 1: it has exactly " + ", ".join(sorted(REQUEST))]
    if request["pair"] not in PAIRS:
        return ["the request names no pair of custodians: " + ", ".join(PAIRS)]
    if not isinstance(request["seals"], list) or request["seals"] != sorted(set(request["seals"])):
        return ["the request lists its seals once each, in order"]
    try:
        Rule(**request["rule"])
        recipients(request)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return [f"the request's rule or one of its recipients cannot be read: {error!r}"]
    return []


def _request_faults(bundle: Bundle, now: int) -> Iterator[str]:
    request = bundle.request
    if bundle.rows[0].kind != "genesis" or bundle.body(0)["study"] != request["study"]:
        yield f"the ledger is not that of {request['study']}"
    if now >= request["expires_at"]:
        yield f"the request expired at {chain.instant(request['expires_at']).isoformat()}"
    ahead = bundle.rows[-1].at if bundle.body(0).get("synthetic") is True else 0  # a SYNTHETIC chain's clock may run ahead
    if max(now, ahead) < request["made_at"]:
        yield "the request is dated in the future: check this machine's clock"
    head = request["head"]["index"]
    if head >= len(bundle.rows) or bundle.rows[head].head.hex() != request["head"]["h"]:
        yield "the ledger does not contain the head that the request was made at"
    if entered_at(bundle) is None:
        yield "the request is not entered on the ledger"


def _approval_faults(bundle: Bundle) -> Iterator[str]:
    known, pair = custodians(bundle), bundle.request["pair"]
    if len({custodian.person for custodian in known.values()}) != len(CUSTODIANS):
        yield "one person holds two of the three keys"
    for letter in pair:
        if known[letter].person == bundle.request["requester"]:
            yield f"{known[letter].person} made the request and may not approve it"
        if letter not in bundle.approvals:
            yield f"custodian {letter} has not approved the request"
        elif not known[letter].key.verify(bundle.approvals[letter], approval_message(bundle.request_digest)):
            yield f"the approval of custodian {letter} is not a signature on this request"


def _precondition_faults(bundle: Bundle) -> Iterator[str]:
    """UB-02: the plan before the first seal; the data frozen and known outside before the opening."""
    request = bundle.request
    first_seal = min((row.index for row in bundle.rows if row.kind == "seal"), default=len(bundle.rows))
    plans = [row.index for row in bundle.rows if row.kind == "plan" and bundle.body(row.index).get("plan") == request["plan"]]
    if not any(index < first_seal for index in plans):
        yield "the analysis plan was not on the ledger before the first seal"
    frozen = [row.index for row in bundle.rows if row.kind in ("lock", "cut") and bundle.body(row.index).get("cut") == request["cut"]]
    opened = entered_at(bundle) or 0
    anchored = [chain.first_covering(bundle.anchors, index) for index in frozen if index <= request["head"]["index"]]
    if not any(anchor is not None and anchor.at <= opened for anchor in anchored):
        yield "the data of the cut were not locked and anchored before the opening was entered"


def _scope_faults(bundle: Bundle) -> Iterator[str]:
    request = bundle.request
    if sorted(bundle.seals) != request["seals"]:
        yield "the bundle does not hold exactly the seals that the request lists"
        return
    declared = {(body["model"], body["tier"]): index for index, body in reversed(list(_bodies(bundle, "model_declared")))}
    for index in request["seals"]:
        if index > request["head"]["index"] or bundle.rows[index].kind != "seal":
            yield f"row {index} is no seal that existed when the request was made"
            continue
        yield from (f"seal {index}: {fault}" for fault in _seal_faults(bundle, index, declared))
    confirmatory = Counter(
        (body["study_number"], body["tier"]) for _, body in _bodies(bundle, "seal") if body["purpose"] == sealing.CONFIRMATORY
    )
    yield from (f"{number} has {count} confirmatory seals of tier {tier}" for (number, tier), count in confirmatory.items() if count > 1)


def _seal_faults(bundle: Bundle, index: int, declared: dict[tuple[str, str], int]) -> Iterator[str]:
    try:
        record = record_of(bundle, index)
    except KeyError as error:
        yield f"its ledger record lacks {error}"
        return
    yield from sealing.faults(record)
    said = record.associated
    if said["study"] != bundle.request["study"]:
        yield f"it belongs to {said['study']}"
    if sha256(bundle.snapshots.get(said["snapshot"], b"")).hexdigest() != said["snapshot"]:
        yield "the snapshot that it names is missing or changed"
    if said["model"] not in bundle.artefacts:
        yield "the artefact of its model is missing"
    if said["purpose"] == sealing.CONFIRMATORY and declared.get((said["model"], said["tier"]), index) >= index:
        yield "its model was not declared for its tier before it"


def _bodies(bundle: Bundle, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
    return ((row.index, bundle.body(row.index)) for row in bundle.rows if row.kind == kind)
