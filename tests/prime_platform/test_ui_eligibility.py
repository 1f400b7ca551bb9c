"""The page of a line of the log: what is unknown is completed there, with a reason, and judged at once."""

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from accounts import audit
from accounts.people import choose_language
from studies.forms import PREFIX
from studies.models import Screening
from tests.studies import world as worlds
from tests.studies.world import World


@pytest.fixture
def world(db: None) -> World:
    return worlds.build()


@pytest.fixture
def browser(world: World) -> Client:
    client = Client()
    client.force_login(choose_language(user=world.coordinator, language="en"))
    return client


def typed(line: Screening, **changes: str) -> dict[str, str]:
    """What the form of the page sends when only `changes` were typed."""
    answers = {PREFIX + code: answer for code, answer in line.answers.items()}
    row = {"surgery_date": line.surgery_date.isoformat(), "sex": line.sex}
    return {**row, **answers, "reason": "report came", **changes}


def test_unknown_age_is_completed_by_a_birth_date_that_is_kept_nowhere(world: World, browser: Client) -> None:
    """formats.md k, EL-02: born 1968-03-03, operated on 2026-03-02: 57 completed years; the date is in no row and no history."""
    line = worlds.screened(world, age_at_surgery=None)
    assert browser.post(reverse("screening-answers", args=[line.uuid]), typed(line, birth_date="1968年3月3日")).status_code == 302
    line.refresh_from_db()
    assert (line.age_at_surgery, line.eligibility["verdict"]) == (57, "pass")
    told = [f"{vars(event)} {event.pgh_context}" for event in audit.history(line)]
    assert not any("1968" in event for event in told)


def test_answer_changes_with_a_reason_only(world: World, browser: Client) -> None:
    """AU-03: without a reason nothing that was said changes, and the page says so at the field."""
    line = worlds.screened(world, answers={"histology_hcc": "no"})
    address = reverse("screening-answers", args=[line.uuid])
    refused = browser.post(address, typed(line, answer_histology_hcc="yes", reason=" "))
    assert refused.status_code == 400
    assert 'id="id_reason_error"' in refused.content.decode()
    line.refresh_from_db()
    assert line.answers["histology_hcc"] == "no"
    browser.post(address, typed(line, answer_histology_hcc="yes"))
    line.refresh_from_db()
    assert line.answers["histology_hcc"] == "yes"
    assert audit.history(line).last().pgh_context["reason"] == "report came"


def test_first_answers_are_asked_for_no_reason(world: World, browser: Client) -> None:
    """A line as the operating list brings it: the page draws no field for a reason, and takes the answers without one."""
    line = worlds.screened(world, answers={})
    assert 'id="id_reason"' not in browser.get(reverse("screening", args=[line.uuid])).content.decode()
    assert (
        browser.post(reverse("screening-answers", args=[line.uuid]), typed(line, answer_histology_hcc="yes", reason="")).status_code == 302
    )
    line.refresh_from_db()
    assert line.answers["histology_hcc"] == "yes"
    assert 'id="id_reason"' in browser.get(reverse("screening", args=[line.uuid])).content.decode()


def test_date_of_surgery_in_the_future_is_refused_at_its_field(world: World, browser: Client) -> None:
    """What the write function finds invalid stands where it was typed."""
    line = worlds.screened(world)
    refused = browser.post(reverse("screening-answers", args=[line.uuid]), typed(line, surgery_date="2099-01-01", age="58"))
    assert refused.status_code == 400
    assert "The date of surgery lies in the future." in refused.context["answers_form"].errors["surgery_date"]
    line.refresh_from_db()
    assert line.surgery_date == worlds.SURGERY


def test_criteria_that_fail_come_first_with_their_cause(world: World, browser: Client) -> None:
    """Peers C: a failed criterion is named."""
    line = worlds.screened(world, answers={**worlds.ELIGIBLE, "other_malignancy": "yes", "histology_hcc": "unknown"})
    shown = browser.get(reverse("screening", args=[line.uuid])).context["open_criteria"]
    assert [(row.code, row.verdict) for row in shown] == [("E2", "fail"), ("I1", "unknown")]
    assert shown[0].because == "concurrent other primary malignancy"


def test_consent_that_lies_ahead_is_refused_on_top_of_the_page(world: World, browser: Client) -> None:
    """EN-03: a form cannot be signed tomorrow."""
    line = worlds.screened(world)
    sent = {"kind": "signed", "reference": "2.1", "dated_on": date(2099, 1, 1).isoformat()}
    refused = browser.post(reverse("screening-consent", args=[line.uuid]), sent)
    assert refused.status_code == 400
    assert "The consent is dated in the future." in refused.content.decode()
