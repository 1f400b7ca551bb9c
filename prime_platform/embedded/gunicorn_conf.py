"""How gunicorn serves the site: a few processes with threads, nothing written to its log that names a page or a person (SE-07)."""

import os
import signal

from prime_platform.embedded import tether

_host = os.environ.get("PRIME_BIND", "127.0.0.1")
bind = f"{f'[{_host}]' if ':' in _host else _host}:{os.environ.get('PRIME_HTTP_PORT', '8000')}"
workers = int(os.environ.get("PRIME_WEB_PROCESSES", "2"))
worker_class = "gthread"
threads = 8
timeout = 60
graceful_timeout = 6
keepalive = 5
max_requests, max_requests_jitter = 5000, 500
accesslog = None
errorlog = "-"
loglevel = "warning"
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  (a heartbeat file of gunicorn's own, kept off the disk)
umask = 0o027
limit_request_line = 4094
_master = os.getpid()


def post_fork(server: object, worker: object) -> None:
    """A worker does not outlive its master, however that one ends."""
    tether.die_with_parent(_master, signal.SIGKILL)


def post_worker_init(worker: object) -> None:
    """The site is loaded by now."""
    from prime_platform import heap  # noqa: PLC0415 - Django is set up by the worker, not by this file

    heap.settle()
