"""The pages on blindness on a telephone: nothing has to be pushed aside to be read, and every number says what it counts."""

import os
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.urls import reverse
from playwright.sync_api import Page

from accounts import ledger
from accounts.people import choose_language
from tests import world
from tests.gates import rules
from tests.predictions import sealed_world

PUSHED = """() => [...document.querySelectorAll("main, main *")].filter((each) =>
  each.scrollWidth > each.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(each).overflowX))
  .map((each) => each.outerHTML.slice(0, 80))"""
"""What on the page would scroll sideways."""
NAMED = """() => [...document.querySelectorAll("tbody tr:last-child td[data-label]")].map((each) =>
  getComputedStyle(each, "::before").content)"""
"""What stands before each value of the last line of each table; `none` where the head of the column says it."""


@pytest.fixture
def site(transactional_db: None, settings, tmp_path) -> world.World:
    """Two sealed patients, one who waits, and an opening that was asked for."""
    settings.VAR = tmp_path
    made = world.build()
    sealed_world.prepare(made, rules.surgery_alone())
    for center in ("01", "02"):
        sealed_world.complete(made, center)
    call_command("infer", "--once")
    world.enrolled(made, "01")
    body = {"request": "ab" * 32, "seals": 2, "pair": "AB", "expires_at": 1_800_000_000_000_000}
    ledger.append(study=made.study.code, kind="opening", body=body, at=made.study.ledger_time())
    return made


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("width", [400, 1280])
def test_panel_and_receipts_need_no_pushing(site: world.World, visit: Callable[..., Page], language: str, width: int) -> None:
    """At 400 points each count stands beside its name; at 1280 under it."""
    for person, name in (("sponsor", "blindness"), ("coordinator01", "receipts")):
        choose_language(user=site.people[person], language=language)
        page = visit(person, width=width)
        page.goto(reverse(name))
        assert page.evaluate(PUSHED) == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        if folder := os.environ.get("PRIME_SHOTS"):
            page.screenshot(path=f"{folder}/{name}-{language}-{width}.png", full_page=True)
        named = page.evaluate(NAMED)
        assert len(named) == {"blindness": 8 + 4, "receipts": 3}[name]
        assert [each for each in named if (each == "none") is (width == 400)] == []
