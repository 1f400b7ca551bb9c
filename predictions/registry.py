"""Which models and custodians a study has: registered with their hashes, declared on the ledger, loaded only after verification.

The artefact itself lies on the inference host (`PRIME_VAR/infer/models/<sha256>.json`); the registry knows its hash (MD-04,
docs/sealing.md on custody).
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts import audit, ledger
from accounts.canonical import digest
from accounts.models import User
from accounts.saving import save_checked
from accounts.transitions import advance
from predictions import approval
from predictions.models import Custodian, ModelVersion, Rewrap, Seal
from predictions.sealing_envelope import Envelope
from predictions.sealing_keys import PublicKey
from predictions.training import artefact
from predictions.training.card import page, public
from studies import access
from studies.models import Study
from studies.vocabulary import Phase

REGISTER = "model.register"


class ArtefactMissing(Exception):
    """The file of a registered model is not on this host, or is not the one that was registered."""


def folder() -> Path:
    """Where the inference host keeps its artefacts."""
    return Path(settings.VAR) / "infer" / "models"


@transaction.atomic
def register(*, study: Study, name: str, data: bytes, data_sha256: str, commit: str, intended_use: str, by: User) -> ModelVersion:
    """Register a model from its artefact's bytes, as a draft. Raises ArtefactRefused for bytes that are no strategy model."""
    access.require_operator(by, REGISTER, study)
    model = artefact.load(data)
    version = ModelVersion(
        study=study,
        name=name,
        tier=model.tier,
        artefact_sha256=hashlib.sha256(data).hexdigest(),
        data_sha256=data_sha256,
        commit=commit,
        intended_use=intended_use,
        registered_at=timezone.now(),
    )
    with audit.act(by=by, action="model.registered"):
        save_checked(version)
    return version


@transaction.atomic
def validate(*, version: ModelVersion, report: bytes, by: User) -> ModelVersion:
    """Take a draft for validated by the report that somebody read: its hash, and its public part as the model's card.

    Raises ValidationError for a report that is of another model, or of no training.
    """
    access.require_operator(by, REGISTER, version.study)
    with audit.act(by=by, action="model.validated"):
        version = advance(version, ModelVersion.Status.VALIDATED)
        version.report_sha256 = hashlib.sha256(report).hexdigest()
        version.card = _card(version, report)
        save_checked(version)
    return version


def _card(version: ModelVersion, report: bytes) -> dict[str, Any]:
    try:
        card = public.of(json.loads(report))
        page.sections(card, "en", public=True)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValidationError("report.json is no report of a training") from None
    if card["model_sha256"] != version.artefact_sha256:
        raise ValidationError("report.json is of another model")
    return card


def blinded_here() -> list[str]:
    """The codes of real studies that are blinded on this installation: no training table is cut and no model trained where one is."""
    running = Study.objects.filter(synthetic=False, pk__in=Custodian.objects.values("study")).exclude(phase=Phase.PUBLISHED)
    return list(running.order_by("code").values_list("code", flat=True))


def to_sign(version: ModelVersion) -> dict[str, str]:
    """The statement that two custodians sign before a model is locked."""
    return {
        "act": "lock model",
        "study": version.study.code,
        "tier": version.tier,
        "model": version.artefact_sha256,
        "data": version.data_sha256,
        "report": version.report_sha256,
        "commit": version.commit,
        "use": version.intended_use,
    }


@transaction.atomic
def lock(*, version: ModelVersion, signatures: Mapping[str, str], by: User) -> ModelVersion:
    """Lock a validated model for its tier and declare it on the ledger; from then on it alone makes that tier's seals (MD-05).

    Raises ApprovalRefused without the signatures of two custodians on `to_sign`.
    """
    access.require_operator(by, REGISTER, version.study)
    with audit.act(by=by, action="model.locked"):
        version = advance(version, ModelVersion.Status.LOCKED)
        version.signed_by = approval.pair(to_sign(version), signatures, custodians(version.study))
        version.signatures = dict(signatures)
        version.save()
    body = {"model": version.artefact_sha256, "tier": version.tier, "data": version.data_sha256, "commit": version.commit}
    body |= {"report": version.report_sha256, "signatures": version.signatures}
    ledger.append(study=version.study.code, kind="model_declared", body=body, at=version.study.ledger_time())
    return version


@transaction.atomic
def retire(*, version: ModelVersion, reason: str, by: User) -> ModelVersion:
    """End a model's service. What it sealed stays; nobody whom it sealed is sealed again in its tier (PR-06, MD-05)."""
    access.require_operator(by, REGISTER, version.study)
    if not reason.strip():
        raise ValidationError("Say why the model is retired.")
    with audit.act(by=by, action="model.retired", reason=reason.strip()):
        version = advance(version, ModelVersion.Status.RETIRED)
        version.save()
    return version


@transaction.atomic
def activate(*, study: Study, keys: dict[str, tuple[str, PublicKey]], by: User, proven: bool = False) -> None:
    """Name a study's three custodians (letter → person and public key) in the database and on the ledger.

    `proven` says that each answered a challenge for his key; a study that is not SYNTHETIC takes no others (blinding §7).
    """
    access.require_operator(by, REGISTER, study)
    if not proven and not study.synthetic:
        raise ValidationError("A custodian proves that he holds his key before he is named.")
    if sorted(keys) != ["A", "B", "C"]:
        raise ValidationError("A study has three custodians: A, B and C.")
    said: dict[str, Any] = {}
    with audit.act(by=by, action="custodians.named"):
        for letter, (person, key) in sorted(keys.items()):
            custodian = Custodian(study=study, letter=letter, public_key=key.as_json(), fingerprint=key.fingerprint)
            save_checked(custodian)
            said[letter] = {"person": person, "key": key.as_json()}
    body = {"custodians": said, "protocol": study.protocol_digest, "proven": proven}
    ledger.append(study=study.code, kind="activation", body=body, at=study.ledger_time())


@transaction.atomic
def replace_custodian(
    *, study: Study, letter: str, person: str, key: PublicKey, wraps: Mapping[int, Mapping[str, bytes]], request: str, by: User
) -> None:
    """Give a letter to another person: key and wraps in the database, hashes on the ledger. `request` is the digest that two signed."""
    access.require_operator(by, REGISTER, study)
    seals = {seal.ledger_index: seal for seal in Seal.objects.filter(participant__study=study)}
    if seals.keys() != wraps.keys():
        raise ValidationError("Every seal of the study is wrapped anew, or none.")
    before = {row.letter: row for row in Custodian.objects.select_for_update().filter(study=study)}
    persons = _persons(study) | {letter: person}
    with audit.act(by=by, action="custodian.replaced"):
        before[letter].public_key, before[letter].fingerprint = key.as_json(), key.fingerprint
        before[letter].full_clean()
        before[letter].save()
    named = {each: {"person": persons[each], "key": row.public_key} for each, row in sorted(before.items())}
    envelopes = {index: Envelope(b"", dict(each)) for index, each in wraps.items()}
    listed = {str(index): envelope.wraps_digest for index, envelope in sorted(envelopes.items())}
    body = {"custodians": named, "protocol": study.protocol_digest, "replaced": letter, "request": request, "wraps": listed}
    row = ledger.append(study=study.code, kind="activation", body=body, at=study.ledger_time())
    Rewrap.objects.bulk_create(
        Rewrap(seal=seals[index], ledger_index=row.index, wrap_ab=each["AB"], wrap_ac=each["AC"], wrap_bc=each["BC"])
        for index, each in sorted(wraps.items())
    )


def _persons(study: Study) -> dict[str, str]:
    """Who holds which letter by the last activation record."""
    said = json.loads(ledger.rows_of_kind(study.code, "activation")[-1].body)["custodians"]
    return {letter: said[letter]["person"] for letter in said}


def declare_plan(*, study: Study, plan: dict[str, Any], by: User) -> str:
    """Put the digest of the analysis plan on the ledger; it must stand there before the first seal (UB-02)."""
    access.require_operator(by, REGISTER, study)
    sha256 = digest(plan)
    ledger.append(study=study.code, kind="plan", body={"plan": sha256}, at=study.ledger_time())
    return sha256


def custodians(study: Study) -> dict[str, PublicKey]:
    """The public keys of a study's custodians by letter; empty before activation."""
    return {row.letter: PublicKey.from_json(row.public_key) for row in Custodian.objects.filter(study=study)}


def locked(study: Study) -> list[ModelVersion]:
    """The locked models of a study, one per tier at most, in the order of tiers."""
    return list(ModelVersion.objects.filter(study=study, status=ModelVersion.Status.LOCKED).order_by("tier"))


def place(version: ModelVersion, data: bytes) -> Path:
    """Put a registered artefact where the inference process looks for it, under that process's own user where there is one."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder() / f"{version.artefact_sha256}.json"
    path.write_bytes(data)
    path.chmod(0o600)
    host = folder().parent.stat()
    if os.geteuid() == 0:
        for each in (folder(), path):
            os.chown(each, host.st_uid, host.st_gid)
    return path


def load(version: ModelVersion) -> bytes:
    """The artefact's bytes, verified by hash before anything of them is read. Raises ArtefactMissing."""
    path = folder() / f"{version.artefact_sha256}.json"
    try:
        data = path.read_bytes()
    except OSError:
        raise ArtefactMissing(f"The artefact of {version} is not on this host.") from None
    if hashlib.sha256(data).hexdigest() != version.artefact_sha256:
        raise ArtefactMissing(f"The artefact of {version} was changed: its hash is not the registered one.")
    return data
