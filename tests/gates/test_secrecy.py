"""Before opening nobody of the site can read or rebuild a prediction: not from tables, logs, tasks, files, pages or exports (PR-08, SL-05,
SL-07).

The seals are opened here with the custodians' keys, so that it is known what to look for; one number is a canary, 0.123456789.
"""

import base64
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from psycopg import sql

from accounts import audit
from accounts.work import QUEUES, task
from predictions import batch
from predictions.decision import Strategy
from predictions.payload import Payload
from prime_platform.celery import app
from prime_platform.demo import custody
from prime_platform.embedded import keys, state
from tests import cluster, world
from tests.gates import rules, scenario
from tests.gates.test_addresses import ADDRESSES, PLAIN, url
from tests.predictions import sealed_world

pytestmark = pytest.mark.django_db
CHECKOUT = Path(__file__).resolve().parents[2]
AFP = ("3", "40", "4000", "30000")
UID_BASE = 64300
READABLE = "SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
Connect = Callable[[str], psycopg.Connection[Any]]


@dataclass
class Scene:
    """A sealed study: where its files are, what the seals say, and what the inference process told."""

    var: Path
    who: state.Identities
    said: list[Payload]
    numbers: set[str]
    output: str
    scratch: list[str]
    taken: list[Path]
    """What people took away: pages as they were shown, and every file of every export."""


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: Any) -> Iterator[Scene]:
    """A study sealed by the real inference process, under its own login and, as root, its own user, in the real layout of directories."""
    place = Path(tempfile.mkdtemp(prefix="prime-secrecy-"))
    place.chmod(0o711)
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(django_settings, "VAR", place / "var")
        try:
            yield _scene(place)
        finally:
            connection.close()
            call_command("flush", verbosity=0, interactive=False, allow_cascade=False, inhibit_post_migrate=True, reset_sequences=False)
            shutil.rmtree(place)


def _scene(place: Path) -> Scene:
    var, scratch, who = place / "var", place / "scratch", state.identities(CHECKOUT, UID_BASE)
    state.lay_out(var, who)
    (var / "secrets" / "infer.url").write_text(cluster.urls()["infer"])
    site = world.build()
    sealed_world.prepare(site, rules.canary())
    custody.keys()
    for place_, afp in enumerate(AFP):
        sealed_world.complete(site, ("01", "02")[place_ % 2], afp=afp)
    keys.ensure(var, who, study=site.study.code, url="http://127.0.0.1:1")
    state.settle(var, who)
    scratch.mkdir(mode=0o777)
    scratch.chmod(0o777)
    done = _as(who, "infer", var, [sys.executable, "manage.py", "infer", "--once"], TMPDIR=str(scratch))
    assert done.returncode == 0, done.stderr
    said = list(scenario.said().values())
    left = [path.name for path in scratch.iterdir()]
    taken = list(_taken(site, place / "taken"))
    return Scene(var, who, said, {each for payload in said for each in numbers(payload)}, done.stdout + done.stderr, left, taken)


TAKEN_BY = ("data_manager", "coordinator01", "blinded_statistician")
"""Who together see most: everything of the study, everything of a center, the cuts."""


def _taken(site: world.World, folder: Path) -> Iterator[Path]:
    """Every page without an object in its address as each of them sees it, and every kind of export; archives file by file."""
    folder.mkdir(mode=0o755)
    plain = [address for address in ADDRESSES if address.name in PLAIN]
    for name in TAKEN_BY:
        browser = Client()
        browser.force_login(site.people[name])
        answers = {address.name: browser.get(url(address)) for address in plain}
        answers |= {f"export-{kind}": browser.post(reverse("exports"), {"kind": kind}) for kind in ("csv", "parquet", "odm", "redcap")}
        answers["cut"] = browser.post(reverse("cut-new"))
        for what, answer in answers.items():
            for number, content in enumerate(_files_of(answer.getvalue())):
                path = folder / f"{name}.{what}.{number}"
                path.write_bytes(content)
                path.chmod(0o644)
                yield path


def _files_of(said: bytes) -> Iterator[bytes]:
    if not said.startswith(b"PK"):
        yield said
        return
    with zipfile.ZipFile(io.BytesIO(said)) as packed:
        for each in packed.namelist():
            yield packed.read(each)


def _as(who: state.Identities, part: str, var: Path, command: list[str], told: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program as one part of the platform: its user, its groups, its login, none of its secrets' files."""
    uid = who.uid(part)
    identity: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid, "extra_groups": who.groups(part)}
    surroundings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DJANGO_SETTINGS_MODULE": "prime_platform.settings",
        "PRIME_VAR": str(var),
        "DATABASE_URL": _url(part),
        "CELERY_BROKER_URL": "",
        "HOME": str(var / "home" / part),
    }
    return subprocess.run(
        command, cwd=CHECKOUT, env=surroundings | more, input=told, capture_output=True, text=True, timeout=120, check=False, **identity
    )


def _url(login: str) -> str:
    return urlsplit(cluster.urls()[login])._replace(path=f"/{cluster.DATABASE}").geturl()


def numbers(payload: Payload) -> set[str]:
    """The numbers of a payload that can stand nowhere by chance, cut to eight digits."""
    record = json.loads(payload.encode())
    said = [value for each in record["estimates"] for name in ("survival", "lower", "upper") for value in each[name]]
    return {value[:10] for value in [*said, *record["gains"], record["distance"]] if len(value) >= 11}


def dump(login: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Every row of every table that a login can read, as text; bytes are read as the text they may be.

    Whoever holds the site's login can open the row policies to himself, so they are opened here.
    """
    rows = []
    if login.info.user == "prime_web":
        login.execute(
            "SELECT set_config('app.centers', centers::text, false), set_config('app.studies', studies::text, false) FROM reach_over(NULL)"
        )
    for (table,) in login.execute(READABLE).fetchall():
        try:
            with login.transaction():
                found = login.execute(sql.SQL("SELECT * FROM {}").format(sql.SQL(table))).fetchall()
        except psycopg.errors.InsufficientPrivilege:
            continue
        rows += [(table, "\t".join(map(_text, row))) for row in found]
    return rows


def _text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("latin-1")
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def telling(rows: list[tuple[str, str]], scene: Scene) -> list[str]:
    """The rows that hold a number of a payload, or name a strategy; nobody was treated in this study."""
    words = re.compile(rf"\b({'|'.join(Strategy)})\b|recommended|acceptable")
    return [f"{table}: {row[:200]}" for table, row in rows if words.search(row) or any(each in row for each in scene.numbers)]


def test_there_is_something_to_look_for(scene: Scene) -> None:
    """The seals answer, differ between patients, and carry the canary."""
    assert {payload.recommended for payload in scene.said} == {Strategy.SURG, Strategy.TACE}
    assert all(payload.estimates and payload.estimates[0].survival[0] == rules.CANARY for payload in scene.said)
    assert len(scene.numbers) > 2 * len(AFP)
    assert str(rules.CANARY)[:10] in scene.numbers


MODELS = {"web": {"predictions_modelversion", "predictions_trainingrun"}, "worker": set[str]()}
"""What the page Models is drawn from: hashes, states, the public card, how far a training is (docs/blinding.md §2)."""


@pytest.mark.parametrize("part", ["web", "worker"])
def test_site_logins_read_no_table_of_predictions(scene: Scene, login_connection: Connect, part: str) -> None:
    """PR-08: no table, no column, no history, no sequence, but the registry of models."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, relkind::text FROM pg_class WHERE relname LIKE 'predictions\\_%' AND relkind IN ('r', 'S')")
        found = cursor.fetchall()
    assert len([name for name, kind in found if kind == "r"]) >= 7
    asked = {"r": "has_any_column_privilege(%s, 'SELECT')", "S": "has_sequence_privilege(%s, 'SELECT')"}
    login = login_connection(part)
    assert {name for name, kind in found if login.execute(f"SELECT {asked[kind]}", [name]).fetchone() != (False,)} == MODELS[part]


@pytest.mark.parametrize("part", ["web", "worker"])
def test_no_row_a_site_login_reads_tells_a_prediction(scene: Scene, login_connection: Connect, part: str) -> None:
    """SL-07: every column of every readable table as text, the ledger's bodies included."""
    rows = dump(login_connection(part))
    tables = {table for table, _ in rows}
    assert {"studies_participant", "studies_milestone", "accounts_ledgerrow"} <= tables
    assert {table for table in tables if table.startswith("predictions")} <= MODELS[part]
    assert telling(rows, scene) == []


@pytest.mark.parametrize("leak", [{"survival": "0.123456789"}, {"k": "TACE"}])
def test_planted_row_is_found(scene: Scene, leak: dict[str, str]) -> None:
    """Teeth: the same search finds a number and a word where somebody wrote them down."""
    with transaction.atomic():
        audit.record(kind="read", by=None, subject="participant", detail=leak)
        connection.ensure_connection()
        assert len(telling(dump(connection.connection), scene)) == 1 + _owner_only(scene)
        transaction.set_rollback(True)


def _owner_only(scene: Scene) -> int:
    """What the owner reads besides: nothing more, since even his tables hold ciphertext only."""
    return len(telling([row for row in dump(connection.connection) if not row[0].startswith("accounts_accessrecord")], scene))


def test_even_the_owner_reads_ciphertext_only(scene: Scene) -> None:
    """SL-07: a dump or a backup of the whole database tells nothing."""
    connection.ensure_connection()
    assert telling(dump(connection.connection), scene) == []


def test_inference_process_tells_nothing(scene: Scene) -> None:
    """SL-07: no number, strategy or patient in its words, no file left in its scratch directory."""
    assert telling([("output", scene.output)], scene) == []
    assert not re.search(r"\b\d\d-\d{4}-\d\d\b", scene.output)
    assert scene.scratch == []


def test_batch_logs_nothing(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """SL-07: also at the lowest level, also when the model crashes with a text that tells."""
    site_study = batch.Study.objects.get()
    waiting = batch.Participant.objects.filter(study=site_study).first()
    assert waiting is not None
    with caplog.at_level(logging.DEBUG), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM predictions_seal")
            cursor.execute("SET LOCAL session_replication_role = origin")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batch, "predict", _crashing(batch.predict))
            assert batch.run(study=site_study, at=site_study.now(), software=sealed_world.SOFTWARE, seconds=60.0, hold=False) is not None
        assert sorted(payload.outcome for payload in scenario.said().values()) == ["answer", "answer", "answer", "failure"]
        transaction.set_rollback(True)
    assert telling([("log", f"{record.getMessage()} {record.exc_text}") for record in caplog.records], scene) == []


def _crashing(predict: Callable[..., Payload]) -> Callable[..., Payload]:
    crashed = []

    def once(*given: Any) -> Payload:
        payload = predict(*given)
        if not crashed:
            crashed.append(payload)
            raise RuntimeError(f"{rules.CANARY} recommended {payload.recommended}")
        return payload

    return once


def test_no_task_carries_a_prediction() -> None:
    """RL-01, SL-07: no task belongs to the sealed room, and none takes anything but ids."""
    app.loader.import_default_modules()
    assert QUEUES
    assert not [name for name in QUEUES if name.startswith(("predictions.", "analysis."))]

    @task()
    def anything(given: object) -> None:
        raise AssertionError("was run")

    QUEUES.pop(f"{__name__}.anything", None)
    for message in (rules.CANARY, {"recommended": "TACE"}, ["TACE"], True):
        with pytest.raises(TypeError, match="ids only"):
            anything.run(message)
    for message in ("TACE", str(rules.CANARY)):
        with pytest.raises(ValueError, match="badly formed"):
            anything.run(message)


CLOSED = {
    "web": ("infer", "demo-custodians", "secrets", "keys/worker", "home/infer", "logs"),
    "worker": ("infer", "demo-custodians", "secrets", "keys/web", "home/infer", "logs"),
}


@pytest.mark.parametrize("part", CLOSED)
def test_site_users_cannot_rebuild_a_prediction(scene: Scene, part: str) -> None:
    """docs/sealing.md on custody: the inputs are there, the model is in no file that the process's user can read."""
    _needs_users(scene)
    login = "web"  # the worker's login cannot even read the inputs; the stronger one is tried for both users
    rebuilt = _rebuild(scene, part, login)
    assert rebuilt["snapshots"] == len(AFP)
    assert rebuilt["found"] == []
    assert rebuilt["cells"] > 500
    assert [path for path in rebuilt["read"] if path.startswith(CLOSED[part])] == []
    assert any(path.startswith(f"keys/{part}/") for path in rebuilt["read"])
    assert len([path for path in rebuilt["read"] if path.startswith("taken/")]) == len(scene.taken) > 3 * len(PLAIN)


@pytest.mark.parametrize("part", CLOSED)
def test_backup_of_the_database_gives_no_prediction_either(scene: Scene, part: str) -> None:
    """Whoever got a dump of everything holds what the owner reads, seals and snapshots among it, beside the files of his own user."""
    _needs_users(scene)
    rebuilt = _rebuild(scene, part, "owner")
    assert rebuilt["snapshots"] == len(AFP)
    assert rebuilt["cells"] > _rebuild(scene, part, "web")["cells"]
    assert rebuilt["found"] == []


def _in_a_backup(model: bytes) -> bytes:
    """A compressed archive of a directory in which the model lies, as `tar cz` makes one."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w:gz") as packed:
        entry = tarfile.TarInfo("var/infer/model.json")
        entry.size = len(model)
        packed.addfile(entry, io.BytesIO(model))
    return kept.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "backup": _in_a_backup, "written": base64.b64encode}


@pytest.mark.parametrize(
    ("part", "folder", "packed"),
    [("web", "archive", "plain"), ("web", "keys/public", "backup"), ("worker", "archive", "written"), ("worker", "keys/public", "plain")],
)
def test_model_planted_where_the_site_reads_gives_the_prediction(scene: Scene, part: str, folder: str, packed: str) -> None:
    """Teeth: the same attempt succeeds once the artefact lies in a readable place, in a backup or written out, too."""
    _needs_users(scene)
    planted = scene.var / folder / "planted"
    planted.write_bytes(PACKED[packed](rules.canary()))
    planted.chmod(0o644)
    try:
        found = [json.loads(each) for each in _rebuild(scene, part, "web")["found"]]
    finally:
        planted.unlink()
    assert sorted(each["recommended"] for each in found) == sorted(str(payload.recommended) for payload in scene.said)
    assert {each["estimates"][0]["survival"][0] for each in found} == {str(rules.CANARY)}


PLANT = """
    INSERT INTO predictions_trainingrun
    (uuid, study_id, kind, task_sha256, data_sha256, status, done, total, begun_at, heard_at, said, model_sha256)
    SELECT gen_random_uuid(), id, 'strategy', '', '', 'refused', 0, 0, now(), now(), %s, '' FROM studies_study
"""


@pytest.mark.parametrize("within", [False, True])
def test_model_planted_in_a_table_that_the_site_reads_gives_the_prediction(scene: Scene, within: bool) -> None:
    """Teeth: what the page Models is drawn from is tried too, as text or as an object within an object."""
    _needs_users(scene)
    text = rules.canary().decode()
    planted = json.dumps({"card": [json.loads(text)]}) if within else text
    with psycopg.connect(_url("owner"), autocommit=True) as owner:  # another process shall see it
        owner.execute(PLANT, [planted])
        try:
            found = [json.loads(each) for each in set(_rebuild(scene, "web", "web")["found"])]
        finally:
            owner.execute("DELETE FROM predictions_trainingrun")
    assert sorted(each["recommended"] for each in found) == sorted(str(payload.recommended) for payload in scene.said)


def _rebuild(scene: Scene, part: str, login: str) -> Any:
    files = json.dumps([str(path) for path in (*scene.var.rglob("*"), *scene.taken) if path.is_file()])
    done = _as(scene.who, part, scene.var, [sys.executable, "-m", "tests.gates.rebuild"], told=files, DATABASE_URL=_url(login))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said | {
        "read": [str(Path(name).relative_to(scene.var if scene.var in Path(name).parents else scene.var.parent)) for name in said["read"]]
    }


def _needs_users(scene: Scene) -> None:
    if not scene.who.separate:
        pytest.skip("only root gives every part a user of its own, and only where that user can run this interpreter")


def test_files_outside_the_inference_host_tell_nothing(scene: Scene) -> None:
    """SL-07: anchors, archive, keys, logs: no number of a payload in any file but the inference host's own."""
    paths = [path for path in scene.var.rglob("*") if path.is_file() and not path.is_relative_to(scene.var / "infer")]
    assert any(path.is_relative_to(scene.var / "anchors") for path in paths)
    assert telling([(str(path), path.read_bytes().decode("latin-1")) for path in paths], scene) == []


def test_nothing_that_people_take_away_holds_a_number_of_a_prediction(scene: Scene) -> None:
    """BL-01, SL-07: pages and exports, of the roles who see most."""
    names = {path.name.rsplit(".", 1)[0] for path in scene.taken}
    assert {"data_manager.export-csv", "data_manager.cut", "blinded_statistician.cut", "coordinator01.worklist"} <= names
    assert len([path for path in scene.taken if path.name.startswith("data_manager.export-")]) > 4 * 4
    holding = [path.name for path in scene.taken if any(each.encode() in path.read_bytes() for each in scene.numbers)]
    assert holding == []
