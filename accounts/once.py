"""What several parts of one page ask the database, asked once: kept for one reading request and never longer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

P, R = ParamSpec("P"), TypeVar("R")
_known: ContextVar[dict[Any, Any] | None] = ContextVar("what this request knows already", default=None)


def once(question: Callable[P, R]) -> Callable[P, R]:
    """A function of hashable arguments whose answer is remembered while a page is read; nobody changes what it gives."""

    @wraps(question)
    def asked(*args: P.args, **named: P.kwargs) -> R:
        known, key = _known.get(), (question, args, tuple(sorted(named.items())))
        if known is None:
            return question(*args, **named)
        if key not in known:
            known[key] = question(*args, **named)
        return cast(R, known[key])

    return asked


@contextmanager
def remembering(known: dict[Any, Any] | None = None) -> Iterator[None]:
    """Remember answers inside (in `known`), and those known already. For what only reads: after a write an answer may be another one."""
    token = _known.set(known or _known.get() or {})
    try:
        yield
    finally:
        _known.reset(token)
