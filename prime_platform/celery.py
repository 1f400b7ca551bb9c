"""The work queue of the platform: which broker, which queues, and what the clock asks for.

Any Celery broker serves (`CELERY_BROKER_URL`: redis://, amqp://). A `postgresql://` URL, the embedded default, means PGMQ: queues that
are tables of a database of their own, owned by a login of their own. Tasks are acknowledged early and carry ids only; what a killed
worker leaves undone is found again by a sweep (`accounts.work`).
"""

import os
import warnings
from typing import Any

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import beat_init, worker_process_init
from django.conf import settings
from kombu import Queue
from psycopg import conninfo

from accounts import work
from prime_platform.embedded import tether

QUEUES = ("default", "ingest", "radiomics", "inference")
LONGEST_TASK = 4 * 3600  # seconds after which PGMQ hands an unacknowledged message to somebody else
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


def broker(url: str) -> dict[str, Any]:
    """Celery's broker settings for `url`; a PostgreSQL URL is handed over whole, because socket paths do not survive kombu's parser.

    Both directions are set, because Celery prefers the raw variable CELERY_BROKER_URL to a mere `broker_url`.
    """
    if not url.startswith(("postgresql://", "postgres://", "pgmq://")):
        return {"broker_read_url": url, "broker_write_url": url}
    options = {
        "conn_string": conninfo.make_conninfo(**_quoted(url)),
        "init_extension": False,
        "polling_interval": 0.1,
        "wait_time_seconds": 0,
        "visibility_timeout": LONGEST_TASK,
        "pool_size": 2,
        "pool_timeout": 5,
    }
    return {"broker_read_url": "pgmq://localhost", "broker_write_url": "pgmq://localhost", "broker_transport_options": options}


def _quoted(url: str) -> dict[str, str]:
    """The parts of a PostgreSQL URL quoted once more: the pgmq package joins them with spaces and quotes nothing."""
    parts = conninfo.conninfo_to_dict(url.replace("pgmq://", "postgresql://", 1))
    return {name: "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'" for name, value in parts.items()}


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
    task_create_missing_queues=False,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    result_backend=None,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_max_tasks_per_child=500,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule=schedule(BEAT),
    beat_max_loop_interval=5,
    enable_utc=True,
    timezone="UTC",
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
