"""`/healthz` and `/readyz`: ready means work gets done; the answer names nobody."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Heartbeat, Installation


@pytest.fixture
def anybody() -> Client:
    return Client()


def beat(name: str, *, seconds_ago: int, **detail: object) -> None:
    Heartbeat.objects.create(name=name, at=timezone.now() - timedelta(seconds=seconds_ago), detail=detail)


def test_healthz_asks_no_database(anybody: Client) -> None:
    """Without the `django_db` mark a query would fail this test."""
    assert anybody.get("/healthz").content == b"ok\n"


@pytest.mark.django_db
def test_readyz_counts_and_names_the_installation(anybody: Client) -> None:
    said = anybody.get("/readyz").json()
    assert said["installation"] == str(Installation.objects.get().uuid)
    assert said["broker"] == "ok"
    assert said["participants"] == 0


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds_ago", "alive"), [(5, True), (3600, False)])
def test_worker_is_alive_while_its_last_heartbeat_is_recent(anybody: Client, seconds_ago: int, alive: bool) -> None:
    beat("worker", seconds_ago=seconds_ago)
    assert anybody.get("/readyz").json()["heartbeats"]["worker"]["alive"] is alive


@pytest.mark.django_db
def test_readyz_is_not_ready_without_a_worker(anybody: Client) -> None:
    answer = anybody.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False


@pytest.mark.django_db
def test_readyz_is_not_ready_on_a_database_that_may_lose_commits(anybody: Client) -> None:
    """RL-04: the cluster of the tests runs with fsync off, and is refused although everything else works."""
    beat("worker", seconds_ago=5)
    answer = anybody.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "not durable"


@pytest.mark.django_db
def test_readyz_adds_up_what_waits_at_the_edges(anybody: Client) -> None:
    beat("edge:01", seconds_ago=5, spool=3)
    beat("edge:02", seconds_ago=5, spool=4)
    assert anybody.get("/readyz").json()["spool"] == 7


@pytest.mark.django_db
def test_readyz_says_that_http_is_plain_and_the_disk_how_full(anybody: Client) -> None:
    said = anybody.get("/readyz").json()
    assert "plain_http" in said["posture"]
    assert set(said["disk"]) == {"free", "reserve", "ok"}


@pytest.mark.django_db
def test_readyz_says_which_half_of_an_edge_is_down(anybody: Client) -> None:
    beat("edge:01", seconds_ago=5, spool=3, halves={"receiving": 0, "working": 1, "disk": 0})
    assert anybody.get("/readyz").json()["heartbeats"]["edge:01"]["halves"] == {"receiving": 0, "working": 1, "disk": 0}
