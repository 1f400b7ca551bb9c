"""Who changed it, when, why; and how a record stood at a time (AU-01, AU-07)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from accounts import audit
from accounts.models import AccessRecord
from followup import entry
from followup.models import TreatmentCourse
from imaging.models import ImagingStudy, Series
from studies import consent, screening
from studies import entry as answers
from studies.models import Consent
from studies.trail import history, instants, kinds
from studies.trail.kinds import KINDS
from tests import world
from tests.studies.locking.signed_world import course, patient, signed

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def site(db):
    return world.build()


def browser(site, who):
    client = Client()
    client.force_login(site.people[who])
    return client


def aged(kind, row, *ages):
    """Move the events of a record into the past, so many minutes each, as time itself would have."""
    events = list(kind.events.objects.filter(pgh_obj_id=row.pk).order_by("pgh_id").values_list("pgh_id", flat=True))
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for event, age in zip(events, ages, strict=True):
            table = kind.events._meta.db_table
            cursor.execute(f"UPDATE {table} SET pgh_created_at = %s WHERE pgh_id = %s", [timezone.now() - timedelta(minutes=age), event])
        cursor.execute("SET session_replication_role = origin")


def test_value_of_any_room_tells_who_when_and_why(site):
    """AU-01: from a field of a treatment course to each of its values, with the reason."""
    person = patient(site)
    row, by = TreatmentCourse.objects.get(participant=person), site.people["coordinator01"]
    with transaction.atomic(), audit.act(by=by, action="treatment.corrected", reason="operation note says so"):
        TreatmentCourse.objects.filter(pk=row.pk).update(drug="lipiodol")
    entry.void(row=row, reason="wrong patient", by=by)
    steps = history.steps(KINDS["followup.TreatmentCourse"], row, field="drug")
    [change] = [change for change in steps[0].changes if change.field == "drug"]
    assert (steps[0].by, steps[0].reason, change.before, change.after) == ("coordinator01", "operation note says so", "", "lipiodol")
    whole = history.steps(KINDS["followup.TreatmentCourse"], row)
    assert [step.action for step in whole] == ["treatmentcourse.voided", "treatment.corrected", "treatment.recorded"]
    assert "record" in {change.after for change in whole[-1].changes}


def test_answer_inside_an_object_has_a_history_of_its_own(site):
    line = world.screened(site)
    by = site.people["coordinator01"]
    screening.amend(screening=line, reason="report came", answers={"other_malignancy": "yes"}, by=by)
    screening.amend(screening=line, reason="typing error", age_at_surgery=59, by=by)
    found = history.steps(KINDS["studies.Screening"], line, field="answers.other_malignancy")
    assert [(step.reason, step.changes[0].before) for step in found[:-1]] == [("report came", "否")]
    assert len(found) == 2


def test_records_speak_in_the_words_of_their_pages(site):
    """What was answered, judged and typed, in the reader's language; no hash, no key of a row, no code of an item or option."""
    person = patient(site)
    answers.record_texts(participant=person, texts={"approach": "laparoscopic", "albumin": "4.1 g/dL"}, by=site.people["coordinator01"])
    with translation.override("en"):
        said = {
            (step.kind.label, change.label): change.after
            for step in history.of_participant(person, kinds.of_participants())
            for change in step.changes
        }
    labels = {label for _kind, label in said}
    assert said["studies.Entry", "approach"] == "laparoscopic"
    assert said["studies.Entry", "Form"] in {"Surgery", "Laboratory before surgery"}
    assert said["studies.Entry", "albumin"] == "41 g/L (4.1 g/dL)"
    assert said["studies.Screening", "Verdict"] == "met"
    assert said["studies.Participant", "Criteria"].startswith("I1 met, I2 met")
    assert said["studies.Participant", "Protocol version"] == f"{person.study.protocol_id} {person.study.protocol_version}"
    assert labels & {"participant", "center", "record_uuid", "ref_uuid", "value_hash", "verdict", "answers", "url_name"} == set()


def test_state_at_a_time_is_what_stood_then(site):
    """AU-07: before it was there, between two changes, and after them."""
    person = patient(site)
    row, kind = TreatmentCourse.objects.get(participant=person), KINDS["followup.TreatmentCourse"]
    with transaction.atomic(), audit.act(by=site.people["coordinator01"], action="test"):
        TreatmentCourse.objects.filter(pk=row.pk).update(drug="lipiodol")
    aged(kind, row, 60, 30)
    now = timezone.now()
    assert history.state_at(kind, row.pk, now - timedelta(minutes=61)) is None
    assert history.state_at(kind, row.pk, now - timedelta(minutes=45))["drug"] == ""
    assert history.state_at(kind, row.pk, now - timedelta(minutes=29))["drug"] == "lipiodol"


def test_later_write_of_an_older_transaction_does_not_turn_time_around(site):
    """An event carries the beginning of its transaction; the order of a record's events is that of their numbers."""
    person = patient(site)
    row, kind = TreatmentCourse.objects.get(participant=person), KINDS["followup.TreatmentCourse"]
    for drug in ("first", "second"):
        with transaction.atomic(), audit.act(by=site.people["coordinator01"], action="test"):
            TreatmentCourse.objects.filter(pk=row.pk).update(drug=drug)
    aged(kind, row, 60, 10, 30)
    now = timezone.now()
    assert history.state_at(kind, row.pk, now - timedelta(minutes=20))["drug"] == ""
    assert history.state_at(kind, row.pk, now)["drug"] == "second"


def test_deleted_row_is_gone_from_then_on(site):
    line = world.screened(site)
    made = consent.record(screening=line, form_version="2.1", signed_on=line.screened_on, by=site.people["coordinator01"])
    kind, key = KINDS["studies.Consent"], made.pk
    with transaction.atomic(), audit.act(by=site.people["coordinator01"], action="test"):
        Consent.objects.filter(pk=key).delete()
    before = kind.events.objects.filter(pgh_obj_id=key).first()
    assert history.state_at(kind, key, timezone.now()) is None
    assert before.form_version == "2.1"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2026-11-19", datetime(2026, 11, 19, 15, 59, 59, 999999, UTC)),
        ("2026-11-19 14:30", datetime(2026, 11, 19, 6, 30, 59, 999999, UTC)),
        ("2026年11月19日 14：30", datetime(2026, 11, 19, 6, 30, 59, 999999, UTC)),
        ("2026-11-19T14:30:05", datetime(2026, 11, 19, 6, 30, 5, 999999, UTC)),
    ],
)
def test_instant_is_understood_as_the_clock_on_the_wall(typed, expected):
    assert instants.understand(typed, SHANGHAI) == expected


@pytest.mark.parametrize("typed", ["", "soon", "11/19", "2026-11-19 25:00", "2026-02-30"])
def test_what_is_no_instant_is_refused(typed):
    with pytest.raises(ValueError):
        instants.understand(typed, SHANGHAI)


def test_pages_show_history_and_state_to_who_may_read_the_record(site):
    """The record's own permission decides: a coordinator and the monitor, not the reader of images, not the other hospital."""
    person = patient(site)
    row = TreatmentCourse.objects.get(participant=person)
    address = reverse("history", args=[row.uuid])
    assert [browser(site, who).get(address).status_code for who in ("coordinator01", "monitor", "reader01", "coordinator02")] == [
        200, 200, 404, 404,
    ]  # fmt: skip
    page = browser(site, "coordinator01").get(address, {"field": "start"}).content.decode()
    assert row.start in page
    page = browser(site, "coordinator01").get(address, {"at": "2019-01-01"}).content.decode()
    assert row.start not in page.split('id="as-of"')[1].split("</section>")[0]
    refused = browser(site, "coordinator01").get(address, {"at": "soon"})
    assert refused.status_code == 400
    assert "“soon”" in refused.content.decode()


def test_whole_patient_as_of_now_shows_every_record(site):
    person = patient(site)
    course(site, person, days=9)
    answer = browser(site, "coordinator01").get(reverse("participant-as-of", args=[person.uuid]), {"at": "2999-01-01"})
    assert [record.kind.label for record in answer.context["records"]].count("followup.TreatmentCourse") == 2
    assert {record.kind.label for record in answer.context["records"]} >= {"studies.Participant", "studies.Screening", "studies.Consent"}


def test_reader_of_images_sees_of_a_patients_history_the_images_alone(site):
    """Blinding to treatment: what a person may not read has no history for him either."""
    person = patient(site)
    study = ImagingStudy.objects.create(center=person.center, participant=person, study_instance_uid="2.25.1")
    with transaction.atomic(), audit.act(by=site.people["reader01"], action="test"):
        series = Series.objects.create(
            center=person.center, participant=person, imaging_study=study, series_instance_uid="2.25.2", modality="CT"
        )
    reader = browser(site, "reader01")
    assert reader.get(reverse("participant-trail", args=[person.uuid])).status_code == 404
    assert reader.get(reverse("history", args=[series.uuid])).status_code == 200
    found = kinds.find(site.people["reader01"], TreatmentCourse.objects.get(participant=person).uuid)
    assert found is None


def test_pages_take_the_same_number_of_queries_whatever_there_is(site):
    """One patient with one course, then three more patients and three more courses: not one query more."""
    person = patient(site)
    pages = [*((name, []) for name in ("sign-list", "locks", "trail", "access-review"))]
    pages += [(name, [person.uuid]) for name in ("participant-trail", "participant-as-of", "participant-access", "sign")]
    client = browser(site, "data_manager")

    def queries():
        counts = {}
        for name, arguments in pages:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(reverse(name, args=arguments), {"at": "2999-01-01", "state": "all"}).status_code == 200
            counts[name] = len(captured)
        return counts

    signed(site, person)
    few = queries()
    for days in (9, 10, 11):
        course(site, person, days=days)
        signed(site, patient(site))
    assert queries() == few


def test_reading_a_page_of_a_record_is_recorded_by_its_public_id(site):
    """AU-01: every page of one record, without a line in its view; pieces of a page and refusals are no reads."""
    person = patient(site)
    client = browser(site, "coordinator01")
    for name in ("participant", "participant-trail", "sign"):
        assert client.get(reverse(name, args=[person.uuid])).status_code == 200
    assert client.get(reverse("screening", args=[person.screening.uuid])).status_code == 200
    assert client.get(reverse("api-participant-detail", args=[person.uuid])).status_code == 200
    reads = AccessRecord.objects.filter(kind="read", username="coordinator01").order_by("pk")
    subjects = list(reads.values_list("subject", flat=True))
    names = ("participant", "participant-trail", "sign")
    assert subjects == [
        *(f"{name} {person.uuid}" for name in names), f"screening {person.screening.uuid}", f"api-participant-detail {person.uuid}",
    ]  # fmt: skip
