"""The work queue of the platform: which broker, which queues, and what the clock asks for.

Which brokers serve is in `accounts.broker`. Tasks are acknowledged early and carry ids only; what a killed worker leaves undone is found
again by a sweep (`accounts.work`).
"""

import os
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import beat_init, worker_process_init
from django.conf import settings
from kombu import Queue

from accounts import work
from accounts.broker import RULES, broker
from prime_platform.embedded import tether

QUEUES = ("default", "ingest", "radiomics", "inference")
HEARTBEAT_EVERY = 10

# What the clock asks for: task name -> seconds. Sweeps ask the database what is due and do that.
HEARTBEAT = "accounts.tasks.heartbeat"
BEAT = {
    HEARTBEAT: HEARTBEAT_EVERY,
    "imaging.tasks.sweep_inbox": 5,
    "imaging.tasks.sweep_series": 10,
    "imaging.tasks.sweep_regions": 5,
    "imaging.tasks.sweep_features": 10,
    "studies.tasks.sweep_checks": 10,
    "prime_platform.tasks.sweep_deviations": 600,
    "prime_platform.tasks.sweep_trail": 1800,
}


def route(name: str, *_: Any, **__: Any) -> dict[str, str]:
    """The queue a task was declared for."""
    return {"queue": work.QUEUES.get(name, "default")}


def schedule(tasks: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Celery beat's schedule; a call that was not taken before the next one is due is dropped, so none pile up."""
    return {name: {"task": name, "schedule": every, "options": {"expires": every}} for name, every in tasks.items()}


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prime_platform.settings")
app = Celery("prime_platform", set_as_current=True)
app.conf.update(
    **broker(settings.CELERY_BROKER_URL),
    task_queues=[Queue(name) for name in QUEUES],
    task_default_queue="default",
    task_routes=(route,),
    worker_max_tasks_per_child=500,
    **RULES,
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule=schedule(BEAT),
    beat_max_loop_interval=5,
)
app.set_default()
app.autodiscover_tasks()
# A numeric user without a name is what we run workers as; Celery takes it for root. Messages are JSON, so the danger it means is none.
warnings.filterwarnings("ignore", category=SecurityWarning)


@beat_init.connect
def first_heartbeat(**_: Any) -> None:
    """Show at once that clock, broker and worker are joined, not only when the first interval is over."""
    app.send_task(HEARTBEAT, expires=HEARTBEAT_EVERY)


@worker_process_init.connect
def tie_to_worker(**_: Any) -> None:
    """A pool process does not outlive its worker, however that one ends."""
    tether.die_with_parent(os.getppid(), tether.KILLED)
