"""Anchors: heads of chains as an outside holder has received them, one file each, written once and never changed.

The platform keeps its own where the web and worker processes cannot write (`PRIME_VAR/anchors`); such an anchor counts as outside for
SYNTHETIC chains only (docs/formats.md c). What an outside holder confirmed lies beside them, in `received`.
"""

import os
from datetime import datetime
from pathlib import Path

from django.conf import settings

from accounts import chain
from accounts.models import LedgerRow

BEHIND = "behind"


def folder(study: str) -> Path:
    """Where the anchors of a study lie."""
    return Path(settings.VAR) / "anchors" / study


def studies() -> list[str]:
    """The studies that were ever anchored here: a chain that is gone altogether must still be missed."""
    root = Path(settings.VAR) / "anchors"
    return sorted(path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else []


def write(*, study: str, at: datetime) -> chain.Anchor | None:
    """Anchor the present head of a study's chain at an instant; None while the chain is empty or its head is anchored."""
    last = LedgerRow.objects.filter(study=study).order_by("-index").first()
    if last is None:
        return None
    path = folder(study) / f"{last.index:08d}.json"
    if path.exists():
        return None
    anchor = chain.Anchor(last.index, bytes(last.h), max(chain.microseconds(at), last.at_us))
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(anchor.encode())
    return anchor


def received(study: str) -> list[chain.Anchor]:
    """The heads that an outside holder confirmed to have (docs/outside.md), in order. Raises ValueError for a damaged file."""
    return [chain.Anchor.decode(path.read_bytes()) for path in sorted((folder(study) / "received").glob("*.json"))]


def outside(study: str, *, synthetic: bool) -> list[chain.Anchor]:
    """The anchors that count as outside, in order: confirmed by a holder; in a SYNTHETIC chain also those that lie here."""
    return sorted([*received(study), *(read(study) if synthetic else [])], key=lambda anchor: (anchor.index, anchor.at))


def keep(*, study: str, holder: str, anchor: chain.Anchor, receipt: bytes) -> Path:
    """Keep what a holder confirmed, once. Raises FileExistsError."""
    path = folder(study) / "received" / f"{anchor.index:08d}-{holder}.json"
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:
        file.write(receipt)
    return path


def mark_behind(study: str, faults: list[str]) -> None:
    """Say that a chain does not contain a head that left the house: pages write nothing until `clear` (predictions.restoring)."""
    (folder(study) / BEHIND).write_text("\n".join(faults) + "\n", encoding="utf-8")


def clear(study: str) -> None:
    """The chain contains every head again, or its fork was approved."""
    (folder(study) / BEHIND).unlink(missing_ok=True)


def any_behind() -> bool:
    """Whether some chain here was found behind its heads."""
    return any((folder(study) / BEHIND).exists() for study in studies())


def set_aside(study: str) -> None:
    """Keep the heads of rows that a fork gives up as evidence, out of the way of the chain that goes on."""
    place = folder(study)
    kept = place / f"given-up-{len(list(place.glob('given-up-*')))}"
    kept.mkdir(parents=True)
    for path in [*place.glob("*.json"), *(place / "received").glob("*.json")]:
        path.rename(kept / path.name)


def read(study: str) -> list[chain.Anchor]:
    """The anchors of a study in order. Raises ValueError for a damaged file."""
    return [chain.Anchor.decode(path.read_bytes()) for path in sorted(folder(study).glob("*.json"))]
