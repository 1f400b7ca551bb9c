"""The trail: who changed what, when, why (AU-01, AU-02), and who read, signed in, exported or was refused.

Values are recorded by triggers, so that raw SQL and `QuerySet.update` leave a trail too. `act` names the actor and the
action for the transaction around it; a guard trigger refuses a clinical write outside `act`. The guard stops accidents;
the login that wrote is recorded from the session itself and cannot be chosen by the program.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import pghistory
import pgtrigger
from django.db import connection, models
from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from accounts.models import AccessRecord, User

M = TypeVar("M", bound=type[models.Model])

_SET = """
SELECT set_config('pghistory.context_id', %s, true),
       set_config('pghistory.context_metadata', (%s::jsonb || jsonb_build_object('login', session_user))::text, true)
"""
_GET = "SELECT current_setting('pghistory.context_id', true), current_setting('pghistory.context_metadata', true)"
_RESTORE = "SELECT set_config('pghistory.context_id', %s, true), set_config('pghistory.context_metadata', %s, true)"

_GUARD = """
IF coalesce(nullif(current_setting('pghistory.context_metadata', true), ''), '{}')::jsonb ->> 'login' IS DISTINCT FROM session_user
THEN
    RAISE EXCEPTION '% was to be written outside audit.act: name who acts, and why', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END IF;
IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
RETURN NEW;
"""
_APPEND_ONLY = "RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';"


@contextmanager
def act(*, by: "User", action: str, reason: str = "", **facts: str) -> Iterator[None]:
    """Name the actor and the action of the clinical writes inside; must stand within `transaction.atomic`.

    `action` is a code such as "participant.enrolled"; `reason` is a person's text for a change after the first save
    (AU-03); `facts` are further codes (center, request). Nested acts restore the outer one when they end.
    Raises RuntimeError outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("audit.act names the actor for a transaction: open transaction.atomic around it")
    metadata = {"by": by.username, "by_uuid": str(by.uuid), "action": action, "reason": reason, **facts}
    with connection.cursor() as cursor:
        cursor.execute(_GET)
        before = cursor.fetchone()
        cursor.execute(_SET, [str(uuid.uuid4()), json.dumps(metadata)])
    try:
        yield
    finally:
        if not _transaction_failed():  # a failed one takes both settings back itself when it rolls back
            with connection.cursor() as cursor:
                cursor.execute(_RESTORE, [before[0] or "", before[1] or ""])


def _transaction_failed() -> bool:
    return connection.connection is None or connection.connection.info.transaction_status == TransactionStatus.INERROR


def tracked(*, exclude: Iterable[str] = ()) -> Callable[[M], M]:
    """Class decorator of every clinical model: full history by trigger, and no write outside `act`."""
    excluded = list(exclude)

    def decorate(model: M) -> M:
        recorded = pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), exclude=excluded)
        return pgtrigger.register(*_guards(excluded))(recorded(model))

    return decorate


def _guards(excluded: list[str]) -> list[pgtrigger.Trigger]:
    changed = pgtrigger.AnyChange(exclude=excluded) if excluded else None
    return [
        pgtrigger.Trigger(name="guard", when=pgtrigger.Before, operation=pgtrigger.Insert | pgtrigger.Delete, func=_GUARD),
        pgtrigger.Trigger(name="guard_update", when=pgtrigger.Before, operation=pgtrigger.Update, func=_GUARD, condition=changed),
    ]


def append_only() -> pgtrigger.Trigger:
    """A trigger that refuses UPDATE, DELETE and TRUNCATE to everybody, the owner's accidents included."""
    return pgtrigger.Trigger(
        name="append_only",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate,
        func=_APPEND_ONLY,
    )


def record(*, kind: str, by: "User | None", subject: str = "", detail: dict[str, Any] | None = None) -> "AccessRecord":
    """Note a read, sign-in, export or refusal. `detail` holds codes and counts, never a value of a patient or a prediction."""
    from accounts.models import AccessRecord  # noqa: PLC0415 - models are declared with this module's decorator

    username = by.username if by is not None and by.is_authenticated else ""
    return AccessRecord.objects.create(kind=kind, username=username, subject=subject[:200], detail=detail or {})


def history(record: models.Model) -> models.QuerySet[Any]:
    """The events of one record, oldest first; each carries the whole row and `pgh_context` (by, action, reason, login)."""
    return record.events.order_by("pgh_id")  # type: ignore[attr-defined] # the relation that `tracked` adds
