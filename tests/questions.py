"""What a page asks the database, without the statements that only mark transactions: within a test there are more of those."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "SELECT set_config(")
"""The last gives an outer scope back when one ends within it: for a request within a test's transaction, not for one that stands alone."""


@contextmanager
def asked() -> Iterator[list[str]]:
    """The questions, filled in when the block has ended."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    found += [query["sql"] for query in captured if not query["sql"].startswith(CONTROL)]
