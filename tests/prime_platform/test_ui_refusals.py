"""What a refusal answers: 404, 403, 409 or 400 with a sentence to act on, and a record of it that outlives the rollback."""

from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from accounts.models import AccessRecord
from accounts.people import choose_language
from studies.models import Screening
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()


@pytest.fixture
def browser(world: World) -> Client:
    """The coordinator of center 01, reading English."""
    client = Client()
    client.force_login(choose_language(user=world.coordinator, language="en"))
    return client


def refusals() -> list[tuple[str, int, str]]:
    return [(row.username, row.detail["status"], row.detail["view"]) for row in AccessRecord.objects.filter(kind="refusal").order_by("pk")]


def test_record_of_another_center_is_not_found(world: World, browser: Client) -> None:
    """SE-04: other centers' records answer 404, not 403."""
    stranger = worlds.person("stranger")
    worlds.join(world.study, stranger, Role.COORDINATOR, world.other, world.system)
    foreign = worlds.screened(world, by=stranger, center=world.other)
    answer = browser.get(reverse("screening", args=[foreign.uuid]))
    assert answer.status_code == 404
    assert "belongs to a center that is not yours" in answer.content.decode()
    assert refusals() == [(world.coordinator.username, 404, "screening")]


def test_refused_enrolment_answers_409_names_the_reason_and_is_recorded(world: World, browser: Client) -> None:
    """EN-03, AU-01: the refusal stays although the enrolment was rolled back."""
    line = worlds.screened(world)
    answer = browser.post(reverse("enroll", args=[line.uuid]))
    assert answer.status_code == 409
    assert "Neither a signed consent nor a waiver is recorded." in answer.content.decode()
    assert Screening.objects.get(pk=line.pk).status == "screened"
    assert refusals() == [(world.coordinator.username, 409, "enroll")]


def test_role_without_the_permission_is_not_allowed(world: World) -> None:
    """A monitor sees the log and may not screen: 403, recorded."""
    client = Client()
    client.force_login(world.people[Role.MONITOR])
    assert client.get(reverse("screening-log")).status_code == 200
    assert client.get(reverse("screening-new")).status_code == 403
    assert refusals() == [(world.people[Role.MONITOR].username, 403, "screening-new")]


def test_programs_get_json(world: World, browser: Client) -> None:
    """Under /api/ every refusal is JSON, for an unknown record and for a stranger."""
    answer = browser.get(f"/api/v1/participants/{uuid4()}/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert refusals()[-1][1] == 404
    stranger = Client().get("/api/v1/participants/")
    assert (stranger.status_code, stranger["Content-Type"]) == (401, "application/json")
    assert stranger["WWW-Authenticate"] == "Token"


def test_typed_values_are_not_recorded_with_a_refusal(world: World, browser: Client) -> None:
    """formats.md k: what was typed may be an identity, so the record holds addresses and codes only."""
    browser.post(reverse("language"), {"language": "1968-03-02"})
    [record] = AccessRecord.objects.filter(kind="refusal")
    assert record.detail == {"status": 400, "method": "POST", "view": "language"}
    assert "1968" not in f"{record.subject}{record.detail}"


def test_address_that_takes_forms_only_says_so(browser: Client) -> None:
    """A form's address opened by hand is a page, not a blank answer."""
    answer = browser.get(reverse("language"))
    assert answer.status_code == 405
    assert "only takes a form" in answer.content.decode()


def test_missing_form_token_is_refused_with_a_sentence(world: World) -> None:
    """Cross-site forms are refused by a page that says what to do."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(choose_language(user=world.coordinator, language="en"))
    answer = client.post(reverse("look"), {"theme": "dark"})
    assert answer.status_code == 403
    assert "The form was too old" in answer.content.decode()


OPEN = {"healthz", "readyz", "sign-in", "language"}


def test_strangers_reach_the_doors_only(db: None) -> None:
    """Login is required by default; the exceptions are these four and the gateways' signed addresses."""
    for name in ["home", "worklist", "overview", "screening-log", "screening-new", "participants", "search", "understand-date"]:
        answer = Client().get(reverse(name))
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse(settings.LOGIN_URL))
    assert Client().get(reverse("sign-in")).status_code == 200


def test_lost_session_returns_to_the_page_of_the_form(db: None) -> None:
    """A form sent after the session ended leads back to its page after sign-in, never to an address that takes forms only."""
    answer = Client().post(f"/screening/{uuid4()}/enroll/", headers={"referer": "http://testserver/screening/"})
    assert answer["Location"] == f"{reverse('sign-in')}?next=http%3A//testserver/screening/"


@pytest.mark.parametrize("name", ["worklist", "screening-log", "screening-new", "participants", "overview"])
def test_signed_in_pages_are_not_kept(browser: Client, name: str) -> None:
    """SE-06: no cache keeps a page of a signed-in person, and no page allows inline styles or scripts."""
    answer = browser.get(reverse(name))
    assert answer["Cache-Control"] == "no-store"
    assert "unsafe-inline" not in answer["Content-Security-Policy"]
    assert "style=" not in answer.content.decode()
    assert "onclick" not in answer.content.decode()
