"""The platform's side of an opening: the request that goes on the ledger, and the bundle for the two custodians (UB-01, UB-02).

Runs as the operator: no login of the site may read a seal. Nothing here can open anything.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts import anchors, audit, chain, ledger
from accounts.canonical import canonical, digest
from accounts.models import User
from analysis import cut, opening_check
from analysis.histories import rule_of
from analysis.opening import build_bundle
from analysis.opening_bundle import BundleRefused, unpack
from predictions import registry
from predictions.sealing_envelope import enclose, read_envelope
from predictions.sealing_keys import PublicKey
from studies import access
from studies.access import Permission
from studies.models import Study

REQUEST_FILE = "request.json"


@transaction.atomic
def request(
    *,
    study: Study,
    cut_folder: Path,
    reason: str,
    requester: str,
    pair: str,
    days: int,
    recipients: Mapping[str, PublicKey],
    by: User,
    out: Path,
) -> dict[str, Any]:
    """Write the request for opening every seal of a study with a frozen cut, and enter it on the ledger.

    `requester` is a username; the result is encrypted to `recipients` (name → key). Raises BundleRefused with every reason.
    """
    access.require_operator(by, Permission.STUDY_SETUP, study)
    rows, known = ledger.rows(study.code), anchors.outside(study.code, synthetic=study.synthetic)
    manifest = json.loads((cut_folder / cut.MANIFEST).read_bytes())
    made_at = max(chain.microseconds(study.now()), rows[-1].at)
    if found := _faults(
        study=study, rows=rows, known=known, manifest=manifest, made_at=made_at, requester=requester, reason=reason, days=days
    ):
        raise BundleRefused(found)
    asked = {
        "v": 1,
        "study": study.code,
        "requester": requester,
        "reason": reason.strip(),
        "made_at": made_at,
        "expires_at": made_at + timedelta(days=days) // timedelta(microseconds=1),
        "pair": pair,
        "seals": [row.index for row in rows if row.kind == "seal"],
        "cut": manifest["cut"],
        "plan": _plan(rows),
        "head": {"index": rows[-1].index, "h": rows[-1].head.hex()},
        "rule": asdict(rule_of(study)),
        "recipients": {name: key.as_json() for name, key in recipients.items()},
    }
    out.mkdir(mode=0o700, parents=True)
    (out / REQUEST_FILE).write_bytes(canonical(asked) + b"\n")
    (out / cut.ENCRYPTED).write_bytes((cut_folder / cut.ENCRYPTED).read_bytes())
    audit.record(kind="export", by=by, subject="opening request", detail={"study": study.code, "seals": len(asked["seals"])})
    at = chain.instant(made_at) if study.synthetic else None
    ledger.append(study=study.code, kind="opening", body=_entered(asked), at=at)
    return asked


def _entered(asked: dict[str, Any]) -> dict[str, Any]:
    """What the ledger says of a request: its digest, and what people may know before anything is opened."""
    said = {name: asked[name] for name in ("cut", "pair", "expires_at", "requester")}
    return said | {"request": digest(asked), "seals": len(asked["seals"])}


def bundle(*, study: Study, folder: Path, approvals: Mapping[str, bytes], artefacts: list[bytes], by: User) -> bytes:
    """The bundle for a request. Raises BundleRefused with every fault that the custodians' own check would find."""
    access.require_operator(by, Permission.STUDY_SETUP, study)
    asked = json.loads((folder / REQUEST_FILE).read_bytes())
    envelopes, snapshots = cut.sealed(study)
    custodians = registry.custodians(study)
    scope = {index: envelope for index, envelope in envelopes.items() if index in set(asked["seals"])}
    escrow = {sha256(data).hexdigest(): data for data in artefacts}
    data = build_bundle(
        request=asked,
        approvals=dict(approvals),
        rows=ledger.rows(study.code),
        anchors=anchors.outside(study.code, synthetic=study.synthetic),
        seals=scope,
        snapshots=snapshots,
        artefacts={name: enclose(each, opening_check.artefact_associated(study.code, name), custodians) for name, each in escrow.items()},
        cut=read_envelope(json.loads((folder / cut.ENCRYPTED).read_bytes())),
    )
    if found := opening_check.faults(unpack(data), now=max(chain.microseconds(study.now()), asked["made_at"])):
        raise BundleRefused(found)
    audit.record(kind="export", by=by, subject="opening bundle", detail={"study": study.code, "seals": len(scope)})
    return data


def _faults(
    *,
    study: Study,
    rows: list[chain.Row],
    known: list[chain.Anchor],
    manifest: dict[str, Any],
    made_at: int,
    requester: str,
    reason: str,
    days: int,
) -> list[str]:
    found = []
    if manifest["study"] != study.code or manifest["kind"] != "opening":
        found.append(_("The cut is not an opening cut of %(study)s.") % {"study": study.code})
    locks = [row.index for row in rows if row.kind == "lock" and json.loads(row.body).get("cut") == manifest["cut"]]
    if not locks:
        found.append(_("The ledger of %(study)s knows no lock of this cut.") % {"study": study.code})
    elif (covering := chain.first_covering(known, locks[0])) is None or covering.at > made_at:
        found.append(_("The lock of this cut is not anchored yet; ask again after the next anchor."))
    if not any(row.kind == "seal" for row in rows):
        found.append(_("There is no seal to open."))
    if not _plan(rows):
        found.append(_("The analysis plan was not on the ledger before the first seal."))
    if not User.objects.filter(username=requester, is_active=True).exists():
        found.append(_("There is no person called %(name)s.") % {"name": requester})
    if not reason.strip():
        found.append(_("Say why the seals are to be opened."))
    if days < 1:
        found.append(_("A request is valid for at least one day."))
    return found


def _plan(rows: list[chain.Row]) -> str:
    """The last plan before the first seal, or nothing."""
    first = next((row.index for row in rows if row.kind == "seal"), len(rows))
    plans = [json.loads(row.body)["plan"] for row in rows if row.kind == "plan" and row.index < first]
    return plans[-1] if plans else ""
