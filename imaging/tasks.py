"""The sweeps of this room, asked for by the clock every few seconds; each asks the database what is due."""

from accounts.work import task
from imaging import assessment, ingest


@task(queue="ingest")
def sweep_inbox() -> None:
    """Open the packages that have come; safe to run twice and by several workers at once."""
    ingest.sweep()


@task(queue="ingest")
def sweep_series() -> None:
    """Judge, draw and propose for the series that changed; safe to run twice and by several workers at once."""
    assessment.sweep()
