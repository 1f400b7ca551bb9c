"""Who may go first when a write and a lock come at the same time: the advisory locks that the triggers of `guards` share."""

from django.db import connection

from studies.models import Participant


def hold(*, study: int, center: int | None = None) -> None:
    """Let no write of the center (of the study, without a center) be under way until this transaction ends.

    Waits for the writes that are; asked first in the transaction, after the row it is about was locked FOR NO KEY UPDATE.
    """
    what, key = ("study", study) if center is None else ("center", center)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, %s))", [f"prime/lock/{what}", key])


def stand_in_line(participant: int) -> None:
    """Hold a participant's row until this transaction ends: what comes before the first write of a record of his.

    The triggers of that write take the shared locks, and who signs or locks holds the row before asking for the exclusive ones: in
    any other order a write and a signature wait for each other.
    """
    Participant.objects.select_for_update(no_key=True, of=("self",)).get(pk=participant)


def write_within(*, study: int) -> None:
    """Let no lock of the study come between until this transaction ends: for a write of the whole study that no trigger guards."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, %s))", ["prime/lock/study", study])
