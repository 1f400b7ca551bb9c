"""A platform of its own with one small study, its first center's edge, and everything that a test does to them from outside."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import TupleRow

from prime_platform.embedded import postgres
from tests.journeys.small_study import CENTER
from tests.prime_platform.installation import BARE, CHECKOUT, PATIENCE, Installation

UID_BASE = 64100
PROGRAMS = {"edge": "edge", "worker": "worker", "postgres": "postgres", "web": "gunicorn"}
"""The word in its command line by which a child of `up` is known."""


class Hospital:
    """One installation that serves a study with one edge; `patients` of it are enrolled already. `study` is the module that makes it."""

    def __init__(self, directory: Path, *, patients: int = 0, quiet: float = 3, study: str = "small_study") -> None:
        self.study = study
        self.platform = Installation(directory / "var")
        self.var, self.edge = self.platform.var, self.platform.var / "edge" / CENTER
        self.url = f"http://127.0.0.1:{self.platform.ports['PRIME_HTTP_PORT']}"
        self.cluster = postgres.Cluster(self.var / "pg", uid=UID_BASE if os.geteuid() == 0 else None)
        try:
            self.numbers = self._open(patients, quiet)
        except BaseException:
            self.platform.close()
            raise

    def _open(self, patients: int, quiet: float) -> list[str]:
        """Make the study and its edge, then start everything."""
        said = self.python("-m", f"tests.journeys.{self.study}", str(UID_BASE), str(patients))
        numbers: list[str] = json.loads(said.splitlines()[-1])
        settings = json.loads((self.edge / "edge.json").read_bytes()) | {"quiet_seconds": quiet}
        (self.edge / "edge.json").write_text(json.dumps(settings))
        self.platform.start()
        return numbers

    def manage(self, *words: str, expect: int = 0) -> str:
        """What a `manage.py` command says; it must end with the status `expect`."""
        return self.python("manage.py", *words, expect=expect)

    def python(self, *words: str, expect: int = 0) -> str:
        """What a program says that the operator of this installation runs."""
        known = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        ports = {name: str(port) for name, port in self.platform.ports.items()}
        environment = known | ports | {"PRIME_VAR": str(self.var), **BARE}
        command = [self.platform.python, *words]
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=5 * PATIENCE)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout

    @property
    def dicom_port(self) -> int:
        return self.platform.ports["PRIME_DICOM_PORT"]

    def edge_status(self) -> dict[str, Any]:
        """The edge's own counts; empty while it does not answer."""
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.platform.ports['PRIME_EDGE_PORT']}/status", timeout=10) as answer,
        ):
            return dict(json.load(answer))
        return {}

    def superuser(self) -> psycopg.Connection[TupleRow]:
        """The main database without any of the platform's own rules."""
        return postgres.superuser(self.cluster, "prime")

    def rows(self, query: str, *values: str) -> list[TupleRow]:
        with self.superuser() as connection:
            return connection.execute(query, values).fetchall()

    def dump(self) -> dict[str, bytes]:
        """Both databases as plain SQL, by their names."""
        environment = {"PGPASSWORD": (self.var / "pg" / "superuser").read_text()}
        command = [str(postgres._binaries() / "pg_dump"), "--host", str(postgres.socket_directory(self.cluster))]
        command += ["--port", str(postgres.PORT), "--username", postgres.SUPERUSER]
        return {
            name: subprocess.run([*command, name], env=environment, capture_output=True, check=True, timeout=PATIENCE).stdout
            for name in ("prime", "broker")
        }

    def child(self, part: str) -> int:
        """The process that plays a part under `up`; 0 while there is none."""
        assert self.platform.process is not None
        for pid, arguments in self.platform.processes().items():
            named = any(Path(argument).name == PROGRAMS[part] for argument in arguments)
            if named and parent(pid) == self.platform.process.pid:
                return pid
        return 0

    def close(self) -> None:
        self.platform.close()


def parent(pid: int) -> int:
    """The parent of a process; 0 when it has ended."""
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return 0


@contextlib.contextmanager
def opened(**options: Any) -> Iterator[Hospital]:
    """A hospital in a directory that every user can pass through."""
    directory = Path(tempfile.mkdtemp(prefix="prime-hospital-"))
    directory.chmod(0o711)
    try:
        with contextlib.closing(Hospital(directory, **options)) as hospital:
            yield hospital
    finally:
        shutil.rmtree(directory)
