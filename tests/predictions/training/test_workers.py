"""A training whose parts are done by Celery workers: real ones, on the embedded broker, one of them killed (docs/models.md §4)."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.broker import broker
from predictions import workers
from predictions.training import away, jobs
from predictions.training.prime import fanout
from prime_platform import celery
from prime_platform.embedded import broker as tables
from tests import brokers
from tests.predictions.training.test_train_prime import LIGHT, ROOT, train, written


@contextlib.contextmanager
def worker(url, var):
    """A worker of one process, in a group of its own."""
    how = "--quiet --app predictions.workers worker --loglevel WARNING --concurrency 1 --without-gossip --without-mingle"
    command = [sys.executable, "-m", "celery", *how.split()]
    given = os.environ | {"CELERY_BROKER_URL": url, "PRIME_VAR": str(var)}
    process = subprocess.Popen(command, cwd=ROOT, env=given, start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def queue(settings, tmp_path, monkeypatch):
    """The broker; who asks in this process asks there, and soon again."""
    with brokers.running() as url:
        tables.install(url)
        settings.VAR, settings.CELERY_BROKER_URL = tmp_path / "var", url
        before = {name: workers.app.conf[name] for name in broker(url)}
        workers.app.conf.update(**broker(url))
        monkeypatch.setattr(away, "AGAIN", 5)
        yield url
        workers.app.conf.update(**before)
        workers.app.pool.force_close_all()


def kill_at_the_first_part(url, var, seen):
    """A worker is killed as soon as one part lies there, then another one goes on."""
    with worker(url, var) as first:
        while not (found := [each for each in var.glob("trainings/*/*.json") if each.name not in {away.ORDER, away.FAULT}]):
            time.sleep(0.01)
        os.killpg(first.pid, signal.SIGKILL)
    seen["killed after"] = len(found)
    with worker(url, var):
        while list(var.glob("trainings/*")):
            time.sleep(0.1)


def test_workers_one_of_them_killed_make_the_same_bytes(tmp_path, queue):
    """MD-07; a killed worker costs the part it was at, and nothing of the parts is left behind."""
    path, seen = written(tmp_path), {}
    train("prime-s", path, tmp_path / "here")
    helper = threading.Thread(target=kill_at_the_first_part, args=(queue, tmp_path / "var", seen), daemon=True)
    helper.start()
    train("prime-s", path, tmp_path / "away", "--workers")
    helper.join(60)
    assert seen["killed after"] < 3
    for file in ("model.json", "report.json"):
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "away" / file).read_bytes()
    assert list((tmp_path / "var" / "trainings").iterdir()) == []


def test_platforms_own_workers_neither_know_the_task_nor_listen_to_its_queue():
    """A part says predictions: it never comes near the site's processes; a message is a name and a number."""
    celery.app.loader.import_default_modules()
    assert workers.part.name not in celery.app.tasks
    assert workers.QUEUE not in celery.QUEUES
    with pytest.raises(ValueError, match="badly formed"):
        workers.part.run("TACE", 1)
    with pytest.raises(TypeError, match="ids only"):
        workers.part.run({"recommended": "TACE"}, 1)


@pytest.fixture
def order(tmp_path):
    """A folder with an order of two folds, as a training writes it."""
    source = fanout.Source("prime-r", str(written(tmp_path)), None, None, None, LIGHT, 7, 0)
    text = json.dumps(vars(source))
    folder = tmp_path / "board"
    folder.mkdir()
    jobs.write(folder / away.ORDER, {"work": fanout.__name__, "source": text, "names": ["0-0", "0-1"], "key": fanout.key_of(text)})
    return folder


def test_part_that_is_done_or_begun_is_not_begun(order, monkeypatch):
    seen, true = [], fanout.one
    monkeypatch.setattr(fanout, "one", lambda *given: seen.append(given[1]) or true(*given))
    away.do(order, 0)
    away.do(order, 0)
    with away._alone(order / "0-1.lock") as mine:
        assert mine
        away.do(order, 1)
    away.do(order, 2)
    away.do(order / "over", 0)
    assert seen == ["0-0"]


def test_worker_with_another_table_refuses_until_it_has_read_it_anew(order, tmp_path):
    """The one that keeps the table in memory reads it again; a table that is another than the training's stops it."""
    away.do(order, 0)
    assert jobs.read(order / "0-0.json")["said"]["rows"]
    table = tmp_path / "table.csv"
    table.write_text(table.read_text().replace("S0000", "S9999"))
    wanted = json.loads((order / away.ORDER).read_text())
    jobs.write(order / away.ORDER, wanted | {"key": key_of_another_process(wanted["source"])})
    away.do(order, 1)
    assert jobs.read(order / "0-1.json")["said"]["rows"]
    jobs.write(order / away.ORDER, wanted | {"key": "0" * 64})
    away.do(order, 1)
    assert "another table" in jobs.read(order / away.FAULT)["said"]


def key_of_another_process(source):
    """The key of a table that nobody has kept in memory."""
    code = "import sys; from predictions.training.prime import fanout; print(fanout.key_of(sys.argv[1]))"
    return subprocess.run([sys.executable, "-c", code, source], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize(("fault", "raised"), [(UserWarning("not converged"), UserWarning), (ValueError("broken"), away.WorkerRefused)])
def test_what_ends_a_part_ends_the_training_with_its_words(order, monkeypatch, fault, raised):
    """A warning of a numerical library too, as where the parts are done here."""

    def broken(*_):
        raise fault

    monkeypatch.setattr(fanout, "one", broken)
    wanted = json.loads((order / away.ORDER).read_text())
    board = away.Board(order, ask=lambda place: away.do(order, place), unheard=lambda: None)
    with pytest.raises(raised, match=str(fault)), warnings.catch_warnings():
        board.run(broken_as_named, wanted["source"], ["0-0"], key=wanted["key"])


def broken_as_named(*_):
    raise AssertionError("is done elsewhere")


broken_as_named.__module__ = fanout.__name__


def test_without_a_broker_it_says_what_is_missing(tmp_path, settings):
    settings.CELERY_BROKER_URL = ""
    given = ["--data", str(written(tmp_path)), "--out", str(tmp_path / "out"), "--preset", LIGHT, "--workers"]
    with pytest.raises(CommandError, match="CELERY_BROKER_URL") as caught:
        call_command("train", "prime-r", *given)
    assert caught.value.returncode == 2
    assert not Path(tmp_path / "out").exists()
