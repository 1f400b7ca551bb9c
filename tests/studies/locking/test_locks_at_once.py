"""Locks, signatures and writes at the same moment: one of them waits, and what waited is judged by what the other left (AU-05)."""

import threading
from datetime import timedelta

import psycopg
import pytest
from django.db import DatabaseError, connections, transaction

from accounts.transitions import NotAllowedNow
from followup import entry
from followup.models import TreatmentCourse
from prime_platform.demo import papers
from studies import consent, enrollment
from studies.locking import guards, locks, signing
from studies.locking.obstacles import Target
from studies.models import Lock, Participant, Signature
from tests import world
from tests.studies.locking.signed_world import PROOF, by, course, locked, manager, patient, refused, signed, target


def run(*works):
    """Each work in a thread and with a connection of its own; what each came to."""
    results = [None] * len(works)

    def one(place, work):
        try:
            results[place] = work()
        except Exception as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(place, work)) for place, work in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return results


@pytest.mark.django_db(transaction=True)
def test_a_write_and_a_lock_at_the_same_time_do_not_both_win():
    """AU-05: two real connections, the write begun first and not committed yet: the lock waits, and then finds the signature void."""
    site = world.build()
    person = patient(site)
    signed(site, person)
    begun, go_on = threading.Event(), threading.Event()

    def write():
        with transaction.atomic():
            course(site, person, days=9)
            begun.set()
            assert go_on.wait(30)

    def lock():
        assert begun.wait(30)
        threading.Timer(0.3, go_on.set).start()
        return locks.lock(target=target(person), by=manager(site))

    written, tried = run(write, lock)
    assert written is None
    assert isinstance(tried, NotAllowedNow)
    assert TreatmentCourse.objects.filter(participant=person).count() == 2
    assert not Lock.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_write_that_waits_behind_a_lock_is_refused_when_the_lock_commits():
    """AU-05: the lock begun first: the write waits in its trigger and then sees the lock."""
    site = world.build()
    person = patient(site)
    signed(site, person)
    begun, go_on = threading.Event(), threading.Event()

    def lock():
        with transaction.atomic():
            made = locks.lock(target=target(person), by=manager(site))
            begun.set()
            assert go_on.wait(30)
            return made

    def write():
        assert begun.wait(30)
        threading.Timer(0.3, go_on.set).start()
        return course(site, person, days=9)

    made, tried = run(lock, write)
    assert made.in_force()
    assert isinstance(tried, DatabaseError)
    assert tried.__cause__.sqlstate == guards.LOCKED
    assert TreatmentCourse.objects.filter(participant=person).count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_writes_and_a_signature_none_slips_between_hash_and_mark():
    """AU-04 under concurrency: whatever the order, a signature that holds covers exactly what is there."""
    site = world.build()
    person = patient(site)
    works = [lambda days=days: course(site, person, days=days) for days in range(6, 12)]
    sign = lambda: signing.sign(participant=person, meaning="approved", proof=PROOF, by=site.people["site_pi01"])  # noqa: E731
    results = run(*works[:3], sign, *works[3:])
    assert isinstance(results[3], Signature), results[3]
    held = signing.standings([person.pk])[person.pk]
    assert (held.signature.invalidated_at is None) == (held.changed == [])
    assert TreatmentCourse.objects.filter(participant=person).count() == 7


@pytest.mark.django_db(transaction=True)
def test_a_write_under_way_and_a_signature_do_not_wait_for_each_other(monkeypatch):
    """The write has stored its row and not yet judged the participant when somebody signs: the signature waits, and covers the row."""
    site = world.build()
    person = patient(site)
    stored, go_on = threading.Event(), threading.Event()
    save = entry.save_checked

    def save_and_pause(row):
        save(row)
        stored.set()
        assert go_on.wait(30)

    monkeypatch.setattr(entry, "save_checked", save_and_pause)

    def sign():
        assert stored.wait(30)
        threading.Timer(0.5, go_on.set).start()
        return signing.sign(participant=person, meaning="approved", proof=PROOF, by=site.people["site_pi01"])

    written, given = run(lambda: course(site, person, days=9), sign)
    assert not isinstance(written, Exception), written
    assert isinstance(given, Signature), given
    held = signing.standings([person.pk])[person.pk]
    assert held.holds
    assert TreatmentCourse.objects.filter(participant=person).count() == 2


@pytest.mark.django_db(transaction=True)
def test_accrual_closed_while_many_enrol_takes_nobody_after_it():
    """EN-03 under concurrency: with a lock of the center between them, enrolments end where the lock begins."""
    site = world.build()
    *lines, late = [world.screened(site) for _ in range(7)]
    for line in (*lines, late):
        consent.record(screening=line, form_version=papers.CONSENT_VERSION, signed_on=line.screened_on, by=by(site))
    works = [lambda line=line: enrollment.enroll(screening=line, on=line.screened_on + timedelta(days=1), by=by(site)) for line in lines]
    frozen = lambda: locks.freeze(target=Target(site.study, site.centers["01"]), reason="closed", by=manager(site))  # noqa: E731
    results = run(*works[:3], frozen, *works[3:])
    enrolled = [one for one in results if isinstance(one, Participant)]
    stopped = [one for one in results if isinstance(one, DatabaseError)]
    assert isinstance(results[3], Lock), results[3]
    assert len(enrolled) + len(stopped) == 6
    assert all(one.__cause__.sqlstate == guards.LOCKED for one in stopped)
    assert sorted(one.sequence for one in enrolled) == list(range(1, len(enrolled) + 1))
    with refused(), transaction.atomic():
        enrollment.enroll(screening=late, on=late.screened_on + timedelta(days=1), by=by(site))
    assert Participant.objects.count() == len(enrolled)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("login", ["web", "worker"])
def test_site_login_cannot_lift_lock_or_trigger(login_connection, login):
    """The login of the site may neither write past the lock nor remove what refuses it."""
    site = world.build()
    person = patient(site)
    locked(site, person)
    other = login_connection(login)
    for statement in (
        "ALTER TABLE followup_treatmentcourse DISABLE TRIGGER prime_lock",
        "DROP TRIGGER prime_lock ON followup_treatmentcourse",
        "CREATE OR REPLACE FUNCTION prime_lock_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "DELETE FROM studies_lock",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            other.execute(statement)
    if login == "web":
        with pytest.raises(psycopg.DatabaseError, match="is locked"), other.transaction():
            other.execute("SELECT set_config('pghistory.context_metadata', jsonb_build_object('login', session_user)::text, true)")
            other.execute("SELECT set_config('app.centers', %s, true)", [f"{{{person.center_id}}}"])
            other.execute("UPDATE followup_treatmentcourse SET source = 'x'")
