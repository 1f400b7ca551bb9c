"""The edge's one clock: the edge has no Django, so it cannot take Django's."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present instant, aware, UTC."""
    return datetime.now(UTC)  # noqa: TID251
