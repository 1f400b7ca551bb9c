"""A laboratory report pasted by keyboard alone: read, looked through, filled in; by scripts' help or without them."""

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from studies import entry
from studies.models import Entry, Participant
from tests.studies.laboratory import blocks

pytestmark = pytest.mark.django_db(transaction=True)


def dated(person, text):
    day = person.screening.surgery_date - timedelta(days=3)
    return text.replace("2026年10月29日", f"{day.year}年{day.month}月{day.day}日")


def test_report_fills_the_form_by_keyboard_alone(visit, scene, tmp_path):
    """Thirty-six tests asked: thirty-two are filled in by one key, four wait; nothing serious for who cannot see the page."""
    person = Participant.objects.select_related("screening").first()
    page = visit("wang")
    page.goto(f"/participants/{person.uuid}/laboratory/paste/")
    page.keyboard.insert_text(dated(person, blocks.SPACES.text))  # the field has the focus already
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("input[name=take]")
    assert page.locator("input[name=take]:checked").count() == 32
    assert page.locator("input[type=radio]:checked").count() == 0
    page.screenshot(path=tmp_path / "paste-zh.png", full_page=True)
    found = [each["id"] for each in Axe().run(page).response["violations"] if each["impact"] in ("serious", "critical")]
    assert found == []
    page.set_viewport_size({"width": 400, "height": 800})
    page.screenshot(path=tmp_path / "paste-zh-400.png", full_page=True)
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/paste/?source=*")
    assert page.locator("input[name=take]").count() == 0
    held = entry.held(Entry.objects.get(participant=person, form="laboratory"))
    expected = {code: (value, sign) for code, (value, sign, _) in blocks.SPACES.filled.items()}
    assert {code: (value.value, value.comparator) for code, value in held.items() if code != "lab_date"} == expected
