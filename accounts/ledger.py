"""Appending to the chain of a study, and checking it. The layout of the chain itself is `accounts.chain`.

Rows enter only through the SECURITY DEFINER function `ledger_append`, which knows which login may append which kind; no
login has INSERT. The study is a text code: the chain outlives whatever rows it speaks of.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from accounts import chain
from accounts.canonical import canonical
from accounts.models import LedgerRow

WRITERS: dict[str, frozenset[str]] = {
    "prime_web": frozenset({"activation", "plan", "treatment_known", "window_closed", "lock", "cut", "publish"}),
    "prime_worker": frozenset({"treatment_known", "window_closed", "audit_head", "anchor"}),
    "prime_infer": frozenset({"model_declared", "seal"}),
}
"""What each login may append; the owner may append every kind (genesis, opening and restore are his alone)."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a record stands in its chain: index, time (microseconds) and the head after it (32 bytes)."""

    index: int
    at_us: int
    h: bytes


def append(*, study: str, kind: str, body: dict[str, Any], at: datetime | None = None, nonce: bytes | None = None) -> Appended:
    """Append one record to a study's chain within the caller's transaction; call it last, it holds the chain's lock.

    `at` is accepted by a SYNTHETIC chain only and must not run backwards. `nonce` (32 bytes) is given where it must also lie
    inside a ciphertext (SL-02), otherwise it is drawn here. Raises django.db.Error when the login may not append this kind.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT new_index, new_at_us, new_h FROM ledger_append(%s, %s, %s, %s, %s)",
            [study, kind, canonical(body), nonce or os.urandom(chain.NONCE_SIZE), at],
        )
        index, at_us, h = cursor.fetchone()
    return Appended(index, at_us, bytes(h))


def rows(study: str) -> list[chain.Row]:
    """The whole chain of a study, in order."""
    return [_row(row) for row in LedgerRow.objects.filter(study=study).order_by("index")]


def rows_of_kind(study: str, kind: str) -> list[chain.Row]:
    """The records of one kind in a study's chain, in order."""
    return [_row(row) for row in LedgerRow.objects.filter(study=study, kind=kind).order_by("index")]


def said_last(study: str, kind: str, name: str) -> Any:
    """What the last record of a kind says under a name, or None."""
    last = LedgerRow.objects.filter(study=study, kind=kind).order_by("-index").first()
    return None if last is None else json.loads(bytes(last.body)).get(name)


def _row(row: LedgerRow) -> chain.Row:
    return chain.Row(row.index, row.at_us, row.kind, bytes(row.body), bytes(row.nonce), bytes(row.commitment), bytes(row.h))


def verify(study: str, anchors: Iterable[chain.Anchor] = ()) -> list[str]:
    """Every fault in the chain of a study, held against `anchors` too, a sentence each; empty when it holds."""
    return [f"ledger of {study}: {fault}" for fault in chain.verify(rows(study), anchors)]


def studies() -> list[str]:
    """The codes of all chains."""
    return list(LedgerRow.objects.values_list("study", flat=True).distinct().order_by("study"))
