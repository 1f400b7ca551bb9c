"""The API: same scope and same write functions as the pages (SE-03, SE-04, SE-05)."""

from uuid import uuid4

import pytest
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

from accounts.models import User
from studies import consent
from studies.models import Participant, Screening
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import ELIGIBLE, SCREENED, SURGERY, World

PARTICIPANTS, SCREENINGS = "/api/v1/participants/", "/api/v1/screenings/"


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {Token.objects.create(user=user).key}")
    return client


@pytest.fixture
def coordinator(world: World) -> APIClient:
    return signed_in(world.coordinator)


def test_patient_is_screened_and_enrolled_over_the_api(world: World, coordinator: APIClient) -> None:
    """EN-03: the answers carry the study number, and no key of a row."""
    facts = {
        "center": str(world.own.uuid),
        "surgery_date": SURGERY,
        "birth_date": "1967-05-05",
        "sex": "M",
        "answers": ELIGIBLE,
        "on": SCREENED,
    }
    made = coordinator.post(SCREENINGS, facts, format="json")
    assert made.status_code == 201, made.content
    assert (made.json()["age_at_surgery"], made.json()["eligibility"]["verdict"], made.json()["label"]) == (58, "pass", "01-S0001")
    assert "1967" not in made.content.decode()
    early = coordinator.post(f"{SCREENINGS}{made.json()['uuid']}/enroll/", {}, format="json")
    assert early.status_code == 409
    line = Screening.objects.get(uuid=made.json()["uuid"])
    consent.record(screening=line, form_version="2.1", signed_on=SCREENED, by=world.coordinator)
    enrolled = coordinator.post(f"{SCREENINGS}{line.uuid}/enroll/", {"on": SCREENED}, format="json")
    assert enrolled.status_code == 201, enrolled.content
    assert enrolled.json()["study_number"] == "01-0001-" + Participant.objects.get().study_number[-2:]
    assert "id" not in enrolled.json()
    assert coordinator.post(f"{SCREENINGS}{line.uuid}/enroll/", {"on": SCREENED}, format="json").status_code == 409


def test_lists_show_the_own_center_and_details_of_others_answer_404(world: World, coordinator: APIClient) -> None:
    """SE-04: with the same body as an id that nobody has."""
    elsewhere = worlds.person("elsewhere")
    worlds.join(world.study, elsewhere, Role.COORDINATOR, world.other, world.system)
    mine, theirs = worlds.enrolled(world), worlds.enrolled(world, center=world.other, by=elsewhere)
    for url, own, foreign in (
        (PARTICIPANTS, mine.uuid, theirs.uuid),
        (SCREENINGS, mine.screening.uuid, theirs.screening.uuid),
    ):
        listed = coordinator.get(url).json()
        assert [row["uuid"] for row in listed["results"]] == [str(own)]
        assert coordinator.get(f"{url}{own}/").status_code == 200
        hidden, nobody = coordinator.get(f"{url}{foreign}/"), coordinator.get(f"{url}{uuid4()}/")
        assert (hidden.status_code, hidden.content) == (404, nobody.content)
    assert coordinator.post(f"{SCREENINGS}{theirs.screening.uuid}/enroll/", {}, format="json").status_code == 404
    facts = {"center": str(world.other.uuid), "surgery_date": SURGERY}
    assert coordinator.post(SCREENINGS, facts, format="json").status_code == 404


def test_who_sees_but_may_not_enter_is_forbidden(world: World) -> None:
    """SE-03: a monitor reads every center and enrols nobody."""
    line = worlds.consented(world)
    monitor = signed_in(world.people[Role.MONITOR])
    assert monitor.get(f"{SCREENINGS}{line.uuid}/").status_code == 200
    assert monitor.post(f"{SCREENINGS}{line.uuid}/enroll/", {}, format="json").status_code == 403


def test_strangers_get_401_and_blinded_outsiders_an_empty_list(world: World) -> None:
    worlds.enrolled(world)
    committee = signed_in(world.people[Role.DMC])
    for url in (PARTICIPANTS, SCREENINGS):
        assert APIClient().get(url).status_code == 401
        assert committee.get(url).json()["count"] == 0


def test_rows_cannot_be_changed_or_deleted(world: World, coordinator: APIClient) -> None:
    participant = worlds.enrolled(world)
    for url in (f"{PARTICIPANTS}{participant.uuid}/", f"{SCREENINGS}{participant.screening.uuid}/"):
        for method in (coordinator.put, coordinator.patch, coordinator.delete):
            assert method(url, {"status": "withdrawn"}, format="json").status_code == 405


@pytest.mark.parametrize(
    "wrong",
    [{"surgery_date": "2026-02-30"}, {"sex": "X"}, {"age_at_surgery": 200}, {"birth_date": "2030-01-01"}, {"answers": {"x": "yes"}}],
)
def test_nonsense_is_refused_with_400(world: World, coordinator: APIClient, wrong: dict[str, object]) -> None:
    facts = {"center": str(world.own.uuid), "surgery_date": "2026-03-02", **wrong}
    assert coordinator.post(SCREENINGS, facts, format="json").status_code == 400
    assert not Screening.objects.exists()


def test_repeated_row_token_answers_with_the_first_line(world: World, coordinator: APIClient) -> None:
    facts = {"center": str(world.own.uuid), "surgery_date": "2026-03-02", "row_token": "b" * 64}
    first, again = (coordinator.post(SCREENINGS, facts, format="json").json() for _ in range(2))
    assert first["uuid"] == again["uuid"]
    assert Screening.objects.count() == 1
