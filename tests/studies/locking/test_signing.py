"""Electronic signatures: bound to their content, void when it changes, kept when it does not (AU-04)."""

import threading

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from accounts import audit, canonical
from accounts.models import AccessRecord, User
from accounts.reauthentication import ATTEMPTS, Proof, confirm
from followup import entry
from followup.models import TreatmentCourse
from imaging.models import ImagingStudy, Series
from studies import entry as forms
from studies import screening
from studies.locking import content, locks, signing
from studies.models import Meaning, Signature
from tests import world
from tests.studies.locking import signed_world
from tests.studies.locking.signed_world import PROOF, course, patient, signed


@pytest.fixture
def site(db):
    return world.build()


def holds(person):
    standing = signing.standings([person.pk])[person.pk]
    return standing is not None and standing.holds


def test_signature_says_who_when_and_what_for(site):
    """AU-04: printed name, time, meaning, and the hash of exactly the records that were there."""
    person = patient(site)
    made = signed(site, person, Meaning.REVIEWED)
    pi = site.people["site_pi01"]
    assert (made.printed_name, made.meaning, made.signed_by) == (pi.display_name, "reviewed", pi)
    assert made.signed_at.utcoffset().total_seconds() == 0
    assert made.digest == canonical.digest(made.content)
    assert set(made.content["records"]) == {"studies.Participant", "studies.Screening", "studies.Consent", "followup.TreatmentCourse"}
    assert made.content["records"]["studies.Participant"][str(person.uuid)]["study_number"] == person.study_number
    assert holds(person)


def test_password_is_asked_again_and_a_wrong_one_is_recorded(site):
    """AU-04: no signature on the strength of a session alone; the failure stays in the record (AU-01)."""
    person = patient(site)
    with pytest.raises(ValidationError) as refused:
        signing.sign(participant=person, meaning=Meaning.APPROVED, proof=Proof("wrong horse"), by=site.people["site_pi01"])
    assert set(refused.value.message_dict) == {"password"}
    assert not Signature.objects.exists()
    assert AccessRecord.objects.filter(kind="refusal", username="site_pi01", subject="reauthentication").count() == 1


def test_password_is_not_tried_a_sixth_time(site):
    person, pi = patient(site), site.people["site_pi01"]
    for _ in range(5):
        with pytest.raises(ValidationError):
            signing.sign(participant=person, meaning=Meaning.APPROVED, proof=Proof("wrong horse"), by=pi)
    with pytest.raises(ValidationError, match="Wait a quarter|一刻钟"):
        signing.sign(participant=person, meaning=Meaning.APPROVED, proof=PROOF, by=pi)


@pytest.mark.django_db(transaction=True)
def test_attempts_at_the_same_time_count_together():
    """AU-04: what several windows try at once is counted one after the other, and no more of it than one window may."""
    person = world.build().people["site_pi01"]
    wrong = {"user": person, "proof": Proof("wrong horse")}
    for _ in range(ATTEMPTS - 1):
        with pytest.raises(ValidationError):
            confirm(**wrong)
    begun, go_on, refused = threading.Event(), threading.Event(), []

    def attempt(*, first):
        with transaction.atomic():
            try:
                confirm(**wrong)
            except ValidationError as error:
                refused.append(error.messages[0])
            if first:
                begun.set()
                assert go_on.wait(30)
        connections.close_all()

    threads = [threading.Thread(target=attempt, kwargs={"first": first}) for first in (True, False)]
    threads[0].start()
    assert begun.wait(30)
    threads[1].start()
    threads[1].join(0.3)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 2
    assert AccessRecord.objects.filter(username="site_pi01", subject="reauthentication").count() == ATTEMPTS


@pytest.mark.parametrize("who", ["coordinator01", "site_pi02", "data_manager", "monitor"])
def test_only_the_principal_investigator_of_the_center_signs(site, who):
    person = patient(site)
    with pytest.raises(PermissionDenied):
        signing.sign(participant=person, meaning=Meaning.APPROVED, proof=PROOF, by=site.people[who])


def change_course(site, person):
    entry.void(row=TreatmentCourse.objects.get(participant=person), reason="wrong patient", by=site.people["coordinator01"])


def add_course(site, person):
    course(site, person, days=9)


def amend_screening(site, person):
    screening.amend(screening=person.screening, reason="typing error", age_at_surgery=59, by=site.people["coordinator01"])


def raw_sql(site, person):
    with transaction.atomic(), audit.act(by=site.people["coordinator01"], action="test"), connection.cursor() as cursor:
        cursor.execute("UPDATE followup_treatmentcourse SET source = 'elsewhere' WHERE participant_id = %s", [person.pk])


def update_of_a_queryset(site, person):
    with transaction.atomic(), audit.act(by=site.people["coordinator01"], action="test"):
        TreatmentCourse.objects.filter(participant=person).update(drug="lipiodol")


@pytest.mark.parametrize("change", [change_course, add_course, amend_screening, raw_sql, update_of_a_queryset])
def test_any_change_of_signed_data_ends_the_signature(site, change):
    """AU-04: one changed field, by whatever road: marked in the same transaction, and the hashes differ."""
    person, other = patient(site), patient(site)
    made, others = signed(site, person), signed(site, other)
    change(site, person)
    made.refresh_from_db()
    others.refresh_from_db()
    standing = signing.standings([person.pk])[person.pk]
    assert made.invalidated_at is not None
    assert standing.changed
    assert not holds(person)
    assert others.invalidated_at is None
    assert holds(other)
    signed(site, person)
    assert holds(person)


def test_change_taken_back_does_not_bring_the_signature_back(site):
    """A to B to A: the content is the same again, the signature stays void."""
    person = patient(site)
    signed(site, person)
    for drug in ("lipiodol", ""):
        with transaction.atomic(), audit.act(by=site.people["coordinator01"], action="test"):
            TreatmentCourse.objects.filter(participant=person).update(drug=drug)
    standing = signing.standings([person.pk])[person.pk]
    assert standing.changed == []
    assert not standing.holds


def test_change_past_the_trigger_shows_too(site):
    """With the triggers off, as only a superuser can, the hashes tell."""
    person = patient(site)
    made = signed(site, person)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE followup_treatmentcourse SET kind = 'HAIC' WHERE participant_id = %s", [person.pk])
        cursor.execute("SET session_replication_role = origin")
    made.refresh_from_db()
    [difference] = signing.standings([person.pk])[person.pk].changed
    assert made.invalidated_at is None
    assert (difference.column, difference.signed, difference.now) == ("kind", "TACE", "HAIC")
    assert not holds(person)


def test_saving_the_same_again_keeps_the_signature(site):
    """Who typed when is not what was signed."""
    person = patient(site)
    forms.record_texts(participant=person, texts={"afp": "12"}, by=site.people["coordinator01"])
    signed(site, person)
    forms.record_texts(participant=person, texts={"afp": "12"}, by=site.people["site_pi01"])
    assert holds(person)
    forms.record_texts(participant=person, texts={"afp": "13"}, reason="typing error", by=site.people["site_pi01"])
    assert not holds(person)


def test_record_without_a_value_that_is_signed_is_as_good_as_none(site):
    """AU-04: a series that a machine brings ends nothing; the phase that a person picks in it does."""
    person = patient(site)
    first, system = signed(site, person), User.objects.system()
    study = ImagingStudy.objects.create(center=person.center, participant=person, study_instance_uid="2.25.1")
    with transaction.atomic(), audit.act(by=system, action="test"):
        series = Series.objects.create(
            center=person.center, participant=person, imaging_study=study, series_instance_uid="1.2.3", modality="CT", facts={"a": "b"}
        )
    first.refresh_from_db()
    assert first.invalidated_at is None
    assert holds(person)
    second = signed(site, person)
    with transaction.atomic(), audit.act(by=system, action="test"):
        series.delete()
    second.refresh_from_db()
    assert second.invalidated_at is None
    assert holds(person)
    with transaction.atomic(), audit.act(by=system, action="test"):
        Series.objects.create(
            center=person.center, participant=person, imaging_study=study, series_instance_uid="1.2.4", modality="CT", phase="arterial",
            phase_picked_at=timezone.now(), phase_picked_by=system,
        )  # fmt: skip
    first.refresh_from_db()
    second.refresh_from_db()
    assert None not in (first.invalidated_at, second.invalidated_at)
    assert not holds(person)


def test_column_added_by_a_later_version_voids_nothing(site):
    """What was not there to be signed is not compared; a record that came later is."""
    signed_then = {"kinds": ["a.B"], "records": {"a.B": {"1": {"x": "1"}}}}
    later = {"kinds": ["a.B", "a.C"], "records": {"a.B": {"1": {"x": "1", "y": "2"}}, "a.C": {"9": {}}}}
    assert content.differences(signed_then, later) == []
    empty = {"kinds": ["a.B"], "records": {"a.B": {"1": {"x": ""}}}}
    grown = {"kinds": ["a.B"], "records": {"a.B": {"1": {"x": "", "y": "2"}}}}
    assert content.differences(empty, grown) == []
    now = {"kinds": ["a.B"], "records": {"a.B": {"1": {"x": "1"}, "2": {"x": "3"}}}}
    assert [(one.key, one.column, one.signed, one.now) for one in content.differences(signed_then, now)] == [("2", "x", None, "3")]


def test_signature_is_refused_when_the_data_changed_under_the_eyes(site):
    person = patient(site)
    seen = content.digest(content.of_participants([person.pk])[person.pk])
    course(site, person, days=9)
    with pytest.raises(ValidationError):
        signing.sign(participant=person, meaning=Meaning.APPROVED, proof=PROOF, seen=seen, by=site.people["site_pi01"])
    assert not Signature.objects.exists()


def test_signature_over_one_record_ends_with_that_record_alone(site):
    person = patient(site)
    first = TreatmentCourse.objects.get(participant=person)
    made = signing.sign(
        participant=person, meaning="authored", proof=PROOF, by=site.people["site_pi01"], record=first._meta.label, key=str(first.uuid)
    )
    second = course(site, person, days=9)
    made.refresh_from_db()
    assert made.invalidated_at is None
    assert list(made.content["records"]) == ["followup.TreatmentCourse"]
    entry.void(row=second, reason="no", by=site.people["coordinator01"])
    made.refresh_from_db()
    assert made.invalidated_at is None
    entry.void(row=first, reason="no", by=site.people["coordinator01"])
    made.refresh_from_db()
    assert made.invalidated_at is not None


def test_casebook_of_a_center_is_signed_at_once_and_each_stands_for_itself(site):
    first, second, elsewhere = patient(site), patient(site), patient(site, "02")
    signed(site, first)
    made = signing.sign_center(center=site.centers["01"], meaning=Meaning.APPROVED, proof=PROOF, by=site.people["site_pi01"])
    assert [one.participant for one in made] == [second]
    assert not holds(elsewhere)
    with pytest.raises(ValidationError):
        signing.sign_center(center=site.centers["01"], meaning=Meaning.APPROVED, proof=PROOF, by=site.people["site_pi01"])
    course(site, second, days=9)
    assert (holds(first), holds(second)) == (True, False)


@pytest.mark.parametrize("column", ["digest = repeat('0', 64)", "content = '{}'", "printed_name = 'somebody'", "signed_at = now()"])
def test_given_signature_cannot_be_edited(site, column):
    made = signed(site, patient(site))
    with pytest.raises(DatabaseError), transaction.atomic(), audit.act(by=User.objects.system(), action="test"):
        connection.cursor().execute(f"UPDATE studies_signature SET {column} WHERE id = %s", [made.pk])


def test_forged_content_is_named_by_verify(site):
    made = signed(site, patient(site))
    assert list(signing.verify()) == []
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute('UPDATE studies_signature SET content = \'{"kinds": [], "records": {}}\' WHERE id = %s', [made.pk])
        cursor.execute("SET session_replication_role = origin")
    assert str(made.uuid) in next(iter(signing.verify()))


def test_unlocking_keeps_the_signature_until_something_changes(site):
    """What REDCap does not: who unlocks voids nothing; who changes does (AU-04, AU-05)."""
    person = patient(site)
    lock = signed_world.locked(site, person)
    signed_world.opened(site, lock)
    assert holds(person)
    locks.relock(lock=lock, by=signed_world.manager(site))
    assert holds(person)
    signed_world.opened(site, lock)
    course(site, person, days=9)
    assert not holds(person)
