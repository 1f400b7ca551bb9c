"""The access report of a patient (DI-09) and the review of who may do what (AU-01)."""

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts import audit
from followup.models import TreatmentCourse
from studies.trail import people
from tests import world
from tests.studies.locking.signed_world import patient


@pytest.fixture
def site(db):
    return world.build()


def browser(site, who):
    client = Client()
    client.force_login(site.people[who])
    return client


def test_report_names_who_read_exported_or_was_refused(site):
    """DI-09: by the patient's own id or that of any of his records, and nothing of another patient."""
    person, other = patient(site), patient(site)
    row = TreatmentCourse.objects.get(participant=person)
    browser(site, "coordinator01").get(reverse("participant", args=[person.uuid]))
    browser(site, "coordinator01").get(reverse("participant", args=[other.uuid]))
    browser(site, "monitor").get(reverse("history", args=[row.uuid]))
    browser(site, "coordinator02").get(reverse("participant", args=[person.uuid]))
    assert b"".join(browser(site, "data_manager").post(reverse("trail-export")).streaming_content)
    browser(site, "coordinator02").get(reverse("form", args=[person.uuid, "x" * 190]))
    audit.record(kind="export", by=site.people["data_manager"], subject="cut", detail={"study": "ANOTHER"})
    of_other = {"study": "TEST", "participant": str(other.uuid)}
    audit.record(kind="export", by=site.people["data_manager"], subject=f"features {uuid4()}", detail=of_other)
    rows = people.access_rows(list(people.access_records(person)))
    assert [(row.by, row.what, row.is_refusal) for row in reversed(rows)] == [
        ("coordinator01", "participant", False),
        ("monitor", "history", False),
        ("coordinator02", "participant 404", True),
        ("data_manager", "trail", False),
        ("coordinator02", "form 404", True),
    ]


@pytest.mark.parametrize(
    ("who", "status"), [("data_manager", 200), ("monitor", 200), ("site_pi01", 200), ("coordinator01", 403), ("site_pi02", 404)]
)
def test_report_is_for_the_data_manager_the_monitor_and_the_hospitals_own_investigator(site, who, status):
    person = patient(site)
    assert browser(site, who).get(reverse("participant-access", args=[person.uuid])).status_code == status


def test_review_lists_every_role_with_its_use(site):
    """AU-01: who holds which role where, since when, when he last came, what he took away."""
    client = Client()
    client.login(username="coordinator01", password=world.PASSWORD)
    assert client.post(reverse("sign-in"), {"username": "coordinator01", "password": world.PASSWORD}).status_code == 302
    person = patient(site)
    client.get(reverse("participant", args=[person.uuid]))
    rows = people.review(list(people.memberships(site.study)))
    [held] = [row for row in rows if row.membership.user.username == "coordinator01"]
    assert held.membership.center == site.centers["01"]
    assert (held.reads, held.exports, held.refusals, held.current) == (1, 0, 0, True)
    assert len(rows) == len(site.people)
    assert browser(site, "data_manager").get(reverse("access-review")).status_code == 200
    assert browser(site, "monitor").get(reverse("access-review")).status_code == 403
