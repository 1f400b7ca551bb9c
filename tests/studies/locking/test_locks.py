"""Locks: what stands against them, that the database refuses every write under them, and that two persons open one (AU-05)."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from accounts import audit, ledger
from accounts.models import LedgerRow, User
from accounts.transitions import NotAllowedNow
from followup import entry, events, treatment
from followup.models import TreatmentCourse
from studies import enrollment, screening, setup
from studies import entry as forms
from studies.locking import guards, locks, obstacles, signing, standing
from studies.locking.obstacles import Obstacle, Target
from studies.models import Lock, Milestone, Participant, UnlockRequest
from studies.quality import queries
from studies.quality.pointer import Pointer
from tests import world
from tests.studies.locking.signed_world import PROOF, by, course, locked, manager, opened, patient, refused, signed, target


@pytest.fixture
def site(db):
    return world.build()


WRITES = {
    "course": course,
    "void": lambda site, person: entry.void(row=TreatmentCourse.objects.get(participant=person), reason="no", by=by(site)),
    "contact": lambda site, person: events.record_contact(
        participant=person, on=person.screening.surgery_date + timedelta(days=9), outcome="answered", by=by(site)
    ),
    "baseline": lambda site, person: forms.record_texts(participant=person, texts={"afp": "12"}, by=by(site)),
    "amend": lambda site, person: screening.amend(screening=person.screening, reason="typing error", age_at_surgery=59, by=by(site)),
    "withdraw": lambda site, person: enrollment.withdraw(
        participant=person, how_far="no_contact", on=person.study.today(), reason="wish", by=by(site)
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_every_write_function_is_refused_under_a_lock(site, write):
    """AU-05: the functions do not ask; the database does."""
    person, free = patient(site), patient(site)
    locked(site, person)
    with refused(), transaction.atomic():
        WRITES[write](site, person)
    WRITES[write](site, free)


STATEMENTS = {
    "update": "UPDATE followup_treatmentcourse SET source = 'x' WHERE participant_id = {pk}",
    "delete": "DELETE FROM studies_consent WHERE screening_id = {screening}",
    "move": "UPDATE followup_treatmentcourse SET participant_id = {pk} WHERE participant_id = {free}",
    "participant": "UPDATE studies_participant SET enrolled_on = enrolled_on - 1 WHERE id = {pk}",
    "screening": "UPDATE studies_screening SET sex = 'F' WHERE id = {screening}",
    "truncate": "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE followup_treatmentcourse CASCADE",
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_raw_sql_of_the_owner_is_refused_under_a_lock(site, statement):
    """AU-05: also the accidents of the login that owns the tables; a row can be moved neither out nor in."""
    person, free = patient(site), patient(site)
    lock = locked(site, person)
    sql = STATEMENTS[statement].format(pk=person.pk, screening=person.screening_id, free=free.pk)
    assert connection.settings_dict["USER"] == "prime_owner"
    with refused() as error, transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        connection.cursor().execute(sql)
    assert error.value.__cause__.sqlstate == guards.LOCKED
    assert lock.in_force()


def test_row_saved_as_it_is_changes_nothing_and_passes(site):
    person = patient(site)
    locked(site, person)
    with transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        TreatmentCourse.objects.get(participant=person).save()


@pytest.mark.parametrize("level", ["record", "participant", "center"])
def test_a_freeze_holds_what_is_under_it_and_nothing_else(site, level):
    """AU-05: the hierarchy record < participant < center, each seen by the trigger."""
    person, neighbour, elsewhere = patient(site), patient(site), patient(site, "02")
    first, other = TreatmentCourse.objects.get(participant=person), course(site, person, days=9)
    what = {
        "record": Target(person.study, person.center, person, first._meta.label, str(first.uuid)),
        "participant": target(person),
        "center": Target(person.study, person.center),
    }[level]
    lock = locks.freeze(target=what, reason="under review", by=manager(site))
    held = {"record": [first], "participant": [first, other], "center": [first, other, TreatmentCourse.objects.get(participant=neighbour)]}
    rows = [first, other, *TreatmentCourse.objects.filter(participant__in=[neighbour, elsewhere])]
    for row in rows:
        if row in held[level]:
            with refused(), transaction.atomic():
                entry.void(row=row, reason="no", by=site.people[f"coordinator{row.participant.center.code}"])
    locks.unfreeze(lock=lock, reason="review done", by=manager(site))
    for row in rows:
        entry.void(row=row, reason="no", by=site.people[f"coordinator{row.participant.center.code}"])


def test_center_lock_stops_screening_there(site):
    locks.freeze(target=Target(site.study, site.centers["01"]), reason="review", by=manager(site))
    with refused(), transaction.atomic():
        world.screened(site, "01")
    world.screened(site, "02")


def test_what_machines_report_comes_under_a_lock_too(site):
    """A seal or an image waits for no lock; a person's statement does."""
    from studies import milestones

    person = patient(site)
    locked(site, person)
    with transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        milestones.record(participant=person, kind="sealed", on=person.study.today(), by=User.objects.system())
    with refused(), transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        milestones.record(participant=person, kind="window_closed", on=person.study.today(), by=User.objects.system())
    assert Milestone.objects.filter(participant=person, kind="sealed").exists()


def test_lock_needs_a_valid_approval_and_no_obstacle_of_any_part(site, monkeypatch):
    """AU-05: the principal investigator's signature, and whatever other parts registered (open queries)."""
    person = patient(site)
    with pytest.raises(NotAllowedNow):
        locks.lock(target=target(person), by=manager(site))
    signed(site, person, "reviewed")
    with pytest.raises(NotAllowedNow):
        locks.lock(target=target(person), by=manager(site))
    signed(site, person)
    monkeypatch.setattr(obstacles, "SOURCES", [*obstacles.SOURCES, lambda asked: [Obstacle("two open queries")]])
    with pytest.raises(NotAllowedNow, match="two open queries"):
        locks.lock(target=target(person), by=manager(site))
    monkeypatch.undo()
    course(site, person, days=9)
    with pytest.raises(NotAllowedNow):
        locks.lock(target=target(person), by=manager(site))
    signed(site, person)
    assert locks.lock(target=target(person), by=manager(site)).in_force()


@pytest.mark.parametrize("who", ["coordinator01", "site_pi01", "monitor"])
def test_only_the_data_manager_locks(site, who):
    person = patient(site)
    signed(site, person)
    with pytest.raises(PermissionDenied):
        locks.lock(target=target(person), by=site.people[who])


def test_unlock_takes_two_persons_a_reason_and_ends_by_itself(site):
    """AU-05: asked by one, approved by another; after the granted time the lock is in force without anybody doing anything."""
    person = patient(site)
    lock = locked(site, person)
    asked = locks.request_unlock(lock=lock, days=2, reason="start date wrong", by=by(site))
    with refused(), transaction.atomic():
        course(site, person, days=9)
    locks.decide_unlock(request=asked, approve=True, answer="seen the record", by=manager(site))
    course(site, person, days=9)
    with transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        Lock.objects.filter(pk=lock.pk).update(open_until=timezone.now() - timedelta(seconds=1))
    with refused(), transaction.atomic():
        course(site, person, days=11)
    events = [event.pgh_context["action"] for event in audit.history(lock)]
    assert events == ["lock.set", "unlock.approved", "test"]
    assert audit.history(asked).last().pgh_context["reason"] == "seen the record"


@pytest.mark.parametrize("asker", ["data_manager", "coordinator01"])
def test_nobody_opens_a_lock_alone(site, asker):
    person = patient(site)
    asked = locks.request_unlock(lock=locked(site, person), days=2, reason="start date wrong", by=site.people[asker])
    with pytest.raises(PermissionDenied):
        locks.decide_unlock(request=asked, approve=True, answer="yes", by=site.people[asker])
    with pytest.raises(DatabaseError, match="unlock_decided_by_another"), transaction.atomic(), audit.act(by=by(site), action="test"):
        UnlockRequest.objects.filter(pk=asked.pk).update(
            status="approved", decided_at=timezone.now(), decided_by=site.people[asker], answer="yes"
        )


def test_two_people_of_the_hospital_do_not_open_a_lock(site):
    """One of the two holds the right to lock; when the data manager asks, the principal investigator answers."""
    person = patient(site)
    lock = locked(site, person)
    asked = locks.request_unlock(lock=lock, days=2, reason="start date wrong", by=by(site))
    with pytest.raises(PermissionDenied):
        locks.decide_unlock(request=asked, approve=True, answer="yes", by=site.people["site_pi01"])
    locks.decide_unlock(request=asked, approve=False, answer="the record says so", by=manager(site))
    asked = locks.request_unlock(lock=lock, days=2, reason="wrong unit", by=manager(site))
    locks.decide_unlock(request=asked, approve=True, answer="yes", by=site.people["site_pi01"])
    assert not Lock.objects.get(pk=lock.pk).in_force()


def test_unanswered_request_expires_and_can_be_asked_again(site):
    person = patient(site)
    lock = locked(site, person)
    asked = locks.request_unlock(lock=lock, days=2, reason="start date wrong", by=by(site))
    with transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        UnlockRequest.objects.filter(pk=asked.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotAllowedNow):
        locks.decide_unlock(request=asked, approve=True, answer="late", by=manager(site))
    again = locks.request_unlock(lock=lock, days=2, reason="start date wrong", by=by(site))
    asked.refresh_from_db()
    assert (asked.status, again.status) == ("expired", "open")


def test_lock_is_closed_again_early(site):
    person = patient(site)
    lock = locked(site, person)
    opened(site, lock)
    locks.relock(lock=lock, by=manager(site))
    with refused(), transaction.atomic():
        course(site, person, days=9)


def test_study_is_locked_after_its_centers_and_goes_on_the_ledger(site):
    """Bottom up; the hash of everything that was locked is on the chain, and the phase alone holds every write."""
    person, elsewhere = patient(site), patient(site, "02")
    site.study = setup.advance_phase(study=site.study, to="follow_up", by=User.objects.system())
    whole = Target(site.study)
    for code, one in (("01", person), ("02", elsewhere)):
        signed(site, one)
        with pytest.raises(NotAllowedNow, match=code):
            locks.lock(target=whole, by=manager(site))
        locks.lock(target=Target(site.study, site.centers[code]), by=manager(site))
    lock = locks.lock(target=whole, by=manager(site))
    assert site.study.code == "TEST"
    assert Participant.objects.get(pk=person.pk).study.phase == "locked"
    [row] = LedgerRow.objects.filter(study="TEST", kind="lock")
    assert lock.uuid.hex in bytes(row.body).decode()
    assert ledger.verify("TEST") == []
    with refused(), transaction.atomic():
        course(site, person, days=9)


def test_center_whose_time_to_be_open_is_over_does_not_stand_against_the_study(site):
    """AU-05: a lock is never lost; nobody closes again what has closed itself."""
    signed(site, patient(site))
    center = locks.lock(target=Target(site.study, site.centers["01"]), by=manager(site))
    opened(site, center)
    assert len(locks.open_centers(Target(site.study))) == 1
    with transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        Lock.objects.filter(pk=center.pk).update(open_until=timezone.now() - timedelta(seconds=1))
    assert locks.open_centers(Target(site.study)) == []
    study = setup.advance_phase(study=site.study, to="follow_up", by=User.objects.system())
    assert locks.lock(target=Target(study), by=manager(site)).in_force()


def test_record_is_locked_on_its_approval_and_on_no_other_signature(site):
    """AU-05: who only read it has not approved it; who read it after it was approved takes nothing from the approval."""
    person = patient(site)
    row = TreatmentCourse.objects.get(participant=person)
    of_row = {"record": row._meta.label, "key": str(row.uuid), "proof": PROOF, "by": site.people["site_pi01"]}
    what = Target(person.study, person.center, person, of_row["record"], of_row["key"])
    signing.sign(participant=person, meaning="reviewed", **of_row)
    with pytest.raises(NotAllowedNow):
        locks.lock(target=what, by=manager(site))
    signing.sign(participant=person, meaning="approved", **of_row)
    signing.sign(participant=person, meaning="reviewed", **of_row)
    assert locks.lock(target=what, by=manager(site)).in_force()


def test_phase_locked_holds_every_write_without_a_lock_row(site):
    """What `publish` and the operator reach by the phase alone is as true as a lock."""
    person = patient(site)
    for phase in ("follow_up", "locked"):
        setup.advance_phase(study=site.study, to=phase, by=User.objects.system())
    assert not Lock.objects.exists()
    with refused(), transaction.atomic():
        course(site, person, days=9)


def test_unlocked_study_takes_corrections_until_the_time_is_over(site):
    person = patient(site)
    signed(site, person)
    site.study = setup.advance_phase(study=site.study, to="follow_up", by=User.objects.system())
    center = locks.lock(target=Target(site.study, site.centers["01"]), by=manager(site))
    study = locks.lock(target=Target(site.study), by=manager(site))
    for lock, second in ((center, "site_pi01"), (study, "investigator")):
        asked = locks.request_unlock(lock=lock, days=1, reason="wrong unit", by=manager(site))
        locks.decide_unlock(request=asked, approve=True, answer="yes", by=site.people[second])
    course(site, person, days=9)
    standing.check_open(Participant.objects.get(pk=person.pk))
    screening.amend(screening=person.screening, reason="typing error", age_at_surgery=59, by=by(site))
    locks.relock(lock=study, by=manager(site))
    with refused(), transaction.atomic():
        course(site, person, days=11)
    with pytest.raises(NotAllowedNow):
        screening.amend(screening=person.screening, reason="typing error", age_at_surgery=58, by=by(site))


def test_treatment_window_is_not_closed_under_a_lock(site):
    """A write that leaves only a milestone is one too."""
    person = patient(site)
    locked(site, person)
    setup.advance_clock(study=site.study, days=100, by=User.objects.system())
    fresh = Participant.objects.select_related("study", "screening", "center").get(pk=person.pk)
    with refused(), transaction.atomic():
        treatment.close_window(participant=fresh, on=treatment.window_end(fresh), by=by(site))


def test_open_query_stands_against_a_lock_until_it_is_closed(site):
    """AU-05: zero open queries."""
    person = patient(site)
    signed(site, person)
    pointer = Pointer("studies.Screening", person.screening.uuid, "sex")
    query = queries.ask(pointer=pointer, participant=person, text="Is the sex right?", by=manager(site))
    with pytest.raises(NotAllowedNow):
        locks.lock(target=target(person), by=manager(site))
    queries.close(query=query, reason="checked", by=manager(site))
    assert locks.lock(target=target(person), by=manager(site)).in_force()
