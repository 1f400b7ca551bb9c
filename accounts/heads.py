"""Heads of chains that somebody outside keeps: the files in a directory, held against a chain (docs/outside.md, SL-04).

A head names its row (for the data monitoring committee) or not (for a hospital: the number of rows would count other hospitals' seals).
Pure: the custodians' program reads them too.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from accounts.chain import Anchor, Link, instant

DAY = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Head:
    """A head as it was received: `h` (32 bytes) existed by `at` (microseconds); `index` and `study` where the file says them."""

    h: bytes
    at: int
    index: int | None = None
    study: str | None = None


def read(folder: Path) -> list[Head]:
    """The heads in a directory (`*.json`). Raises ValueError for a file that is none, OSError for one that cannot be read."""
    return [decode(path.read_bytes(), path.name) for path in sorted(folder.glob("*.json"))]


def decode(data: bytes, name: str = "") -> Head:
    """Read one head. Raises ValueError for anything else."""
    try:
        value = json.loads(data)
        index = value.get("index")
        h = bytes.fromhex(value["h"])
        if len(h) != 32:
            raise ValueError("a head has 32 bytes")
        return Head(h, int(value["at"]), None if index is None else int(index), value.get("study"))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{name or 'this'} is no head: {error!r}") from None


def resolve(heads: Iterable[Head], links: Sequence[Link]) -> tuple[list[Anchor], list[str]]:
    """The heads as anchors of a chain, and a sentence for each that belongs to no row of it."""
    places = {link.head: link.index for link in links}
    anchors, faults = [], []
    for head in heads:
        index = head.index if head.index is not None else places.get(head.h)
        if index is None:
            stamp = instant(head.at).isoformat()
            faults.append(f"the head received at {stamp} is that of no row: the chain was rewritten or its tail was cut")
        else:
            anchors.append(Anchor(index, head.h, head.at))
    return anchors, faults


def gaps(anchors: Iterable[Anchor], days: int) -> Iterator[str]:
    """A sentence for each stretch of more than some days without a head."""
    for one, other in pairwise(sorted({anchor.at for anchor in anchors})):
        if other - one > days * DAY:
            yield f"no head left the house between {instant(one).isoformat()} and {instant(other).isoformat()}: more than {days} days"
