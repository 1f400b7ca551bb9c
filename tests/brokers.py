"""The embedded broker, running for a test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prime_platform.embedded import logins, postgres

UID = 64100 if os.geteuid() == 0 else None


@contextmanager
def running() -> Iterator[str]:
    """Its address; the path of its socket has a space and a quote in it, as a checkout's may."""
    base = Path(tempfile.mkdtemp(prefix="prime it's "))
    base.chmod(0o711)
    cluster = postgres.Cluster(base / "pg", UID, durable=False)
    with postgres.held(cluster):
        postgres.prepare(cluster)
        server = postgres.start(cluster)
        yield logins.ensure(cluster, base / "secrets")["broker"]
        postgres.stop(server)
    shutil.rmtree(base)
