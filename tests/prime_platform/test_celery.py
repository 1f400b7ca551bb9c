"""The queue: what the clock asks for exists, and the embedded broker takes and gives messages (RL-01, RL-02)."""

from collections.abc import Iterator

import kombu
import psycopg
import pytest

from prime_platform import celery
from prime_platform.embedded import broker
from tests import brokers


@pytest.fixture
def broker_url() -> Iterator[str]:
    with brokers.running() as url:
        yield url


def test_everything_the_clock_asks_for_is_a_task() -> None:
    celery.app.loader.import_default_modules()
    assert set(celery.BEAT) <= set(celery.app.tasks)


def test_calls_of_the_clock_do_not_pile_up() -> None:
    """A call nobody took before the next one is due is dropped."""
    assert all(entry["options"]["expires"] == entry["schedule"] for entry in celery.schedule(celery.BEAT).values())


def test_every_task_goes_to_a_queue_that_workers_listen_to() -> None:
    celery.app.loader.import_default_modules()
    assert {celery.route(name)["queue"] for name in celery.app.tasks} <= set(celery.QUEUES)


def test_tasks_are_json_without_results_and_acknowledged_early() -> None:
    """RL-01: no pickle, nothing kept; a killed worker's work is found by a sweep, not by a redelivered message."""
    conf = celery.app.conf
    assert conf.task_serializer == "json"
    assert conf.accept_content == ["json"]
    assert conf.task_ignore_result
    assert not conf.task_acks_late
    assert not conf.worker_enable_remote_control


def test_another_broker_is_taken_as_it_is() -> None:
    assert celery.broker("redis://queue.example:6379/0")["broker_write_url"] == "redis://queue.example:6379/0"


def test_embedded_broker_is_installed_once_and_carries_messages(broker_url: str) -> None:
    assert broker.install(broker_url)
    assert not broker.install(broker_url)
    settings = celery.broker(broker_url)
    connection = kombu.Connection(settings["broker_write_url"], transport_options=settings["broker_transport_options"])
    with connection, connection.SimpleQueue("default") as queue:
        queue.put({"id": 7})
        message = queue.get(timeout=20)
        assert message.payload == {"id": 7}
        message.ack()
    with psycopg.connect(broker_url) as owner:
        assert owner.execute("select count(*) from pgmq.q_default").fetchone() == (0,)
