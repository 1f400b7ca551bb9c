"""Signing and locking in the browser: what is shown, what a refusal says, and that nothing typed is lost."""

import pytest
from django.test import Client
from django.urls import reverse

from followup.models import TreatmentCourse
from studies.locking import locks
from studies.models import Lock, Signature, UnlockRequest
from tests import world
from tests.studies.locking.signed_world import course, locked, manager, opened, patient, signed
from tests.world import PASSWORD


@pytest.fixture
def site(db):
    return world.build()


def browser(site, who):
    client = Client()
    client.force_login(site.people[who])
    return client


def test_principal_investigator_signs_on_the_page_and_sees_what_changed_since(site):
    person = patient(site)
    client, address = browser(site, "site_pi01"), reverse("sign", args=[person.uuid])
    page = client.get(address)
    assert page.context["seen"] in page.content.decode()
    answer = client.post(address, {"meaning": "approved", "password": PASSWORD, "seen": page.context["seen"]})
    assert answer.status_code == 302
    row = course(site, person, days=9)
    page = client.get(address)
    assert 'id="changed"' in page.content.decode()
    assert row.start in page.content.decode().split('id="changed"')[1].split("</section>")[0]
    answer = client.post(address, {"meaning": "approved", "password": PASSWORD, "seen": Signature.objects.get().digest})
    assert answer.status_code == 400
    assert Signature.objects.count() == 1
    answer = client.post(address, {"meaning": "approved", "password": PASSWORD, "seen": page.context["seen"]})
    assert answer.status_code == 302
    assert Signature.objects.count() == 2


def test_wrong_password_is_said_at_its_field_and_signs_nothing(site):
    person = patient(site)
    answer = browser(site, "site_pi01").post(reverse("sign", args=[person.uuid]), {"meaning": "approved", "password": "no"})
    assert answer.status_code == 400
    assert 'id="id_password_error"' in answer.content.decode()
    assert "no" not in answer.context["form"]["password"].as_widget()
    assert not Signature.objects.exists()


def test_coordinator_sees_the_state_and_no_form(site):
    person = patient(site)
    signed(site, person)
    page = browser(site, "coordinator01").get(reverse("sign", args=[person.uuid]))
    assert 'type="password"' not in page.content.decode()
    assert browser(site, "coordinator01").post(
        reverse("sign", args=[person.uuid]), {"meaning": "approved", "password": PASSWORD}
    ).status_code == 403  # fmt: skip


def test_counts_of_the_list_are_the_lengths_of_its_lists(site):
    first, second = patient(site), patient(site)
    patient(site, "02")
    for person in (first, second):
        signed(site, person)
    course(site, first, days=9)
    client = browser(site, "site_pi01")
    for state in ("open", "void", "signed", "all"):
        page = client.get(reverse("sign-list"), {"state": state})
        [current] = [choice for choice in page.context["filters"] if choice.current]
        assert current.count == len(page.context["rows"]) == {"open": 1, "void": 1, "signed": 1, "all": 2}[state]


def test_list_says_how_the_approval_stands_whatever_was_signed_after_it(site):
    person = patient(site)
    signed(site, person)
    course(site, person, days=9)
    signed(site, person, "reviewed")
    [row] = browser(site, "site_pi01").get(reverse("sign-list"), {"state": "void"}).context["rows"]
    assert (row.state, row.standing.signature.meaning) == ("signature_void", "approved")


def test_casebook_page_signs_everybody_who_is_missing(site):
    patient(site), patient(site)
    answer = browser(site, "site_pi01").post(
        reverse("sign-center", args=[site.centers["01"].uuid]), {"meaning": "approved", "password": PASSWORD}
    )
    assert answer.status_code == 302
    assert Signature.objects.count() == 2


def test_lock_page_names_what_stands_against_it_and_locks_when_nothing_does(site):
    person = patient(site)
    client, address = browser(site, "data_manager"), reverse("lock", args=[person.uuid])
    page = client.get(address)
    assert len(page.context["obstacles"]) == 1
    assert "disabled" in page.content.decode().split('value="lock"')[1].split(">")[0]
    assert client.post(address, {"do": "lock"}).status_code == 409
    signed(site, person)
    assert client.post(address, {"do": "lock"}).status_code == 302
    assert Lock.objects.get().in_force()
    answer = browser(site, "coordinator01").post(address, {"do": "freeze", "reason": "x"})
    assert answer.status_code == 403


def test_page_that_writes_under_a_lock_says_so_and_records_the_refusal(site):
    """A trigger's refusal is an answer, not a fault: 409 with what to do."""
    person = patient(site)
    locked(site, person)
    facts = {"kind": "TACE", "intent": "adjuvant", "start": person.enrolled_on.isoformat(), "place": "here", "source": "record"}
    answer = browser(site, "coordinator01").post(reverse("course-new", args=[person.uuid]), facts)
    assert answer.status_code == 409
    assert "unlock" in answer.content.decode() or "解锁" in answer.content.decode()
    assert TreatmentCourse.objects.filter(participant=person).count() == 1


def test_unlock_is_asked_on_one_page_and_decided_on_another_by_another(site):
    person = patient(site)
    lock = locked(site, person)
    address = reverse("lock", args=[person.uuid])
    asking = browser(site, "coordinator01")
    assert asking.post(address, {"do": "ask", "days": "99", "reason": "wrong unit"}).status_code == 400
    assert asking.post(address, {"do": "ask", "days": "3", "reason": ""}).status_code == 400
    assert asking.post(address, {"do": "ask", "days": "3", "reason": "wrong unit"}).status_code == 302
    request = UnlockRequest.objects.get()
    page = reverse("unlock", args=[request.uuid])
    assert asking.get(page).context["form"] is None
    assert asking.post(page, {"decision": "approve", "answer": "yes"}).status_code == 403
    deciding = browser(site, "data_manager")
    assert [one.uuid for one in deciding.get(reverse("locks"), {"state": "waiting"}).context["rows"]] == [request.uuid]
    assert deciding.post(page, {"decision": "approve", "answer": "seen the record"}).status_code == 302
    lock.refresh_from_db()
    assert not lock.in_force()
    course(site, person, days=9)
    assert deciding.post(address, {"do": "relock"}).status_code == 302
    lock.refresh_from_db()
    assert lock.in_force()


def test_lock_of_a_record_is_reached_by_the_records_own_id(site):
    person = patient(site)
    row = TreatmentCourse.objects.get(participant=person)
    client = browser(site, "data_manager")
    assert client.post(reverse("lock", args=[row.uuid]), {"do": "freeze", "reason": "under review"}).status_code == 302
    held = Lock.objects.get()
    assert (held.record, held.record_uuid) == ("followup.TreatmentCourse", row.uuid)
    page = client.get(reverse("locks"), {"state": "frozen"})
    assert reverse("lock", args=[row.uuid]) in page.content.decode()


@pytest.mark.parametrize("who", ["data_manager", "site_pi01", "coordinator01", "monitor", "investigator"])
def test_every_page_of_a_lock_in_every_state_can_be_read(site, who):
    """No state and no role meets an error."""
    frozen, closed, open_one = patient(site), patient(site), patient(site)
    locks.freeze(target=locks.Target(site.study, site.centers["01"], frozen), reason="review", by=manager(site))
    locked(site, closed)
    request = opened(site, locked(site, open_one))
    client = browser(site, who)
    pages = [reverse("lock", args=[one.uuid]) for one in (frozen, closed, open_one)]
    pages += [reverse("participant", args=[closed.uuid]), reverse("unlock", args=[request.uuid]), reverse("sign", args=[closed.uuid])]
    pages += [reverse("center-lock", args=[site.centers["01"].uuid]), reverse("study-lock"), reverse("locks") + "?state=all"]
    answers = {page: client.get(page).status_code for page in pages}
    expected = {404} if who == "investigator" else {200}
    assert {status for page, status in answers.items() if page not in (reverse("study-lock"), reverse("locks") + "?state=all")} == expected
    assert answers[reverse("locks") + "?state=all"] == 200
    assert answers[reverse("study-lock")] == (200 if who == "data_manager" else 403)
