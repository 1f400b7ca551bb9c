"""Real worker processes with the worker's own login, several at once, killed at random moments (NW-08, RL-02)."""

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.utils import timezone

from imaging import archive, inbox
from imaging.models import ArchivedObject, Instance, InstanceConflict, KeySlice, Package, PackageReceipt, Series
from studies.models import Milestone
from tests import cluster
from tests.imaging import world as worlds
from tests.imaging.world import World, ct_series

pytestmark = pytest.mark.django_db(transaction=True)

SWEEPING = """
import django; django.setup()
from imaging import assessment, ingest
print("ready", flush=True)
while True:
    ingest.sweep()
    assessment.sweep()
"""
ROUNDS = 10


@pytest.fixture
def shared_world(var: Path) -> World:
    return worlds.build()


Worker = subprocess.Popen[str]


@pytest.fixture
def start(var: Path) -> Iterator[Callable[[], Worker]]:
    """Start a process that sweeps without end, signed in to the test database as the worker; all are gone afterwards."""
    url = urlsplit(cluster.urls()["worker"])._replace(path=f"/{cluster.DATABASE}").geturl()
    environment = {
        "PATH": os.environ["PATH"], "DATABASE_URL": url, "PRIME_VAR": str(var), "SECRET_KEY": "tests only", "CELERY_BROKER_URL": "memory://",
        "DJANGO_SETTINGS_MODULE": "prime_platform.settings",
    }  # fmt: skip
    started: list[Worker] = []

    def begin() -> Worker:
        with (var / "worker.log").open("a") as log:
            command = [sys.executable, "-c", SWEEPING]
            started.append(subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=log, text=True))
        return started[-1]

    yield begin
    for process in started:
        kill(process)
    print((var / "worker.log").read_text()[-3000:])


def kill(process: Worker) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def wait_until_ready(process: Worker) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def wait_until_answered(limit: float = 90) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        Package.objects.filter(state="stored").update(due_at=timezone.now())
        settled = not Package.objects.filter(state="stored").exists()
        if settled and not Series.objects.filter(assessed_revision=0).exists() and not list(inbox.directory().iterdir()):
            return
        time.sleep(0.2)
    raise AssertionError("the workers did not finish")


def check_once(world: World, sent: dict[str, list[bytes]], packages: list[str]) -> None:
    """Every instance that was ever receipted as stored is archived, once, with its bytes."""
    files = {hashlib.sha256(data).hexdigest(): data for made in sent.values() for data in made}
    dicom = ArchivedObject.objects.filter(media_type="application/dicom")
    assert set(dicom.values_list("sha256", flat=True)) == set(files)
    assert all(archive.read(sha256) == data for sha256, data in files.items())
    assert sorted(Instance.objects.values_list("object__sha256", flat=True)) == sorted(files)
    assert (Series.objects.count(), InstanceConflict.objects.count()) == (len(sent), 0)
    assert Milestone.objects.filter(kind="series_received").count() == len(sent)
    for identity in packages:
        assert world.receipt(identity).state == "archived"
    assert PackageReceipt.objects.filter(state="archived").count() == len(packages)
    assert list(archive.verify()) == []
    assert not [path for path in archive.root().rglob("*.part")]
    assert not list((archive.root() / ".incoming").iterdir())


def test_two_workers_killed_at_random_archive_everything_once(shared_world: World, start: Callable[[], Worker]) -> None:
    """NW-08: kill -9 of two sweeping workers, again and again, while packages come in twice."""
    rng, sent, packages = random.Random(20261122), {}, []
    for _ in range(ROUNDS):
        number = shared_world.enrol().study_number
        sent[number] = ct_series(number, slices=30)
        for part in (sent[number][:20], sent[number][10:]):
            sealed = shared_world.seal(number, part)
            assert shared_world.put(sealed).status_code == 201
            packages.append(sealed[0])
        Package.objects.filter(state="stored").update(due_at=timezone.now())
        workers = [start(), start()]
        for process in workers:
            wait_until_ready(process)
        time.sleep(rng.uniform(0, 1.2))
        for process in workers:
            kill(process)
    last = start()
    wait_until_answered()
    kill(last)
    check_once(shared_world, sent, packages)
    assert Package.objects.filter(attempts__gt=1).exists(), "no worker was killed while it worked; the test proved nothing"


def test_three_workers_at_once_have_one_effect(shared_world: World, start: Callable[[], Worker]) -> None:
    """RL-02: the same objects in several packages, three workers, no duplicate and no deadlock."""
    number = shared_world.enrol().study_number
    sent = {number: ct_series(number, slices=24)}
    packages = []
    for _ in range(5):
        sealed = shared_world.seal(number, sent[number])
        shared_world.put(sealed)
        packages.append(sealed[0])
    workers = [start() for _ in range(3)]
    wait_until_answered()
    for process in workers:
        kill(process)
    check_once(shared_world, sent, packages)
    series = Series.objects.get()
    assert (series.revision, series.verdict, series.instances.count()) == (1, "regular", 24)
    assert KeySlice.objects.count() == 2 * 9
