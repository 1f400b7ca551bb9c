"""The sweeps that need several rooms at once, asked for by the clock."""

from datetime import timedelta

from accounts import chain, trail_commitment
from accounts.work import task
from prime_platform import deviations
from studies.models import Study

COMMIT_EVERY = timedelta(hours=23)


@task(queue="default")
def sweep_deviations() -> None:
    """Raise the deviations that the rules find; safe to run twice and by several workers at once."""
    deviations.sweep_all()


@task(queue="default")
def sweep_trail() -> None:
    """Commit each study's ledger to the trail once a day; asked again when a write is still under way."""
    for study in Study.objects.order_by("pk"):
        last = trail_commitment.last_at(study.code)
        if last is None or study.now() - chain.instant(last) >= COMMIT_EVERY:
            commit_trail(study)


def commit_trail(study: Study) -> bool:
    """Whether the trail could be committed now."""
    try:
        trail_commitment.commit(study=study.code, at=study.ledger_time())
    except trail_commitment.StillWriting:
        return False
    return True
