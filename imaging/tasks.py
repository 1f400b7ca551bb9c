"""The sweeps of this room, asked for by the clock every few seconds; each asks the database what is due."""

from accounts.work import task
from imaging import assessment, draft_work, extraction, ingest, region_checks, viewing


@task(queue="ingest")
def sweep_inbox() -> None:
    """Open the packages that have come; safe to run twice and by several workers at once."""
    ingest.sweep()


@task(queue="ingest")
def sweep_series() -> None:
    """Judge, draw and propose for the series that changed, then keep for the viewer; safe to run twice and by several workers at once."""
    assessment.sweep()
    viewing.sweep()


@task(queue="ingest")
def sweep_regions() -> None:
    """Draft in boxes, hold the outlines that have come against their series; safe to run twice and by several workers at once."""
    draft_work.sweep()
    region_checks.sweep()


@task(queue="radiomics")
def sweep_features() -> None:
    """Measure one outline that is due; whatever else waits for this worker has its turn before the next. Safe to run twice and at once."""
    extraction.sweep(most=1)
