"""What follow-up adds to the rows of `studies.models.Progress` held against its own records."""

from collections.abc import Iterator

from studies import progress

COLUMNS = "participant_id, has_adjuvant, has_declaration, is_dead, visits_made, last_seen_alive"


def verify() -> Iterator[str]:
    """A sentence for each participant of whom lists say something else than the records of follow-up."""
    stored = f"SELECT {COLUMNS} FROM studies_progress WHERE participant_id IS NOT NULL"  # noqa: S608 - our own names
    afresh = "SELECT * FROM followup_progress_afresh((SELECT array_agg(id) FROM studies_participant))"
    yield from progress.differing("participant_id", stored, afresh)
