"""Which broker carries messages, and the rules that hold for every Celery application here.

Any Celery broker serves (`CELERY_BROKER_URL`: redis://, amqp://). A `postgresql://` URL, the embedded default, means PGMQ: queues that
are tables of a database of their own, owned by a login of their own.
"""

from typing import Any

from psycopg import conninfo

LONGEST_TASK = 4 * 3600  # seconds after which PGMQ hands an unacknowledged message to somebody else
RULES: dict[str, Any] = {
    "task_create_missing_queues": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_ignore_result": True,
    "result_backend": None,
    "worker_prefetch_multiplier": 1,
    "worker_enable_remote_control": False,
    "worker_send_task_events": False,
    "worker_hijack_root_logger": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "enable_utc": True,
    "timezone": "UTC",
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
