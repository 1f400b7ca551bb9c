"""Forms over HTTP: the same rules, scope and sentences as the page."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from studies import entry
from studies.models import Entry, Participant
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.test_api import signed_in
from tests.studies.world import World

ADDRESS = "/api/v1/entries/"


@pytest.fixture
def participant(world: World) -> Participant:
    return worlds.enrolled(world)


@pytest.fixture
def program(world: World) -> APIClient:
    return signed_in(world.coordinator)


def send(program: APIClient, participant: Participant, form: str = "laboratory", **more: Any) -> Any:
    return program.post(ADDRESS, {"participant": str(participant.uuid), "form": form, **more}, format="json")


def test_values_are_recorded_with_unit_comparator_reason_and_day(program: APIClient, participant: Participant) -> None:
    """1.2 mg/dL × 17.104 = 20.5248 µmol/L."""
    values = {
        "bilirubin": {"text": "1.2", "unit": "mg/dL", "on": "2026-02-27"},
        "afp": {"text": "> 60500", "unit": "", "on": ""},
        "alt": {"text": "ND"},
    }
    answer = send(program, participant, values=values, submit=True, reason="", occurrence="")
    assert answer.status_code == 201
    assert answer.data["status"] == "submitted"
    assert answer.data["values"] == {
        "bilirubin": {"value": "20.5248", "unit": "mg/dL", "typed": "1.2", "on": "2026-02-27"},
        "afp": {"value": "60500", "comparator": ">"},
        "alt": {"missing": "ND"},
    }
    [listed] = program.get(ADDRESS).data["results"]
    assert listed == program.get(f"{ADDRESS}{answer.data['uuid']}/").data
    assert listed["study_number"] == participant.study_number


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"albumin": {"text": "4,1"}, "afp": {"text": "20"}}, {"albumin"}),
        ({"albumin": {"text": "41"}, "nothing": {"text": "1"}}, {"nothing"}),
        ({"mvi": {"text": "M1"}}, {"mvi"}),
        ({"lab_date": {"text": "2026-03-09"}}, {"lab_date"}),
    ],
)
def test_what_is_refused_is_named_item_by_item_and_nothing_is_stored(
    program: APIClient, participant: Participant, values: dict[str, Any], named: set[str]
) -> None:
    answer = send(program, participant, values=values)
    assert answer.status_code == 400
    assert set(answer.data) == named
    assert not Entry.objects.exists()


def test_change_after_submission_needs_a_reason(program: APIClient, participant: Participant) -> None:
    """AU-03."""
    send(program, participant, values={"afp": {"text": "20"}}, submit=True)
    assert send(program, participant, values={"afp": {"text": "200"}}).status_code == 400
    assert send(program, participant, values={"afp": {"text": "200"}}, reason="misread").status_code == 201
    assert entry.flat([participant]) == {participant.pk: {"afp": "200"}}


def test_other_centers_forms_do_not_exist_and_who_reads_does_not_record(world: World, program: APIClient, participant: Participant) -> None:
    """SE-04: 404 for another center's; 403 for the monitor, who reads."""
    made = send(program, participant, values={"afp": {"text": "20"}}).data["uuid"]
    stranger = signed_in(worlds.person("stranger"))
    assert stranger.get(f"{ADDRESS}{made}/").status_code == 404
    assert send(stranger, participant, values={"afp": {"text": "30"}}).status_code == 404
    monitor = signed_in(world.people[Role.MONITOR])
    assert monitor.get(f"{ADDRESS}{made}/").status_code == 200
    assert send(monitor, participant, values={"afp": {"text": "30"}}, reason="no").status_code == 403
