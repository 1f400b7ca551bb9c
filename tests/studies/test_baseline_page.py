"""The baseline page: what was typed is saved or refused with a sentence, never lost; a change shows old and new."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from studies import baseline
from studies.models import Baseline, Participant
from studies.vocabulary import Role
from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture
def participant(world: World) -> Participant:
    return worlds.enrolled(world)


@pytest.fixture
def browser(world: World) -> Client:
    client = Client()
    client.force_login(world.coordinator)
    client.post(reverse("language"), {"language": "en"})
    return client


def send(browser: Client, participant: Participant, seen: dict[str, str] | None = None, reason: str = "", **values: str) -> Any:
    shown = seen or {}
    sent = {f"value_{code}": value for code, value in {**shown, **values}.items()}
    return browser.post(reverse("baseline", args=[participant.uuid]), {**sent, "seen": json.dumps(shown), "reason": reason})


def stored(participant: Participant) -> dict[str, str]:
    return Baseline.objects.get(participant=participant).values


def page(answer: HttpResponse) -> str:
    return answer.content.decode()


def test_every_variable_of_the_protocol_has_its_field_with_unit_and_range(browser: Client, participant: Participant) -> None:
    """ui.md, Forms: unit beside the field; sections hold every variable once."""
    answer = browser.get(reverse("baseline", args=[participant.uuid]))
    fields = [field.name for _, section in answer.context["form"].sections for field in section]
    assert sorted(fields) == sorted(f"value_{item.code}" for item in participant.study.protocol.baseline)
    assert "µmol/L" in page(answer)
    assert "0.1 to 2000000" in page(answer)
    assert answer.context["held"] == 0


def test_values_are_saved_and_the_missing_ones_named(browser: Client, participant: Participant) -> None:
    """Full-width digits are read as digits; the page says n of m and what is left."""
    answer = send(browser, participant, afp="２０", mvi="M1")
    assert answer.status_code == 302
    assert stored(participant) == {"afp": "20", "mvi": "M1"}
    following = page(browser.get(answer["Location"]))
    assert "Saved: 2 of 14 values are recorded." in following
    assert "Missing:" in following


@pytest.mark.parametrize(
    ("code", "value", "sentence"),
    [
        ("afp", "high", "alpha-fetoprotein is a number in ng/mL"),
        ("afp", "&gt; 60500", "alpha-fetoprotein is a number in ng/mL"),
        ("albumin", "400", "albumin lies between 10 and 70 g/L"),
        ("mvi", "M9", "M9"),
    ],
)
def test_impossible_value_gets_a_sentence_and_nothing_typed_is_lost(
    browser: Client, participant: Participant, code: str, value: str, sentence: str
) -> None:
    """The list on top links to the field; the good value beside the bad one stays in its field, too."""
    answer = send(browser, participant, **{code: value, "bilirubin": "17.1"})
    assert answer.status_code == 400
    assert sentence in page(answer)
    assert f'<a href="#id_value_{code}">' in page(answer)
    assert 'value="17.1"' in page(answer)
    assert not Baseline.objects.filter(participant=participant).exists()


def test_change_shows_old_and_new_and_asks_its_reason(world: World, browser: Client, participant: Participant) -> None:
    """AU-03: 20 to 200 is asked why; with the reason it is saved and stands in the history."""
    seen = baseline.record(participant=participant, values={"afp": "20"}, by=world.coordinator).values
    answer = send(browser, participant, seen, afp="200", albumin="40")
    assert answer.status_code == 400
    [change] = answer.context["form"].changes
    assert (change.before, change.after) == ("20 ng/mL", "200 ng/mL")
    assert "Say why" in page(answer)
    assert stored(participant) == {"afp": "20"}
    assert send(browser, participant, seen, "misread", afp="200", albumin="40").status_code == 302
    assert stored(participant) == {"afp": "200", "albumin": "40"}
    history = page(browser.get(reverse("baseline", args=[participant.uuid])))
    assert "<s>20 ng/mL</s> → 200 ng/mL" in history
    assert "misread" in history


def test_wrong_value_and_missing_reason_are_told_at_once(world: World, browser: Client, participant: Participant) -> None:
    """One round for both: the range of the one value, and the reason for the change of the other."""
    seen = baseline.record(participant=participant, values={"afp": "20"}, by=world.coordinator).values
    answer = send(browser, participant, seen, afp="200", albumin="400")
    assert [field.name for field in answer.context["form"].wrong] == ["value_albumin", "reason"]


def test_first_value_beside_stored_ones_needs_no_reason(world: World, browser: Client, participant: Participant) -> None:
    seen = baseline.record(participant=participant, values={"afp": "20"}, by=world.coordinator).values
    assert send(browser, participant, seen, albumin="40").status_code == 302


def test_save_without_a_change_saves_nothing(world: World, browser: Client, participant: Participant) -> None:
    """No empty row, no second event in the history."""
    assert send(browser, participant).status_code == 302
    assert not Baseline.objects.filter(participant=participant).exists()


def test_last_value_can_be_taken_away_with_a_reason(world: World, browser: Client, participant: Participant) -> None:
    seen = baseline.record(participant=participant, values={"afp": "20"}, by=world.coordinator).values
    assert send(browser, participant, seen, "other patient", afp="").status_code == 302
    assert stored(participant) == {}


def test_two_people_fill_in_different_fields(world: World, browser: Client, participant: Participant) -> None:
    """Peers C: never last-write-wins; a page drawn before the other's save takes nothing away from it."""
    assert send(browser, participant, afp="20").status_code == 302
    assert send(browser, participant, albumin="40").status_code == 302
    assert stored(participant) == {"afp": "20", "albumin": "40"}


def test_two_people_typing_into_one_field_are_told(browser: Client, participant: Participant) -> None:
    """The later one sees both values, keeps his own and decides; what he did not touch shows what is stored now."""
    send(browser, participant, afp="20", albumin="40")
    answer = send(browser, participant, afp="25", bilirubin="12")
    assert answer.status_code == 400
    assert "changed this meanwhile to: 20 ng/mL" in page(answer)
    assert stored(participant) == {"afp": "20", "albumin": "40"}
    form = answer.context["form"]
    assert (form["value_afp"].value(), form["value_albumin"].value(), form["value_bilirubin"].value()) == ("25", "40", "12")
    assert json.loads(form.drawn_with) == {"afp": "20", "albumin": "40"}


@pytest.mark.parametrize("seen", ["", "no json", "[1]", "7"])
def test_page_that_does_not_say_what_it_showed_overwrites_nothing(browser: Client, participant: Participant, seen: str) -> None:
    send(browser, participant, afp="20")
    browser.post(reverse("baseline", args=[participant.uuid]), {"value_afp": "30", "seen": seen, "reason": "no"})
    assert stored(participant) == {"afp": "20"}


def test_who_may_not_enter_reads_only(world: World, participant: Participant) -> None:
    """The monitor sees the values without a button; sending them is refused."""
    client = Client()
    client.force_login(world.people[Role.MONITOR])
    answer = client.get(reverse("baseline", args=[participant.uuid]))
    assert "savebar" not in page(answer)
    assert "disabled" in page(answer)
    assert send(client, participant, afp="20").status_code == 403
