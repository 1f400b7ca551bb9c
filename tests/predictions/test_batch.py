"""The blind batch: one seal per patient and tier whatever happens, and all seals look alike (PR-06, SL-05, SL-07)."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection, connections
from psycopg import errors

from accounts import anchors, ledger
from accounts.models import User
from predictions import batch, registry, seal_check, sealing
from predictions.models import Seal
from predictions.payload import Outcome, decode
from predictions.sealing_envelope import PAIRS, Envelope
from studies import enrollment, milestones
from tests import cluster, world
from tests.predictions import sealed_world
from tests.predictions.sealed_world import KEYS, SOFTWARE, complete


def run(site):
    return batch.run(study=site.study, at=site.study.now(), software=SOFTWARE, seconds=20, hold=False)


def opened(seal):
    envelope = Envelope(bytes(seal.ciphertext), {pair: bytes(getattr(seal, f"wrap_{pair.lower()}")) for pair in PAIRS})
    record = sealing.SealRecord({name: seal.body[name] for name in sealing.ASSOCIATED}, envelope, seal.body)
    half = sealing.peel(record, "AC", KEYS["A"])
    return decode(sealing.open_half(record, "AC", half, KEYS["C"]).payload)


def test_batch_seals_everybody_whose_inputs_are_complete(site):
    done, waiting = complete(site), world.enrolled(site, "02")
    run(site)
    [seal] = Seal.objects.all()
    assert seal.participant == done
    assert opened(seal).outcome == Outcome.ANSWER
    assert ledger.verify(site.study.code) == []
    assert not milestones.in_force().filter(participant=waiting, kind="sealed").exists()


def test_sites_see_the_date_and_nothing_else(site):
    participant = complete(site)
    run(site)
    milestone = milestones.in_force().get(participant=participant, kind="sealed")
    assert (milestone.on, milestone.ref_uuid, milestone.url_name) == (site.study.today(), None, "")


def test_second_batch_seals_nobody_twice(site):
    """PR-06, PR-07: also not after the inputs were corrected."""
    participant = complete(site)
    run(site)
    from studies import entry

    entry.record_texts(participant=participant, texts={"afp": "9000"}, reason="misread", by=site.people["coordinator01"])
    assert run(site) is None
    assert Seal.objects.count() == 1


def test_withdrawn_participant_is_not_predicted(site):
    participant = complete(site)
    enrollment.withdraw(
        participant=participant, how_far="no_new_data", on=site.study.today(), reason="moved", by=site.people["coordinator01"]
    )
    assert run(site) is None


def test_answer_crash_and_timeout_look_alike(site, monkeypatch):
    """SL-05: one size of ciphertext, wraps and body, one kind of row, whatever the model did."""
    first, second, third = (complete(site) for _ in range(3))

    def capricious(data, snapshot, software):
        number = snapshot.decode()
        if second.study_number in number:
            raise RuntimeError("0.123456789")
        return batch_predict(data, snapshot, software)

    batch_predict = batch.predict
    monkeypatch.setattr(batch, "predict", capricious)
    run(site)
    seals = {seal.participant_id: seal for seal in Seal.objects.all()}
    shapes = {
        (len(bytes(seal.ciphertext)), len(bytes(seal.wrap_ab)), len(bytes(seal.wrap_bc)), tuple(sorted(seal.body)), seal.batch_id)
        for seal in seals.values()
    }
    assert len(shapes) == 1
    assert opened(seals[second.pk]).reason == "CRASH"
    assert {opened(seals[each.pk]).outcome for each in (first, third)} == {Outcome.ANSWER}


def test_past_the_deadline_everything_is_a_timeout(site):
    participant = complete(site)
    batch.run(study=site.study, at=site.study.now(), software=SOFTWARE, seconds=-1.0)
    assert opened(Seal.objects.get(participant=participant)).reason == "TIMEOUT"


class Clock:
    """Time that passes only where somebody works or sleeps; `at` is what it shows."""

    def __init__(self):
        self.at = 0.0

    def monotonic(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds


@pytest.mark.parametrize(("each", "reasons"), [(0.0, ["", "", ""]), (0.6, ["", "", ""]), (6.0, ["", "", ""]), (19.0, ["", "", "TIMEOUT"])])
def test_batch_is_committed_at_its_fixed_end_however_long_the_model_takes(site, monkeypatch, each, reasons):
    """SL-07: a model that takes ten times as long, or more time than there is: the commit falls on the same second."""
    for _ in range(3):
        complete(site)
    clock, predict, committed = Clock(), batch.predict, []

    def taking(*given):
        clock.sleep(min(each, 20 - clock.at))
        return predict(*given)

    def store(*given):
        committed.append(clock.at)
        return stored(*given)

    stored = batch.store
    monkeypatch.setattr(batch, "time", clock)
    monkeypatch.setattr(batch, "predict", taking)
    monkeypatch.setattr(batch, "store", store)
    batch.run(study=site.study, at=site.study.now(), software=SOFTWARE, seconds=20.0)
    assert committed == [20.0]
    assert [opened(seal).reason for seal in Seal.objects.order_by("ledger_index")] == reasons


def test_model_that_never_ends_is_interrupted_at_the_end_of_the_batch(site, monkeypatch):
    """SL-07: one endless patient leaves timeouts, and the next batch finds nobody due; the process's own alarm is as before."""
    first, second = complete(site), complete(site)
    predict, before = batch.predict, signal.getsignal(signal.SIGALRM)

    def endless(data, snapshot, software):
        while second.study_number in snapshot.decode():
            with contextlib.suppress(Exception):
                time.sleep(0.01)
        return predict(data, snapshot, software)

    monkeypatch.setattr(batch, "predict", endless)
    batch.run(study=site.study, at=site.study.now(), software=SOFTWARE, seconds=1.0)
    assert {seal.participant_id: opened(seal).reason for seal in Seal.objects.all()} == {first.pk: "", second.pk: "TIMEOUT"}
    assert run(site) is None
    assert signal.getsignal(signal.SIGALRM) is before


def test_changed_artefact_seals_nobody(site):
    """MD-04: one flipped byte, and the model is not loaded."""
    complete(site)
    path = sealed_world.place(sealed_world.artefact())
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(registry.ArtefactMissing, match="was changed"):
        run(site)
    assert not Seal.objects.exists()


def test_second_locked_model_of_a_tier_is_refused(site):
    """MD-05: one locked model per tier."""
    from django.core.exceptions import ValidationError

    other = registry.register(
        study=site.study, name="other", data=sealed_world.artefact(-1.5), data_sha256="0" * 64, commit="0" * 40, intended_use="x",
        by=User.objects.system(),
    )  # fmt: skip
    with pytest.raises((ValidationError, Exception), match="one_locked_per_tier"):
        sealed_world.lock(other)


@pytest.mark.django_db(transaction=True)
def test_twenty_deliveries_leave_one_seal(tmp_path, settings):
    """PR-06: twenty batches at once."""
    settings.VAR = tmp_path
    site = world.build()
    sealed_world.prepare(site)
    for _ in range(3):
        complete(site)

    def deliver(_):
        try:
            batch.run(study=site.study, at=site.study.now(), software=SOFTWARE, seconds=30, hold=False)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(deliver, range(20)))
    assert Seal.objects.count() == 3
    assert [row.kind for row in ledger.rows(site.study.code)].count("seal") == 3
    assert ledger.verify(site.study.code) == []


SECRET_TABLES = ("predictions_seal", "predictions_snapshot", "predictions_custodian", "predictions_batch")
REGISTRY = "predictions_modelversion"
"""The site shows a model's owner its hash, purpose and state (blinding §2); what a model says is in none of its columns."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("table", "login"), [*((table, login) for table in SECRET_TABLES for login in ("web", "worker")), (REGISTRY, "worker")]
)
def test_site_logins_read_nothing_of_predictions(login_connection, login, table):
    """PR-08: no grant at all, not even on ciphertext."""
    with pytest.raises(errors.InsufficientPrivilege):
        login_connection(login).execute(f"SELECT * FROM {table}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["followup_treatmentcourse", "followup_recurrence", "followup_death", "followup_assessment"])
def test_inference_reads_nothing_of_treatment_or_outcome(login_connection, table):
    """PR-08: the other way round."""
    with pytest.raises(errors.InsufficientPrivilege):
        login_connection("infer").execute(f"SELECT * FROM {table}")


def infer(folder):
    """The inference process as it is run, signed in as prime_infer to the test database."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "CELERY"))} | {
        "DATABASE_URL": urlsplit(cluster.urls()["infer"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl(),
        "PRIME_VAR": str(folder),
    }
    program = [sys.executable, "manage.py", "infer", "--once"]
    return subprocess.Popen(
        program, cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.django_db(transaction=True)
def test_infer_command_works_with_its_own_login_alone(tmp_path, settings):
    """The real process, signed in as prime_infer, seals and anchors; its output names no patient."""
    settings.VAR = tmp_path
    site = world.build()
    sealed_world.prepare(site)
    participant = complete(site)
    process = infer(tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert participant.study_number not in out + err
    assert opened(Seal.objects.get(participant=participant)).outcome == Outcome.ANSWER
    [anchor] = anchors.read(site.study.code)
    assert anchor.index == ledger.rows(site.study.code)[-1].index


@pytest.mark.django_db(transaction=True)
def test_killed_batches_leave_one_seal(tmp_path, settings):
    """PR-06: inference processes killed at random moments, two at a time, then one that ends: one seal each, one line."""
    settings.VAR = tmp_path
    site = world.build()
    sealed_world.prepare(site)
    for _ in range(4):
        complete(site)
    dice = random.Random(20260101)
    for _ in range(4):
        running = [infer(tmp_path), infer(tmp_path)]
        time.sleep(dice.uniform(1.0, 4.0))
        for process in running:
            process.kill()
            process.communicate(timeout=30)
    last = infer(tmp_path)
    _, err = last.communicate(timeout=120)
    assert last.returncode == 0, err
    assert Seal.objects.count() == 4
    assert [row.kind for row in ledger.rows(site.study.code)].count("seal") == 4
    assert ledger.verify(site.study.code, anchors.read(site.study.code)) == []
    assert list(seal_check.verify()) == []


@pytest.mark.parametrize("column", ["ciphertext", "wrap_ab", "wrap_ac", "wrap_bc"])
def test_verify_names_a_flipped_byte_of_a_seal(site, column):
    """A superuser's edit of a stored seal, triggers off, is named; the untouched seals are not."""
    complete(site), complete(site)
    run(site)
    first, _ = Seal.objects.order_by("ledger_index")
    assert list(seal_check.verify()) == []
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            f"UPDATE predictions_seal SET {column} = set_byte({column}, 40, get_byte({column}, 40) # 1) WHERE id = %s", [first.pk]
        )
        cursor.execute("SET LOCAL session_replication_role = origin")
    faults = list(seal_check.verify())
    assert faults
    assert all(f"seal {first.ledger_index} of" in fault for fault in faults)


def test_verify_names_a_changed_record_and_a_changed_snapshot(site):
    complete(site)
    run(site)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE predictions_seal SET body = jsonb_set(body, '{tier}', '\"1\"')")
        cursor.execute("UPDATE predictions_snapshot SET content = set_byte(content, 9, get_byte(content, 9) # 1)")
        cursor.execute("SET LOCAL session_replication_role = origin")
    told = " ".join(seal_check.verify())
    assert "its body is not the one on the ledger" in told
    assert "its snapshot is not the one on the ledger" in told
