"""`manage.py up`: everything one machine needs, started in order, kept alive, and ended in order."""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from prime_platform.embedded import broker, children, console, keys, logins, postgres, state, welcome
from prime_platform.embedded.refusal import Refused
from prime_platform.embedded.supervise import Child, StopAsked, Supervisor

PG_ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


@dataclass(frozen=True)
class Plan:
    """What was asked for: places, ports and whether to show the demo."""

    checkout: Path
    var: Path
    bind: str
    http_port: int
    dicom_port: int
    edge_port: int
    dicom_aet: str
    public_url: str
    demo: bool
    uid_base: int
    demo_center: str

    @property
    def local_url(self) -> str:
        """Where the web process answers on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.bind, self.bind)  # noqa: S104  (read, not bound)
        return f"http://[{host}]:{self.http_port}" if ":" in host else f"http://{host}:{self.http_port}"


def up(plan: Plan) -> int:
    """Start the platform and stay until asked to stop. Exit status 0, or 2 with a sentence when it could not be started."""
    os.umask(0o077)
    try:
        who = state.identities(plan.checkout, plan.uid_base)
        with contextlib.ExitStack() as stack:
            plan.var.mkdir(parents=True, exist_ok=True)
            stack.enter_context(_alone(plan))
            _check_ports(plan)
            state.lay_out(plan.var, who)
            supervisor = Supervisor(console.Console(plan.var / "logs"))
            stack.enter_context(supervisor.listening())
            stack.callback(supervisor.stop_all)
            with contextlib.suppress(StopAsked):
                _bring_up(plan, who, supervisor, stack)
                supervisor.watch()
            supervisor.console.say("stopping · 正在停止")
    except Refused as refused:
        console.complain(str(refused))
        return 2
    return 0


@contextlib.contextmanager
def _alone(plan: Plan) -> Iterator[None]:
    """Hold the installation: a second `up` says where the first one is."""
    with (plan.var / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            running = json.loads(file.read() or "{}")
            pid, url = running.get("pid", "?"), running.get("url", "?")
            raise Refused(
                f"The platform is already running here (process {pid}) at {url}. "
                f"Stop it first (kill {pid}), or set PRIME_VAR for another one.",
                f"平台已在此运行（进程 {pid}），地址 {url}。请先停止它（kill {pid}），或设置 PRIME_VAR 以另起一套。",
            ) from None
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "url": plan.public_url}))
        file.flush()
        yield
        file.truncate(0)


def _check_ports(plan: Plan) -> None:
    """Refuse before anything is started when a port is taken or an address is not ours."""
    ports = {"PRIME_HTTP_PORT": plan.http_port, "PRIME_DICOM_PORT": plan.dicom_port, "PRIME_EDGE_PORT": plan.edge_port}
    for name, port in ports.items():
        family = socket.AF_INET6 if ":" in plan.bind else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((plan.bind, port))
            except OSError as error:
                raise _port_refusal(error, name, port, plan.bind) from None


def _port_refusal(error: OSError, name: str, port: int, bind: str) -> Refused:
    if error.errno == errno.EADDRINUSE:
        return Refused(
            f"Port {port} is in use by another program. Set {name} to a free port, for example: {name}={port + 1000} make run",
            f"端口 {port} 已被其他程序占用。请将 {name} 设为空闲端口，例如：{name}={port + 1000} make run",
        )
    return Refused(
        f"Port {port} on {bind} cannot be used: {error.strerror}. Set {name} or PRIME_BIND.",
        f"无法使用 {bind} 的端口 {port}。请修改 {name} 或 PRIME_BIND。",
    )


def _bring_up(plan: Plan, who: state.Identities, supervisor: Supervisor, stack: contextlib.ExitStack) -> None:
    """Database, tables, privileges, demo, keys, then the children."""
    embedded = not os.environ.get("DATABASE_URL")
    urls = _embedded_database(plan, who, supervisor, stack) if embedded else _outside_database(plan)
    posture = ",".join(state.posture(who, embedded=embedded, own_logins=len(set(urls.values())) == len(urls)))
    public = {"PRIME_VAR": str(plan.var), "PRIME_POSTURE": posture}
    surroundings = children.Surroundings(
        plan.checkout, plan.var, who, public, _secrets(urls, os.environ.get("SECRET_KEY") or state.secret_key(plan.var))
    )
    run = _runner(plan, supervisor, surroundings)
    run("owner", "migrate", "--verbosity", "0", "--no-input")
    run("owner", "grants")
    if plan.demo and _first_study(urls["owner"]) is None:
        state.set_aside(plan.var, who)
        run("owner", "demo")
        state.settle(plan.var, who)
    code, synthetic = _first_study(urls["owner"]) or ("", False)
    if code:
        platform = keys.ensure(plan.var, who, study=code, url=plan.local_url)
        if plan.demo and synthetic:
            _make_demo_edge(plan, who, run, platform, study=code)
    _add_children(plan, supervisor, surroundings, demo=plan.demo and synthetic)
    supervisor.console.page(welcome.page(plan))


def _runner(plan: Plan, supervisor: Supervisor, surroundings: children.Surroundings) -> Callable[..., None]:
    def run(part: str, *command: str) -> None:
        status = supervisor.step(command[0], lambda: surroundings.spawn(part, ["python", "manage.py", *command]))
        if status:
            raise Refused(
                f"`manage.py {' '.join(command)}` failed with exit status {status}; its words are above and in {plan.var / 'logs'}.",
                f"`manage.py {' '.join(command)}` 失败（退出码 {status}），详情见上方及 {plan.var / 'logs'}。",
            )

    return run


def _make_demo_edge(plan: Plan, who: state.Identities, run: Callable[..., None], platform: Path, *, study: str) -> None:
    """The edge of the demo's first center, with keys of its own, registered at the platform like any hospital's."""
    edge = plan.var / "edge" / plan.demo_center
    if not (edge / "edge.json").exists():
        edge.mkdir(mode=0o700, exist_ok=True)
        state.give(edge, who, "edge")
        run("edge", "edge", "init", "--center", plan.demo_center, "--platform", str(platform))
    run("owner", "gateway", "add", str(edge / "gateway.json"), "--study", study)


def _add_children(plan: Plan, supervisor: Supervisor, surroundings: children.Surroundings, *, demo: bool) -> None:
    for child in children.from_procfile((plan.checkout / "Procfile").read_text(), surroundings):
        if child.name != "edge" or (plan.var / "edge" / plan.demo_center / "edge.json").exists():
            supervisor.add(child)
    if demo:
        supervisor.add(Child("demo", lambda: surroundings.spawn("owner", ["python", "manage.py", "demo", "images"]), once=True))


def _embedded_database(plan: Plan, who: state.Identities, supervisor: Supervisor, stack: contextlib.ExitStack) -> dict[str, str]:
    cluster = postgres.Cluster(plan.var / "pg", uid=who.uid("pg"))
    stack.enter_context(postgres.held(cluster))
    postgres.prepare(cluster)
    stack.callback(supervisor.stop_all)  # runs before the cluster is let go
    supervisor.add(Child("pg", lambda: postgres.launch(cluster), stage=2, patience=8.0, ending=PG_ENDING, process=postgres.start(cluster)))
    urls = logins.ensure(cluster, plan.var / "secrets")
    broker.install(urls["broker"])
    return urls


def _outside_database(plan: Plan) -> dict[str, str]:
    """The URLs of a database somebody else runs: DATABASE_URL is the owner's; further logins' URLs are files in var/secrets."""
    owner = os.environ["DATABASE_URL"]
    queue = os.environ.get("CELERY_BROKER_URL")
    if not queue:
        raise Refused(
            "DATABASE_URL is set, so no database is started here; then CELERY_BROKER_URL must be set too (redis://… or amqp://…).",
            "已设置 DATABASE_URL，因此不会启动内置数据库；还必须设置 CELERY_BROKER_URL（redis://… 或 amqp://…）。",
        )
    try:
        with psycopg.connect(owner, connect_timeout=10) as connection:
            faults = postgres.durability_faults(connection)
    except psycopg.OperationalError as error:
        raise Refused(f"The database of DATABASE_URL does not answer: {error}", "DATABASE_URL 指定的数据库无响应。") from None
    if faults:
        raise Refused(" ".join(faults), "数据库的持久性设置被关闭，平台拒绝启动。")
    if queue.startswith(("postgresql://", "postgres://", "pgmq://")):
        broker.install(queue.replace("pgmq://", "postgresql://", 1))
    urls = {"owner": owner, "broker": queue}
    for name in ("web", "worker", "infer"):
        file = plan.var / "secrets" / f"{name}.external.url"
        urls[name] = file.read_text().strip() if file.exists() else owner
    return urls


def _secrets(urls: dict[str, str], secret_key: str) -> dict[str, dict[str, str]]:
    shared = {"CELERY_BROKER_URL": urls["broker"], "SECRET_KEY": secret_key}
    return {part: shared | {"DATABASE_URL": urls.get(part, "")} for part in ("owner", "web", "worker", "beat", "infer")}


def _first_study(url: str) -> tuple[str, bool] | None:
    """Code of the study that was made first here and whether it is SYNTHETIC, or None."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute("select code, synthetic from studies_study order by id limit 1").fetchone()
    return (row[0], row[1]) if row else None
