"""Celery workers that share the held-out parts of a training: `python -m celery --app predictions.workers worker`.

An application of its own with one queue: the platform's workers do not listen to it and do not know its task, because what a part
says is a prediction. A message carries the name of a folder, which is a hash, and a number (docs/models.md §4).
"""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

from celery import Celery
from django.conf import settings
from kombu import Queue

from accounts.broker import RULES, broker
from accounts.work import task
from predictions.training import away, outcome
from predictions.training.away import Board
from predictions.training.jobs import Progress

QUEUE = "training"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prime_platform.settings")
app = Celery("training", set_as_current=False)
app.conf.update(
    **broker(settings.CELERY_BROKER_URL), task_queues=[Queue(QUEUE)], task_default_queue=QUEUE, worker_max_tasks_per_child=100, **RULES
)
outcome.program()  # asked before anything can change beneath a running worker


def folder(name: str) -> Path:
    """Where the parts of a training lie, for the user who trains alone; workers on other machines share the state directory."""
    return Path(settings.VAR) / "trainings" / str(uuid.UUID(name))


@task(queue=QUEUE, app=app)
def part(name: str, place: int) -> None:
    """One part of a training; safe to ask for twice and at once."""
    away.do(folder(name), place)


def board(out: Path, progress: Progress, *, unheard: Callable[[], None]) -> Board:
    """The bench for a training into `out`; a training into the same directory goes on where it was."""
    name = str(uuid.uuid5(uuid.NAMESPACE_URL, str(out.absolute())))

    def ask(place: int) -> None:
        part.apply_async(args=[name, place], expires=away.AGAIN)

    return Board(folder(name), progress=progress, ask=ask, unheard=unheard)
