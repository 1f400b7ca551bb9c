"""The blind batch: everybody whose required inputs are complete is predicted and sealed together, at one fixed time.

A batch has no patient argument, no order but that of study numbers, no retry for one patient and no duration of its own:
results wait for the deadline and are committed in one transaction; a model that is still at work then is interrupted. An answer, an
abstention, a crash and a timeout leave equal-looking seals (SL-05, SL-07). Nothing computed here is logged.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from accounts import audit, ledger
from accounts.models import User
from predictions import deadline, features, registry, sealing
from predictions.models import Batch, ModelVersion, Seal, Snapshot, Tier
from predictions.payload import Failure, Payload, Provenance, fail
from predictions.replay import Software, predict
from predictions.training import artefact
from studies import milestones
from studies.models import Entry, Participant, Study
from studies.vocabulary import EntryStatus, MilestoneKind, ParticipantStatus


@dataclass(frozen=True)
class Due:
    """One participant for one model, with the inputs it will see."""

    participant: Participant
    model: ModelVersion
    taken: features.Taken


@dataclass(frozen=True)
class Sealed:
    """One seal ready to be stored; what it says is closed already."""

    due: Due
    record: sealing.SealRecord


def run(*, study: Study, at: datetime, software: Software, seconds: float, hold: bool = True) -> Batch | None:
    """Predict and seal everybody due; None where nobody is. `at` is the batch's instant, `seconds` its fixed duration; a
    batch that does not `hold` (the replay of a SYNTHETIC past) commits as soon as it is ready.

    Raises ArtefactMissing when a locked model's file is not here; then nothing is sealed.
    """
    began = time.monotonic()
    custodians = registry.custodians(study)
    models = [(version, registry.load(version)) for version in registry.locked(study)] if custodians else []
    waiting = [due for version, _ in models for due in due_for(study, version)]
    if not waiting:
        return None
    artefacts = {version.pk: data for version, data in models}
    with deadline.interrupting():
        sealed = [close(due, artefacts[due.model.pk], software, custodians, began + seconds) for due in waiting]
    if hold:
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    return store(study, at, sealed)


def due_for(study: Study, version: ModelVersion) -> Iterable[Due]:
    """The participants without a confirmatory seal of the model's tier whose inputs are complete, by study number."""
    done = Seal.objects.filter(tier=version.tier, purpose=Seal.Purpose.CONFIRMATORY, participant__study=study).values("participant")
    begun = Entry.objects.filter(participant__study=study, status=EntryStatus.SUBMITTED).values("participant")
    waiting = Participant.objects.filter(study=study, status=ParticipantStatus.ENROLLED, pk__in=begun).exclude(pk__in=done)
    if version.tier == Tier.CLINICAL_CT:
        waiting = waiting.filter(pk__in=features.measured())
    for participant in waiting.select_related("study", "screening", "center").order_by("study_number"):
        taken = features.take(participant, version.tier)
        if taken is not None:
            yield Due(participant, version, taken)


def close(due: Due, data: bytes, software: Software, custodians: dict[str, sealing.PublicKey], end: float) -> Sealed:
    """Predict one patient and close the result at once; past the end of the batch the result is a timeout."""
    payload = _predict(due, data, software, end - time.monotonic())
    associated = {
        "study": due.participant.study.code,
        "study_number": due.participant.study_number,
        "tier": due.model.tier,
        "model": due.model.artefact_sha256,
        "snapshot": due.taken.sha256,
        "purpose": sealing.CONFIRMATORY,
    }
    return Sealed(due, sealing.seal(payload.encode(), associated, custodians))


@transaction.atomic
def store(study: Study, at: datetime, sealed: list[Sealed]) -> Batch | None:
    """Commit a whole batch with one time; whoever was sealed meanwhile by another batch is left as he is (PR-06)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('prime/batch/' || %s, 0))", [study.code])
    done = set(Seal.objects.filter(participant__study=study, purpose=Seal.Purpose.CONFIRMATORY).values_list("participant_id", "tier"))
    new = [each for each in sealed if (each.due.participant.pk, each.due.model.tier) not in done]
    if not new:
        return None
    batch = Batch.objects.create(study=study, at=at)
    system = User.objects.system()
    with audit.act(by=system, action="batch.sealed"):
        for participant in {each.due.participant.pk: each.due.participant for each in new}.values():
            milestones.record(participant=participant, kind=MilestoneKind.SEALED, on=study.today(), by=system)
    for each in sorted(new, key=lambda one: (one.due.participant.study_number, one.due.model.tier)):
        _store(batch, each)
    return batch


def _store(batch: Batch, sealed: Sealed) -> None:
    due, record = sealed.due, sealed.record
    snapshot, _ = Snapshot.objects.get_or_create(
        participant=due.participant, tier=due.model.tier, sha256=due.taken.sha256, defaults={"content": due.taken.content}
    )
    appended = ledger.append(study=batch.study.code, kind="seal", body=dict(record.body), at=batch.at if batch.study.synthetic else None)
    Seal.objects.create(
        batch=batch,
        participant=due.participant,
        tier=due.model.tier,
        model=due.model,
        snapshot=snapshot,
        ciphertext=record.envelope.ciphertext,
        wrap_ab=record.envelope.wraps["AB"],
        wrap_ac=record.envelope.wraps["AC"],
        wrap_bc=record.envelope.wraps["BC"],
        body=record.body,
        ledger_index=appended.index,
    )


def _predict(due: Due, data: bytes, software: Software, seconds: float) -> Payload:
    try:
        return deadline.within(seconds, lambda: predict(data, due.taken.content, software))
    except deadline.Passed:
        return _failure(due, data, software, Failure.TIMEOUT)
    except Exception:  # whatever went wrong is sealed as a code: an error that is told is a channel (SL-07)
        return _failure(due, data, software, Failure.CRASH)


def _failure(due: Due, data: bytes, software: Software, code: Failure) -> Payload:
    made = Provenance(
        model=due.model.artefact_sha256,
        snapshot=due.taken.sha256,
        features=due.taken.sha256,
        commit=software.commit,
        container=software.container,
        seed=software.seed,
        modalities=(),
    )
    return fail(made, code, margin=artefact.load(data).margin)
