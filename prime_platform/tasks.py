"""The sweeps that need several rooms at once, asked for by the clock."""

from accounts.work import task
from prime_platform import deviations


@task(queue="default")
def sweep_deviations() -> None:
    """Raise the deviations that the rules find; safe to run twice and by several workers at once."""
    deviations.sweep_all()
