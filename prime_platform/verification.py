"""What `manage.py verify` asks of every room: does what is stored still say what was stored?

A check yields a sentence per fault and nothing when it holds. Rooms know only themselves; the list is composed here.
"""

from collections.abc import Callable, Iterator

from accounts import anchors, ledger, rebuilding, trail_commitment
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
            yield from ledger.verify(study, anchors.read(study))
        except ValueError as damaged:
            yield f"anchors of {study}: {damaged}"


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
