"""One moment: what is asked in several questions and handed out as one (an export, a cut) is of one state of the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction

V = TypeVar("V", bound=Callable[..., Any])


@contextmanager
def one_moment(*, read_only: bool = False) -> Iterator[None]:
    """A transaction whose questions all see the state of its first one. Within another transaction that one decides what is seen."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ{', READ ONLY' if read_only else ''}")
        yield


def at_one_moment(view: V) -> V:
    """Mark a view whose whole request is of one moment (`RequestScopeMiddleware`): it writes new rows only, and changes none."""
    view.at_one_moment = True  # type: ignore[attr-defined]
    return view


def is_at_one_moment(view: Callable[..., Any]) -> bool:
    """Whether a view, or the class it was made of, is marked."""
    return bool(getattr(view, "at_one_moment", False) or getattr(getattr(view, "cls", None), "at_one_moment", False))
