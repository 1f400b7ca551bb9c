"""After a database was restored: the chain goes on where others saw it, or two custodians say that it forks. Never silently.

Source: docs/outside.md, blinding §5, DI-07. A chain that does not contain a head which left the house is *behind*: nothing is sealed and
pages write nothing until the missing rows and seals were taken back from a restricted bundle (sealed again they would be other seals), or
a fork was approved and entered. Runs as the owner of the database.
"""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import transaction

from accounts import anchors, chain, heads, ledger, prime_verify
from accounts.canonical import digest
from accounts.models import LedgerRow, User
from predictions import registry
from predictions.models import Batch, ModelVersion, Seal, Snapshot
from predictions.sealing import ASSOCIATED
from studies import access
from studies.access import Permission
from studies.models import Participant, Study

FORK = frozenset({"v", "purpose", "study", "requester", "reason", "made_at", "expires_at", "pair", "seals", "head", "lost"})
APPROVAL = b"prime/approval/1\0"


class RestoreRefused(Exception):
    """The chain cannot be taken on; `reasons` says why, a sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


def behind(study: str, received: Iterable[heads.Head] = ()) -> list[str]:
    """What heads that left the house say against the chain as it is; empty when it contains them all."""
    links = [row.link for row in ledger.rows(study)]
    resolved, faults = heads.resolve([head for head in received if head.study in (None, study)], links)
    return faults + chain.verify_links(links, [*anchors.read(study), *anchors.received(study), *resolved])


@transaction.atomic
def take_back(*, study: Study, bundles: list[Path], received: list[heads.Head], by: User) -> list[str]:
    """Take the missing rows and seals from restricted bundles, and enter that it was done; what could not be taken back, a sentence each.

    Raises RestoreRefused where the bundles contradict the chain or it still does not contain every head.
    """
    access.require_operator(by, Permission.STUDY_SETUP, study)
    before = ledger.rows(study.code)
    read = [prime_verify.read_bundle(path) for path in bundles]
    if not read or any(each["head"]["study"] != study.code for each in read):
        raise RestoreRefused(["the bundles are not those of this study"])
    if found := prime_verify.faults(read, [], gap=10**6):
        raise RestoreRefused(found)
    newest = max(read, key=lambda each: len(each["links"]))["links"]
    if len(newest) < len(before) or [row.head for row in before] != [head for _, _, head in newest[: len(before)]]:
        raise RestoreRefused(["the chain here is no beginning of that in the bundles: it went on by itself, which only a fork can say"])
    records = {index: record for each in read for index, record in each["records"].items()}
    lost = [f"row {index}: no bundle holds its record" for index, _, _ in newest[len(before) :] if index not in records]
    if lost:
        raise RestoreRefused(lost)
    for index, commitment, head in newest[len(before) :]:
        at, kind, body, nonce = records[index]
        LedgerRow.objects.create(
            study=study.code, index=index, at_us=at, kind=kind, body=body, nonce=nonce, commitment=commitment, h=head, login="restored"
        )
    if found := behind(study.code, received):
        raise RestoreRefused(found)
    missed = _seals(study, records, read, after=len(before))
    named = {path.name: sha256(path.read_bytes()).hexdigest() for path in bundles}
    _enter(study, {"from": len(before), "to": len(newest), "bundles": named})
    return missed


@transaction.atomic
def fork(*, study: Study, asked: dict[str, Any], approvals: Mapping[str, bytes], by: User) -> None:
    """Go on from the chain as it is, giving up rows that others saw: approved by two custodians, and told on the ledger for good."""
    access.require_operator(by, Permission.STUDY_SETUP, study)
    rows, keys, found = ledger.rows(study.code), registry.custodians(study), []
    if set(asked) != FORK or asked["purpose"] != "fork" or asked["study"] != study.code:
        raise RestoreRefused(["this is no request for a fork of this study"])
    if asked["head"] != {"index": rows[-1].index, "h": rows[-1].head.hex()}:
        found.append("the request was made at another head")
    if chain.microseconds(study.now()) >= asked["expires_at"]:
        found.append("the request expired")
    signed = APPROVAL + bytes.fromhex(digest(asked))
    pair = asked["pair"] if len(set(asked["pair"])) == 2 else ""
    given = [letter for letter in pair if letter in keys and keys[letter].verify(approvals.get(letter, b""), signed)]
    if len(given) != 2:
        found.append("two custodians have not approved the fork")
    if found:
        raise RestoreRefused(found)
    anchors.set_aside(study.code)
    _enter(study, {"fork": asked["lost"], "request": digest(asked)})


def fork_request(*, study: Study, requester: str, reason: str, pair: str, days: int) -> dict[str, Any]:
    """The request for a fork; `lost` is the newest head that is given up."""
    rows = ledger.rows(study.code)
    known = [anchor for anchor in (*anchors.read(study.code), *anchors.received(study.code))]
    lost = max(known, key=lambda anchor: anchor.at, default=None)
    made_at = max(chain.microseconds(study.now()), rows[-1].at)
    return {
        "v": 1, "purpose": "fork", "study": study.code, "requester": requester, "reason": reason, "made_at": made_at,
        "expires_at": made_at + days * heads.DAY, "pair": pair, "seals": [],
        "head": {"index": rows[-1].index, "h": rows[-1].head.hex()},
        "lost": None if lost is None else {"index": lost.index, "h": lost.head.hex()},
    }  # fmt: skip


def _seals(study: Study, records: dict[int, Any], bundles: list[dict[str, Any]], *, after: int) -> list[str]:
    """Store the seals of the rows that were taken back, as they were sealed; a sentence for each that has nobody to belong to."""
    envelopes = prime_verify.seals_of(bundles)
    snapshots = {name: content for each in bundles for name, content in each["snapshots"].items()}
    people = {each.study_number: each for each in Participant.objects.filter(study=study)}
    models = {each.artefact_sha256: each for each in ModelVersion.objects.filter(study=study)}
    missed = []
    for index, (at, kind, body, _nonce) in sorted(records.items()):
        if kind != "seal" or index < after:
            continue
        said = json.loads(body)
        participant, model = people.get(said["study_number"]), models.get(said["model"])
        if participant is None or model is None:
            missed.append(f"seal {index}: {said['study_number']} or its model is not in the restored database; the bundle keeps the seal")
            continue
        batch, _made = Batch.objects.get_or_create(study=study, at=chain.instant(at))
        content = snapshots[said["snapshot"]]
        given = {"participant": participant, "tier": said["tier"], "sha256": said["snapshot"]}
        snapshot, _made = Snapshot.objects.get_or_create(**given, defaults={"content": content})
        envelope = prime_verify.opened_envelope(envelopes[index])
        Seal.objects.create(
            batch=batch, participant=participant, tier=said["tier"], purpose=said["purpose"], model=model, snapshot=snapshot,
            ciphertext=envelope["ciphertext"], wrap_ab=envelope["AB"], wrap_ac=envelope["AC"], wrap_bc=envelope["BC"],
            body={name: said[name] for name in (*ASSOCIATED, "suite", "ciphertext", "wraps", "payload")}, ledger_index=index,
        )  # fmt: skip
    return missed


def _enter(study: Study, body: dict[str, Any]) -> None:
    last = chain.instant(ledger.rows(study.code)[-1].at)
    at = max(study.now(), last) if study.synthetic else None
    ledger.append(study=study.code, kind="restore", body=body, at=at)
    anchors.clear(study.code)
