"""Packages that come on a disk: the note beside each says which gateway signed for which bytes; then it is the network's own way."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imaging import gateways, inbox, receiving
from imaging.edge import envelope
from imaging.edge.carriage import NOTE, PACKAGE, RECEIPT, read_small, write_beside
from imaging.models import Gateway


@dataclass(frozen=True)
class Received:
    """What became of one package: the state of its last receipt, or `not taken` and why."""

    package: str
    state: str
    why: str = ""


def receive(directory: Path) -> list[Received]:
    """Take in every package of a folder and write its last receipt there. Safe to repeat; what is archived is not read again."""
    return [_one(directory, path.name.removesuffix(NOTE)) for path in sorted(directory.glob(f"*{NOTE}"))]


def _one(directory: Path, digest: str) -> Received:
    note = read_small(directory / f"{digest}{NOTE}")
    if not envelope.is_package_id(digest) or not _is_note(note):
        return Received(digest[:64], "not taken", "The note beside it cannot be read.")
    try:
        gateway = gateways.active(note[envelope.GATEWAY_HEADER])
        sha256 = gateways.noted(note, gateway, digest)
        body = receiving.last_receipt(gateway=gateway, digest=digest)
        if body is None:
            body = receiving.take(gateway=gateway, digest=digest, part=_copied(directory / f"{digest}{PACKAGE}", gateway, digest, sha256))
    except (gateways.Stranger, receiving.NotTaken, _NotThere) as refusal:
        return Received(digest, "not taken", str(refusal))
    write_beside(directory / f"{digest}{RECEIPT}", json.dumps(body).encode())
    return Received(digest, body["receipt"]["state"], body["receipt"]["reason"])


class _NotThere(Exception):
    """The bytes that a note speaks of are not there as they should be."""


def _is_note(note: object) -> bool:
    return isinstance(note, Mapping) and all(isinstance(name, str) and isinstance(value, str) for name, value in note.items()) and (
        envelope.GATEWAY_HEADER in note
    )  # fmt: skip


def _copied(source: Path, gateway: Gateway, digest: str, sha256: str) -> Path:
    """The package's bytes in the inbox, where they go on from what came before."""
    part = inbox.coming(gateway.pk, digest, sha256)
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        raise _NotThere("The package is not on this disk.") from None
    with os.fdopen(descriptor, "rb") as file:
        total = os.fstat(descriptor).st_size
        start = min(inbox.received(part), total)
        file.seek(start)
        try:
            whole = inbox.gather(part, file, start=start, length=total - start, total=total, sha256=sha256)
        except inbox.NoRoom:
            raise _NotThere("The platform's disk is nearly full; come again when there is room.") from None
        except (inbox.Altered, inbox.OutOfStep, inbox.CutShort):
            whole = False
    if not whole:
        part.unlink(missing_ok=True)
        raise _NotThere("The package's bytes are not those that were signed; copy it again.")
    return part
