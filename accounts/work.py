"""The one way to make a background task: acknowledged early, ids only, no result kept (RL-01, RL-02).

A task is a hint that work may be due; the work itself locks its rows and may be asked for twice. What a killed worker
leaves undone is found by the next sweep, so nothing depends on a message surviving.
"""

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any

from celery import Celery, shared_task  # noqa: TID251 - this is the one place

QUEUES: dict[str, str] = {}  # task name -> queue; the Celery app routes by it


def task(*, queue: str = "default", app: Celery | None = None) -> Callable[[Callable[..., None]], Any]:
    """Decorate an idempotent function of ids as a Celery task on `queue`. Raises TypeError for an argument that is no id.

    The task of an `app` of its own is unknown to the platform's workers, and no queue of theirs leads to it.
    """

    def decorate(work: Callable[..., None]) -> Any:
        @wraps(work)
        def run(*ids: int | str) -> None:
            for given in ids:
                _check_id(given)
            work(*ids)

        name = f"{work.__module__}.{work.__name__}"
        rules: dict[str, Any] = {"name": name, "acks_late": False, "ignore_result": True, "max_retries": 0}
        if app is not None:
            return app.task(shared=False, **rules)(run)
        QUEUES[name] = queue
        return shared_task(**rules)(run)

    return decorate


def _check_id(given: int | str) -> None:
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise TypeError("a task takes ids only")
    if isinstance(given, str):
        uuid.UUID(given)
