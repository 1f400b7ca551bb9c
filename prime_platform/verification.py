"""What `manage.py verify` asks of every room: does what is stored still say what was stored?

A check yields a sentence per fault and nothing when it holds. Rooms know only themselves; the list is composed here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from accounts import anchors, chain, heads, ledger, rebuilding, trail_commitment
from followup import progress as followup_progress
from imaging import archive
from predictions import seal_check
from studies import progress
from studies.locking import guards, signing
from studies.quality import store

Check = Callable[[], Iterator[str]]


def ledgers() -> Iterator[str]:
    """Every chain, held against its anchors: edits, insertions, deletions, exchanged rows, cut tails, clocks that ran backwards."""
    for study in sorted({*ledger.studies(), *anchors.studies()}):
        try:
            yield from ledger.verify(study, [*anchors.read(study), *anchors.received(study)])
        except ValueError as damaged:
            yield f"anchors of {study}: {damaged}"


def against(folder: Path, gap: int) -> list[str]:
    """Every chain held against heads that came back from outside, which nobody here can have changed (docs/outside.md).

    Raises ValueError for a file that is no head.
    """
    received, found = heads.read(folder), []
    if not received:
        return [f"{folder} holds no head"]
    known = sorted({*ledger.studies(), *anchors.studies()})
    for name in sorted({str(head.study) for head in received if head.study} - set(known)):
        found.append(f"ledger of {name}: heads of it were received, and there is no such ledger")
    for study in known:
        rows = ledger.rows(study)
        own = [head for head in received if head.study == study or (head.study is None and len(known) == 1)]
        resolved, faults = heads.resolve(own, [row.link for row in rows])
        faults += chain.verify(rows, resolved)
        faults += heads.gaps(resolved, gap)
        found += [f"ledger of {study}: {fault}" for fault in faults]
    return found


CHECKS: dict[str, Check] = {
    "ledger": ledgers,
    "trail": trail_commitment.verify,
    "tables": rebuilding.verify,
    "seals": seal_check.verify,
    "archive": archive.verify,
    "sources": store.verify,
    "papers": store.verify_papers,
    "signatures": signing.verify,
    "locks": guards.verify,
    "progress": progress.verify,
    "followup": followup_progress.verify,
}


def faults() -> dict[str, list[str]]:
    """The faults found by each check, in the order of CHECKS."""
    return {name: list(check()) for name, check in CHECKS.items()}
