"""The sweeps of this room, asked for by the clock; each asks the database what is due."""

from accounts.work import task
from studies.quality import checking


@task(queue="default")
def sweep_checks() -> None:
    """Go on with the runs of the edit checks; safe to run twice and by several workers at once."""
    checking.sweep()
