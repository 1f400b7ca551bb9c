"""Is the process up (`/healthz`), and is the platform ready (`/readyz`): states, counts and ages, never anything about a person."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from accounts import scope
from accounts.models import Heartbeat, Installation
from prime_platform.celery import HEARTBEAT_EVERY, app
from prime_platform.demo import images
from prime_platform.embedded.postgres import durability_faults
from prime_platform.posture import notes
from studies.models import Participant

ALIVE = timedelta(seconds=6 * HEARTBEAT_EVERY)
DISK_RESERVE = 2 * 2**30  # bytes that must stay free for what hospitals send


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; asks nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, broker and worker do their work, else 503; the body says what does not, and how this installation is run."""
    now = timezone.now()
    state = {
        "installation": None,
        "participants": None,
        "database": "down",
        "broker": _asked(_broker, OperationalError, OSError),
        "heartbeats": {},
        "spool": None,
        "inbox": len(list((settings.VAR / "inbox").glob("*.package"))),
        "disk": disk(settings.VAR),
        "demo": None,
        "posture": posture(),
    }
    try:
        state |= _from_database(now)
    except DatabaseError:
        connection.close()
    worker = state["heartbeats"].get("worker", {})
    ready = state["database"] == state["broker"] == "ok" and worker.get("alive", False)
    return JsonResponse({"ready": ready} | state, status=200 if ready else 503)


def _from_database(now: datetime) -> dict[str, Any]:
    connection.ensure_connection()
    with scope.over_everything():
        return _counted(now)


def _counted(now: datetime) -> dict[str, Any]:
    beats = {each.name: each for each in Heartbeat.objects.order_by("name")}
    edges = [beat.detail.get("spool") for name, beat in beats.items() if name.startswith("edge:")]
    spools = [depth for depth in edges if isinstance(depth, int)]
    return {
        "installation": str(Installation.objects.values_list("uuid", flat=True).get()),
        "participants": Participant.objects.count(),
        "database": "ok" if not durability_faults(connection.connection) else "not durable",
        "heartbeats": {
            name: {"age": round((now - beat.at).total_seconds()), "alive": now - beat.at <= ALIVE} | _halves(beat.detail)
            for name, beat in beats.items()
        },
        "spool": sum(spools) if spools else None,
        "demo": demo_progress() if settings.PRIME_DEMO else None,
    }


def _halves(detail: dict[str, Any]) -> dict[str, Any]:
    """Which halves of an edge were up when it last said so."""
    return {"halves": detail["halves"]} if "halves" in detail else {}


def _asked(question: Callable[[], None], *failures: type[Exception]) -> str:
    """`ok` when the question could be asked, `down` when it failed in one of the expected ways."""
    try:
        question()
    except failures:
        return "down"
    return "ok"


def _broker() -> None:
    """Reach the broker. Raises kombu's OperationalError or OSError when it is not there."""
    with app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=3)


def disk(path: Path) -> dict[str, Any]:
    """Free bytes where the state lives, and whether they exceed the reserve."""
    free = shutil.disk_usage(path).free
    return {"free": free, "reserve": DISK_RESERVE, "ok": free > DISK_RESERVE}


def demo_progress() -> str:
    """How many of the demo's CT patients have their images in the archive, as `1/3`."""
    arrived, expected = images.arrived()
    return f"{arrived}/{expected}"


def posture() -> list[str]:
    """Codes of what this installation does not protect against (`docs/operations.md` explains each)."""
    codes = notes()
    if not settings.HTTPS:
        codes.append("plain_http")
    if settings.PRIME_DEMO:
        codes.append("demo")
    if not settings.PRIME_SECOND_FACTOR:
        codes.append("one_factor")
    return codes
