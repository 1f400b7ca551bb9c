"""Whether every stored seal is still what the ledger says of it; needs no key and opens nothing."""

import hashlib
import json
from collections.abc import Iterator

from accounts.models import LedgerRow
from predictions import sealing
from predictions.models import Seal
from predictions.sealing_envelope import PAIRS, Envelope


def wraps_of(seal: Seal) -> dict[str, bytes]:
    """The wraps that count: the newest, where a custodian was replaced since the sealing."""
    newest = max(seal.rewraps.all(), key=lambda each: each.ledger_index, default=seal)
    return {pair: bytes(getattr(newest, f"wrap_{pair.lower()}")) for pair in PAIRS}


def record_of(seal: Seal) -> sealing.SealRecord:
    """The seal as it was sealed, its associated data taken from the stored body."""
    wraps = {pair: bytes(getattr(seal, f"wrap_{pair.lower()}")) for pair in PAIRS}
    associated = {name: seal.body.get(name, "") for name in sealing.ASSOCIATED}
    return sealing.SealRecord(associated, Envelope(bytes(seal.ciphertext), wraps), seal.body)


def verify() -> Iterator[str]:
    """One sentence for each seal whose ciphertext, wraps, body, snapshot or ledger record do not agree (SL-03)."""
    seals = Seal.objects.select_related("participant__study", "snapshot").prefetch_related("rewraps")
    for seal in seals.order_by("pk").iterator(chunk_size=200):
        for fault in (*_faults(seal), *_rewrap_faults(seal)):
            yield f"seal {seal.ledger_index} of {seal.participant.study}: {fault}"
    stored = set(Seal.objects.values_list("participant__study__code", "ledger_index"))
    for study, index in LedgerRow.objects.filter(kind="seal").order_by("study", "index").values_list("study", "index"):
        if (study, index) not in stored:
            yield f"seal {index} of {study}: the ledger knows it, and it is gone"


def _faults(seal: Seal) -> Iterator[str]:
    yield from sealing.faults(record_of(seal))
    row = LedgerRow.objects.filter(study=seal.participant.study.code, index=seal.ledger_index, kind="seal").first()
    if row is None or json.loads(bytes(row.body)) != seal.body:
        yield "its body is not the one on the ledger"
    if hashlib.sha256(bytes(seal.snapshot.content)).hexdigest() != seal.body.get("snapshot"):
        yield "its snapshot is not the one on the ledger"


def _rewrap_faults(seal: Seal) -> Iterator[str]:
    for anew in seal.rewraps.all():
        row = LedgerRow.objects.filter(study=seal.participant.study.code, index=anew.ledger_index, kind="activation").first()
        listed = json.loads(bytes(row.body)).get("wraps", {}) if row else {}
        wraps = Envelope(b"", {pair: bytes(getattr(anew, f"wrap_{pair.lower()}")) for pair in PAIRS})
        if listed.get(str(seal.ledger_index)) != wraps.wraps_digest:
            yield f"its wraps since row {anew.ledger_index} are not those on the ledger"
