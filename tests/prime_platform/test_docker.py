"""What `docker/` promises: every command exists, every process has its own user and login, and only the proxy is published.

No engine runs in the tests. The files are read and compared with the Procfile, the settings and the table of logins (SE-09, SL-08).
"""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands

from prime_platform.embedded import children, logins, state

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service.get("image") == "prime-platform"}
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
UID_BASE = 64100
ADDRESS = "/var/lib/prime/secrets/owner.url"


def procfile() -> dict[str, list[str]]:
    lines = (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines())
    return {name: shlex.split(command.replace("$PRIME_VAR", "/var/lib/prime")) for name, _, command in lines}


def known_variables() -> set[str]:
    """Every environment variable that a module of the platform asks for."""
    asked = re.compile(r"""(?:\benv|\benv_int|\bsecret|environ\.get|environ)[(\[]\s*"([A-Z_]+)\"""")
    rooms = ("prime_platform", "accounts", "studies", "imaging", "predictions", "followup", "analysis")
    return {name for room in rooms for file in (ROOT / room).rglob("*.py") for name in asked.findall(file.read_text())} | set(
        children.PUBLIC
    )


def secret_files(service: dict[str, Any]) -> dict[str, str]:
    """Where each secret of a service is mounted → which one it is."""
    listed = [each if isinstance(each, dict) else {"source": each} for each in service.get("secrets", [])]
    return {each.get("target", f"/run/secrets/{each['source']}"): each["source"] for each in listed}


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", []))


def volumes(name: str) -> dict[str, str]:
    """Volumes of a service: name → `ro` or `rw`."""
    parts = [each.split(":") for each in SERVICES[name].get("volumes", [])]
    return {part[0]: part[2] if len(part) > 2 else "rw" for part in parts}


@pytest.mark.parametrize("name", ["web", "worker", "beat", "edge", "infer"])
def test_service_runs_what_the_procfile_runs(name):
    assert SERVICES[name]["command"] == procfile()[name]


def test_commands_of_the_image_exist():
    for service in OURS.values():
        command = service["command"]
        assert command[0] == "python"
        if command[1] == "manage.py":
            assert command[2] in get_commands()
        else:
            assert command[1] == "-m"
            assert command[2] in ("gunicorn", "celery")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    assert all((ROOT / path).exists() for line in copied for path in line.split())
    assert {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} - {"tests"} <= set(" ".join(copied).split())


def test_variables_are_ones_the_platform_knows():
    given = {name for service in OURS.values() for name in service.get("environment", {})}
    from_image = set(re.findall(r"\b(PRIME_[A-Z_]+)=", DOCKERFILE))
    assert (given | from_image) <= known_variables()


def test_variables_of_compose_stand_in_the_example():
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DOCKER / "compose.yaml").read_text()))
    explained = set(re.findall(r"^#? ?([A-Z_]+)=", (DOCKER / ".env.example").read_text(), re.MULTILINE))
    assert asked - {"PRIME_DICOM_AET"} <= explained


def test_proxy_alone_is_published():
    """SE-09: whatever else listens on the host listens to the host itself."""
    for name, service in SERVICES.items():
        for port in service.get("ports", []):
            assert name == "proxy" or port.startswith("127.0.0.1:"), f"{name} publishes {port}"


def test_each_service_has_a_login_of_its_own():
    """SE-09: no process is given another one's address; beat and edge have none."""
    addresses = {name: secret_files(service).get(ADDRESS) for name, service in OURS.items()}
    assert addresses == {
        "prepare": "owner.url", "web": "web.url", "worker": "worker.url", "infer": "infer.url", "beat": None, "edge": None,
    }  # fmt: skip
    made = re.search(r"for login in (.+); do", (DOCKER / "logins.sh").read_text())
    assert made is not None
    assert {f"prime_{name}" for name in made[1].split()} == {login for login, database in logins.LOGINS.values() if database == logins.MAIN}


def test_secrets_reach_only_who_needs_them():
    """The key of the sessions is web's alone; the broker's address is not given to inference, edge or the owner's step."""
    holders = {secret: {name for name in SERVICES if secret in secret_files(SERVICES[name]).values()} for secret in COMPOSE["secrets"]}
    assert holders["secret_key"] == {"web"}
    assert holders["broker.url"] == {"web", "worker", "beat"}
    assert holders["superuser"] == {"postgres"}
    assert holders["tls.key"] == {"proxy"}
    text = (DOCKER / "compose.yaml").read_text()
    assert not re.search(r"(PASSWORD|SECRET_KEY|DATABASE_URL|BROKER_URL)\s*:", text), "a secret is a file, never a variable"


def test_users_are_those_of_one_machine():
    """The numbers are those that `manage.py up` uses, so that a state directory can move between the two."""
    for name, service in OURS.items():
        uid = 0 if name == "prepare" else UID_BASE + state.PARTS.index(name)
        assert service["user"] == f"{uid}:{uid}"
        assert service.get("group_add", []) == ([str(UID_BASE + state.SHARED)] if name in ("web", "worker") else [])
        assert uid == 0 or f"{name}:{uid}" in DOCKERFILE
        assert service["cap_drop"] == ["ALL"]


def test_inference_reaches_the_database_only():
    """SL-08: no service but PostgreSQL shares a network with inference, and that network leads nowhere."""
    assert networks("infer") == {"inference"}
    assert {name for name in SERVICES if "inference" in networks(name)} == {"infer", "postgres"}
    assert COMPOSE["networks"]["inference"]["internal"] is True
    assert "ports" not in SERVICES["infer"]


def test_web_and_worker_have_no_way_out():
    for name in ("web", "worker", "beat", "postgres", "redis", "prepare"):
        assert all(COMPOSE["networks"][network]["internal"] for network in networks(name))


def test_volumes_follow_who_may_read_what():
    """`docs/operations.md`: anchors are not written by web or worker, models are read by inference alone, keys by their process."""
    assert volumes("web")["anchors"] == "ro"
    assert volumes("web")["archive"] == "ro"
    assert "anchors" not in volumes("worker")
    assert {name for name in OURS if "infer" in volumes(name)} == {"prepare", "infer"}
    for part in ("web", "worker"):
        assert {name for name in OURS if f"keys-{part}" in volumes(name)} == {"prepare", part}
    assert volumes("edge") == {"edge": "rw", "keys-public": "ro"}
    assert set(COMPOSE["volumes"]) == {volume for name in SERVICES for volume in volumes(name) if not volume.startswith(".")}


def test_health_is_asked():
    asked = {name: " ".join(SERVICES[name]["healthcheck"]["test"]) for name in ("proxy", "web", "edge")}
    assert "/readyz" in asked["proxy"]
    assert "/healthz" in asked["web"]
    assert "/healthz" in asked["edge"]


def test_image_installs_the_lock_with_hashes_and_keeps_the_compiler_out():
    build, final = DOCKERFILE.split("\nFROM ")[-2:]
    assert "--require-hashes -r requirements.lock" in build
    assert "gcc" in build
    assert "gcc" not in final
    assert "apt-get" not in final
    bases = re.findall(r"FROM (\S+)", DOCKERFILE)
    assert bases == ["python:3.11-slim-bookworm"] * 2
    users = re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)
    assert users == ["64101:64101"]
    default = re.search(r"^CMD (.+)$", DOCKERFILE, re.MULTILINE)
    assert default is not None
    assert yaml.safe_load(default[1]) == procfile()["web"]
