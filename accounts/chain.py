"""The ledger's chain: how one record is committed, how records are linked, and what a reader can prove from them.

Source: SL-02, SL-03, SL-04. All integers are big-endian, H is SHA-256, times are whole microseconds since 1970-01-01 UTC:

    C = H('prime/C/1\\0' ‖ nonce ‖ u64 index ‖ i64 µs ‖ kind ‖ 0 ‖ body)
    h = H('prime/h/1\\0' ‖ h₋₁ ‖ C)            the h₋₁ of the first row is 32 zero bytes

The chain alone shows edits, insertions, deletions and exchanges. A cut tail or a chain rewritten from some row on
is consistent in itself: only a head that left the house (an `Anchor`) shows it.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Self

from accounts.canonical import canonical

FIRST_INDEX = 0
NO_HEAD = bytes(32)
NONCE_SIZE = 32
KINDS = frozenset(
    {
        *("genesis", "activation", "model_declared", "plan", "seal", "treatment_known", "window_closed"),
        *("lock", "cut", "opening", "publish", "audit_head", "anchor", "restore"),
    }
)
CLOCK_SKEW = timedelta(seconds=1)  # SL-06: more is an alarm
ANCHOR_LAG = timedelta(hours=1)  # between reading the head and the outside stamp on it

_COMMITMENT = b"prime/C/1\0"
_HEAD = b"prime/h/1\0"
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Link:
    """What anybody may see of a row: its index, its commitment C and the head h (32 bytes each)."""

    index: int
    commitment: bytes
    head: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A whole row: the public link and the record it commits to. `at` is in microseconds, `nonce` has 32 bytes."""

    index: int
    at: int
    kind: str
    body: bytes
    nonce: bytes
    commitment: bytes
    head: bytes

    @property
    def link(self) -> Link:
        return Link(self.index, self.commitment, self.head)


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head that an outside holder had received by `at` (microseconds): row `index` and every earlier one existed then."""

    index: int
    head: bytes
    at: int

    def encode(self) -> bytes:
        """The canonical bytes of an anchor file: `{at, h, index}`."""
        return canonical({"index": self.index, "h": self.head.hex(), "at": self.at})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read an anchor file. Raises ValueError for anything else."""
        try:
            value = json.loads(data)
            return cls(int(value["index"]), bytes.fromhex(value["h"]), int(value["at"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no anchor: {error!r}") from None


def microseconds(moment: datetime) -> int:
    """An aware instant in whole microseconds since 1970-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(at: int) -> datetime:
    """The aware UTC instant of a time in microseconds."""
    return _EPOCH + timedelta(microseconds=at)


def commitment(*, nonce: bytes, index: int, at: int, kind: str, body: bytes) -> bytes:
    """C of one record (32 bytes). Raises ValueError for a nonce of another size or a kind outside `KINDS`."""
    if len(nonce) != NONCE_SIZE:
        raise ValueError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of ledger record")
    fixed = nonce + index.to_bytes(8, "big") + at.to_bytes(8, "big", signed=True)
    return hashlib.sha256(_COMMITMENT + fixed + kind.encode("ascii") + b"\0" + body).digest()


def link(before: bytes, commitment: bytes) -> bytes:
    """The head h after a row (32 bytes) from the head before it (`NO_HEAD` for the first row) and the row's commitment."""
    return hashlib.sha256(_HEAD + before + commitment).digest()


def extend(before: bytes, *, nonce: bytes, index: int, at: int, kind: str, body: bytes) -> Row:
    """The row that follows the head `before`."""
    committed = commitment(nonce=nonce, index=index, at=at, kind=kind, body=body)
    return Row(index, at, kind, body, nonce, committed, link(before, committed))


def first_covering(anchors: Iterable[Anchor], index: int) -> Anchor | None:
    """The earliest anchor that proves the row `index` existed, or None."""
    return min((anchor for anchor in anchors if anchor.index >= index), key=lambda anchor: (anchor.at, anchor.index), default=None)


def verify(rows: Sequence[Row], anchors: Iterable[Anchor] = ()) -> list[str]:
    """Every fault of a whole chain, one sentence each naming the row's index; empty when nothing is wrong.

    `rows` are taken in the order given. Each row is checked against the stored head of the row before it, so that one
    change is one fault, not a cascade.
    """
    anchors = list(anchors)
    faults = verify_links([row.link for row in rows], anchors)
    for row in rows:
        faults += _record_faults(row)
    faults += [
        f"row {row.index}: its time {instant(row.at).isoformat()} is before that of row {before.index}"
        for before, row in pairwise(rows)
        if row.at < before.at
    ]
    return faults + _bracket_faults(rows, anchors)


def verify_links(links: Sequence[Link], anchors: Iterable[Anchor] = ()) -> list[str]:
    """The faults that the public part of a chain shows to a reader who may not see the records."""
    faults, before = [], NO_HEAD
    for expected, item in enumerate(links, FIRST_INDEX):
        if item.index != expected:
            faults.append(f"row {item.index}: stands where row {expected} belongs")
        if link(before, item.commitment) != item.head:
            faults.append(f"row {item.index}: its head does not follow from the row before it")
        before = item.head
    return faults + _anchor_faults(links, anchors)


def _record_faults(row: Row) -> list[str]:
    try:
        said = commitment(nonce=row.nonce, index=row.index, at=row.at, kind=row.kind, body=row.body)
    except (ValueError, OverflowError) as error:
        return [f"row {row.index}: {error}"]
    return [] if said == row.commitment else [f"row {row.index}: its record does not give its commitment"]


def _anchor_faults(links: Sequence[Link], anchors: Iterable[Anchor]) -> list[str]:
    heads = {item.index: item.head for item in links}
    last = max(heads, default=FIRST_INDEX - 1)
    faults = []
    for anchor in anchors:
        stamp = f"the outside anchor of {instant(anchor.at).isoformat()}"
        if anchor.index > last:
            faults.append(f"row {anchor.index}: known to {stamp}, but the chain ends at row {last}: its tail was cut")
        elif anchor.index not in heads:
            faults.append(f"row {anchor.index}: known to {stamp}, but missing")
        elif heads[anchor.index] != anchor.head:
            faults.append(f"row {anchor.index}: {stamp} holds another head: the chain was rewritten at or before this row")
    return faults


def _bracket_faults(rows: Sequence[Row], anchors: Sequence[Anchor]) -> list[str]:
    """Rows whose time contradicts the anchors: later than one that knew them, or earlier than one that did not (SL-06)."""
    anchors = sorted(anchors, key=lambda anchor: anchor.index)
    indexes = [anchor.index for anchor in anchors]
    latest = list(accumulate((anchor.at for anchor in anchors), max))
    earliest = list(accumulate((anchor.at for anchor in reversed(anchors)), min))[::-1]
    faults = []
    for row in rows:
        place = bisect_left(indexes, row.index)
        if place < len(anchors) and row.at > earliest[place] + CLOCK_SKEW // _MICROSECOND:
            faults.append(f"row {row.index}: says {instant(row.at).isoformat()}, after the outside anchor that already knew it")
        if place and row.at < latest[place - 1] - ANCHOR_LAG // _MICROSECOND:
            faults.append(f"row {row.index}: says {instant(row.at).isoformat()}, but an outside anchor of later time did not know it")
    return faults
