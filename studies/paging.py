"""Fifty rows at a time, newest (or oldest) first, by key set: a row that arrives meanwhile moves nothing (no OFFSET)."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet

ROWS = 50
R = TypeVar("R", bound=Model)


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows of a list: `total` counts all of it, `after` is the cursor of the next page or empty."""

    rows: list[R]
    total: int
    after: str
    is_first: bool


def page_of(rows: QuerySet[R], after: str, *, size: int = ROWS, oldest_first: bool = False, total: int | None = None) -> Page[R]:
    """The page that follows the row whose public uuid is `after` (the first one for an empty or foreign cursor).

    `total` is the length of the list where it is known already; otherwise it is counted.
    """
    start = _cursor(rows, after)
    wanted = rows.order_by("pk" if oldest_first else "-pk")
    behind = "pk__gt" if oldest_first else "pk__lt"
    found = list((wanted.filter(**{behind: start}) if start is not None else wanted)[: size + 1])
    more = len(found) > size
    length = rows.count() if total is None else total
    return Page(found[:size], length, str(found[size - 1].uuid) if more else "", start is None)  # type: ignore[attr-defined]


def _cursor(rows: QuerySet[R], after: str) -> int | None:
    if not after:
        return None
    try:
        return rows.filter(uuid=after).values_list("pk", flat=True).first()
    except (ValidationError, ValueError):
        return None
