"""For whom the database shows rows in this transaction: the settings that the row policies compare with (SE-03, docs/isolation.md).

A setting ends with its transaction, so a connection that is used again carries nobody's centers over. Without settings the
site's login sees no row of any center. The policies are the second line; `studies.access` stays the first. Which centers and
studies a person reaches is found by functions of the database that run as the owner: the tables they ask show nothing before.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import connection, transaction
from django.utils import timezone

NAMES = ("app.person", "app.centers", "app.studies", "app.gateway")
"""Text: the key of a user, keys as `{1,2}`, the code of a gateway; empty shows nothing."""
_BEFORE = ", ".join(f"coalesce(current_setting('{name}', true), '')" for name in NAMES)
_WRITE = "SELECT " + ", ".join(f"set_config('{name}', %s, true)" for name in NAMES)
_PERSON = """
set_config('app.person', %s, true), set_config('app.centers', centers::text, true), set_config('app.studies', studies::text, true)
FROM reach_of(%s, %s)
"""
_WHOLE_STUDY = "set_config('app.centers', centers::text, true) FROM reach_over(%s)"
_EVERYTHING = "set_config('app.centers', centers::text, true), set_config('app.studies', studies::text, true) FROM reach_over(NULL)"
_CENTER = "set_config('app.centers', %s, true)"
_STUDY = "set_config('app.studies', %s, true)"
_GATEWAY = "set_config('app.gateway', %s, true)"


def within_reach_of(user: AbstractBaseUser | AnonymousUser) -> AbstractContextManager[None]:
    """A transaction in which the database shows the rows of a person's centers and studies, and no others.

    The reach counts every membership in force, whatever its role; which of those rows a role may see is for `studies.access`.
    A stranger gets no transaction, and sees none.
    """
    return _chosen(_PERSON, [str(user.pk), user.pk, timezone.localdate()]) if user.is_authenticated else nullcontext()


def over_whole_study(study_id: int) -> AbstractContextManager[None]:
    """A transaction that sees every center of a study, for pooled counts and curves; the caller asked for the permission."""
    return _chosen(_WHOLE_STUDY, [study_id])


def over_everything() -> AbstractContextManager[None]:
    """A transaction that sees every center of every study: for what `/readyz` counts, and for no page."""
    return _chosen(_EVERYTHING)


def at_center(center_id: int) -> AbstractContextManager[None]:
    """A transaction that sees the rows of one center: for its gateway, behind which stands no person."""
    return _chosen(_CENTER, [f"{{{center_id:d}}}"])


def with_study(study_id: int) -> AbstractContextManager[None]:
    """Beside what is seen already, the row of one study: a line written for a center asks its study's phase, protocol and calendar."""
    return _chosen(_STUDY, [f"{{{study_id:d}}}"])


def of_gateway(code: str) -> AbstractContextManager[None]:
    """A transaction that sees the row of the gateway with this code and nothing else."""
    return _chosen(_GATEWAY, [code])


@contextmanager
def _chosen(settings: str, values: Sequence[object] = ()) -> Iterator[None]:
    """A transaction (a savepoint within another) whose scope ends with it; an outer one's scope is then as it was before.

    An exception rolls back to the savepoint, and that takes the settings back by itself.
    """
    nested = connection.in_atomic_block
    with transaction.atomic():
        before = _execute(f"SELECT {_BEFORE}, {settings}", values)[: len(NAMES)]  # a list is evaluated from left to right
        yield
        if nested:
            _execute(_WRITE, before)


def _execute(statement: str, values: Sequence[object] = ()) -> Sequence[object]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()
